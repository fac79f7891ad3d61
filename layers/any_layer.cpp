#include "cornu/layers/any_layer.h"

#include <algorithm>
#include <cctype>

#include "cornu/core/kernels/kernels.h"
#include "cornu/core/text/printable.h"
#include "cornu/core/warning.h"

namespace cornu {

namespace detail {

void require_input_count(std::size_t required, std::size_t came) {
  require(required == came, "takes {} input{}, got {}", required, required == 1 ? "" : "s", came);
}

void refuse_state() { throw ValueError("was called with a state; only a recurrent layer takes one"); }

NamedParameters parameters_of(const NamedLayers& layers) {
  NamedParameters result;
  for (const NamedLayer& named : layers) {
    for (const NamedParameter& own : named.layer->parameters()) {
      const bool known = std::any_of(result.begin(), result.end(),
                                     [&](const NamedParameter& other) { return other.parameter == own.parameter; });
      if (known) continue;
      // A layer "a/b" and the layer b inside a layer "a" produce the same parameter names.
      const std::string base = named.name + "/" + own.name;
      std::string name = base;
      const auto taken = [&](const NamedParameter& other) { return other.name == name; };
      for (int number = 1; std::any_of(result.begin(), result.end(), taken); ++number) {
        name = base + "_" + std::to_string(number);
      }
      result.push_back({std::move(name), own.parameter});
    }
  }
  return result;
}

}  // namespace detail

void AnyLayer::add_name(Error& error) const {
  if (!name_.empty()) return error.add_context(detail::printable(name_));
  const std::string_view type = box_->type(), text = error.what();
  if (!text.starts_with(type) || text.substr(type.size(), 1) != ":") error.add_context(type);
}

/// Builds a struct's layers when its forward first calls them, with the shapes of their inputs. If the pass fails, all
/// are restored.
class AnyLayer::Builder final : public detail::LayerObserver {
 public:
  Builder(NamedLayers layers, Rng& rng) {
    for (NamedLayer& named : layers) {
      if (find(named.layer) != layers_.end()) continue;  // listed twice
      named.layer->rename(named.name);
      // Each layer has its own generator, by its position in the list, so that its weights depend neither on the call
      // order nor on how much the others draw.
      layers_.push_back({*named.layer, named.layer, Rng(rng.bits())});
    }
  }
  ~Builder() override {
    if (complete_) return;
    for (Owned& owned : layers_) *owned.layer = std::move(owned.before);
  }

  void before(const AnyLayer& layer, std::span<const Var> inputs) override {
    if (depth_++ > 0 || layers_.empty()) return;  // inside a layer that builds its layers itself
    const auto owned = find(&layer);
    if (owned == layers_.end()) {
      require<StateError>(layer.parameters().empty(),
                          "called in forward but not listed by layers(): it would not be trained");
    } else if (!owned->built) {
      std::vector<Shape> shapes;
      for (const Var input : inputs) shapes.push_back(input.shape().sub(1));
      owned->layer->build_unnamed(shapes, owned->rng);  // unnamed: its forward adds its name to errors
      owned->built = true;
    }
  }
  void after(const AnyLayer&, Var) override { --depth_; }

  void finish() {
    for (const Owned& owned : layers_) {
      require<StateError>(owned.built, "layers() lists {}, but forward does not call it, so it cannot be built",
                          owned.layer->name());
    }
    complete_ = true;
  }

 private:
  struct Owned {
    AnyLayer before;
    AnyLayer* layer;
    Rng rng;
    bool built = false;
  };
  std::vector<Owned>::iterator find(const AnyLayer* layer) {
    return std::find_if(layers_.begin(), layers_.end(), [=](const Owned& owned) { return owned.layer == layer; });
  }

  std::vector<Owned> layers_;
  int depth_ = 0;
  bool complete_ = false;
};

namespace {

/// True if `built` equals `value` broadcast to its shape: build has kept the value.
bool repeats(const Tensor& built, const Tensor& value) {
  bool fits = value.rank() <= built.rank();
  for (Index i = 1; fits && i <= value.rank(); ++i) {
    fits = value.shape()[-i] == 1 || value.shape()[-i] == built.shape()[-i];
  }
  if (!fits) return false;
  bool equal = true;
  Broadcast(built.shape(), value.shape(), built.shape()).each([&](Index i, Index, Index from) {
    equal = equal && built[i] == value[from];
  });
  return equal;
}

/// Restores the values and flags that a rebuilt layer's parameters had before.
void keep(const NamedParameters& had, const NamedParameters& built, std::span<const Shape> inputs,
          std::string_view type) {
  for (const auto& [name, before] : had) {
    const auto found = std::find_if(built.begin(), built.end(), [&, wanted = std::string_view(name)](const auto& now) {
      return now.name == wanted;
    });
    if (found == built.end()) continue;
    Parameter& now = *found->parameter;
    now.frozen = before->frozen;
    if (before->value.empty()) continue;
    now.trainable = before->trainable;
    if (before->shape() == now.shape()) {
      now.value = before->value;
    } else {
      require(repeats(now.value, before->value),
              "{} has shape {}, but inputs of shape {} require {}. A built layer keeps its weights: replace it by a "
              "new {}, or call reset_parameters(layer) first",
              name, before->shape(), inputs.front(), now.shape(), type);
    }
  }
}

}  // namespace

Shape AnyLayer::build_unnamed(std::span<const Shape> inputs, Rng& rng) {
  const NamedParameters mine = box_->parameters();
  const bool is_new = std::none_of(mine.begin(), mine.end(), [](const NamedParameter& own) {
    return own.parameter->frozen || !own.parameter->value.empty();
  });
  if (is_new) return build_anew(inputs, rng);
  AnyLayer built = *this;
  const Shape output = built.build_anew(inputs, rng);  // on a copy: if it throws, this layer is unchanged
  keep(mine, built.parameters(), inputs, type());
  box_ = std::move(built.box_);
  return output;
}

/// Calls the struct's build, or without one, runs forward on one sample of zeros.
Shape AnyLayer::build_anew(std::span<const Shape> inputs, Rng& rng) {
  Box& layer = *box_;
  if (const std::optional<Shape> output = layer.build(inputs, rng)) return *output;
  Tape tape(Mode::inference);
  std::vector<Var> values;
  for (const Shape& input : inputs) {
    const View sample = tape.scratch(input.batched(1));
    std::fill(sample.begin(), sample.end(), Real{0});
    values.push_back(tape.input(sample));
  }
  Builder builder(layers(), rng);
  tape.observe_layers(&builder);
  const Var y = layer.forward(values);
  require(y.rank() > 0 && y.shape()[0] == 1,
          "forward returned shape {} for a batch of one sample of shape {}; the first axis must remain the batch axis",
          y.shape(), inputs.front());
  builder.finish();
  return y.shape().sub(1);
}

Shape AnyLayer::build_several(std::span<const Shape> inputs, Rng& rng) {
  try {
    return build_unnamed(inputs, rng);
  } catch (Error& error) {
    add_name(error);
    throw;
  }
}

namespace {

/// Warns if a layer that does not ask for the mask of its input calls an op that drops it: padding would count from
/// there on.
class MaskCheck {
 public:
  explicit MaskCheck(std::span<const Var> inputs) {
    for (const Var x : inputs) {
      if (!x.is_masked()) continue;
      x_ = x;
      reads_ = x.mask_reads();
      begin_ = x.tape().value_count();
      return;
    }
  }
  void after(const AnyLayer& layer) const {
    if (!x_ || x_.mask_reads() != reads_ || !x_.tape().has_dropped_mask(begin_)) return;
    detail::warn(message("{} ({}) does not heed the mask of its input; padding counts from there on",
                         detail::printable(layer.name()), layer.type()));
    x_.mask();  // so that the layers around this one do not warn, too
  }

 private:
  Var x_;
  int reads_ = 0;
  std::size_t begin_ = 0;
};

}  // namespace

Var AnyLayer::forward_several(std::span<const Var> inputs) const {
  const Box& layer = *box_;
  try {
    const MaskCheck check(inputs);
    detail::LayerObserver* const observer = inputs.front().tape().layer_observer();
    if (observer != nullptr) [[unlikely]]
      observer->before(*this, inputs);  // may build the layer and so replace box_
    const Var y = (observer == nullptr ? layer : *box_).forward(inputs);
    check.after(*this);
    if (observer != nullptr) [[unlikely]]
      observer->after(*this, y);
    return y;
  } catch (Error& error) {
    add_name(error);
    throw;
  }
}

RecurrentOutput AnyLayer::forward(Var x, const RecurrentState& initial) const {
  try {
    detail::LayerObserver* const observer = x.tape().layer_observer();
    if (observer != nullptr) observer->before(*this, {&x, 1});
    const Box& layer = *box_;
    const RecurrentOutput output = layer.forward_from(x, initial);
    if (observer != nullptr) observer->after(*this, output.y);
    return output;
  } catch (Error& error) {
    add_name(error);
    throw;
  }
}

std::vector<std::pair<std::string, const Parameter*>> AnyLayer::parameters() const {
  std::vector<std::pair<std::string, const Parameter*>> result;
  for (const NamedParameter& named : box_->parameters()) result.emplace_back(named.name, named.parameter);
  return result;
}

std::string detail::snake_case(std::string_view type) {
  // Keras's two rules: break before an upper-case letter that a lower-case one follows, and between a lower-case and an
  // upper-case letter.
  std::string result;
  const auto upper = [&](std::size_t i) {
    return i < type.size() && std::isupper(static_cast<unsigned char>(type[i]));
  };
  const auto lower = [&](std::size_t i) {
    return i < type.size() && std::islower(static_cast<unsigned char>(type[i]));
  };
  for (std::size_t i = 0; i < type.size(); ++i) {
    if (i > 0 && upper(i) && (lower(i - 1) || lower(i + 1)) && result.back() != '_') result += '_';
    result += static_cast<char>(std::tolower(static_cast<unsigned char>(type[i])));
  }
  return result;
}

}  // namespace cornu
