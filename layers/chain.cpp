#include "cornu/layers/chain.h"

#include <algorithm>
#include <array>
#include <exception>

#include "cornu/core/error.h"
#include "cornu/core/shape_hints.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/naming.h"
#include "cornu/core/text/utf8.h"
#include "cornu/layers/input.h"
#include "cornu/layers/inputs.h"

namespace cornu::detail {

namespace {

/// Finds every layer with this path: both a layer named "a/b" and the layer b inside a layer "a".
void find_in(const NamedLayers& layers, std::string_view path, std::vector<AnyLayer*>& found) {
  for (const NamedLayer& named : layers) {
    if (named.name == path) {
      if (std::find(found.begin(), found.end(), named.layer) == found.end()) found.push_back(named.layer);
    } else if (path.starts_with(named.name) && path.substr(named.name.size()).starts_with('/')) {
      find_in(named.layer->layers(), path.substr(named.name.size() + 1), found);
    }
  }
}

/// The path of the last recurrent layer in `layer`, including itself, that returns only its last step; empty if none.
std::string returns_last_step(const AnyLayer& layer) {
  if (layer.returns_last_step()) return layer.name();
  const NamedLayers inner = layer.layers();
  for (auto at = inner.end(); at != inner.begin();) {
    const std::string path = returns_last_step(*(--at)->layer);
    if (!path.empty()) return layer.name() + "/" + path;
  }
  return "";
}

/// The path of the recurrent layer that dropped the time steps, if layer i could be built with them; else empty.
/// Parameters as in Chain::build_next.
std::string dropped_steps(std::span<const AnyLayer> built, std::size_t i, std::span<const Shape> made) {
  if (made[i].rank() != 1) return "";
  std::size_t at = i;
  while (at > 0 && made[at].rank() == 1) --at;
  if (made[at].rank() != 2) return "";
  std::string path = returns_last_step(built[at]);
  if (path.empty()) return "";
  try {
    AnyLayer with_steps = built[i];
    Rng rng(0);
    with_steps.build({made[at][0], made[i][0]}, rng);
  } catch (const Error&) {
    return "";  // layer i fails for another reason
  }
  return path;
}

/// Splits a batch of packed samples into one value per input. Returns the number of inputs.
std::size_t unpack(Var x, std::span<const Shape> parts, std::span<Var> inputs) {
  Index begin = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Index end = begin + parts[i].size();
    inputs[i] = reshape(slice_axis(x, 1, begin, end), parts[i].batched(x.shape()[0]));
    begin = end;
  }
  return parts.size();
}

}  // namespace

void Chain::insert(AnyLayer layer, const NamedLayers& others) {
  if (layers.empty() && !declared_input) {
    if (const auto* const input = layer.as<Input>()) declared_input = input->shape;
    if (const auto* const inputs = layer.as<Inputs>()) {
      declared_input = inputs->packed();
      input_parts = inputs->shapes;
    }
    if (declared_input) return;
  }
  const auto taken = [&](const std::string& wanted) {
    return std::any_of(layers.begin(), layers.end(), [&](const AnyLayer& own) { return own.name() == wanted; }) ||
           std::any_of(others.begin(), others.end(), [&](const NamedLayer& other) { return other.name == wanted; });
  };
  if (layer.name().empty()) {
    const std::string base = layer.default_name();
    std::string free = base;
    for (int number = 1; taken(free); ++number) free = base + "_" + std::to_string(number);
    layer.rename(std::move(free));
  } else {
    naming(name, [&] { require_utf8("layer name", layer.name()); });
    require<ValueError>(!taken(layer.name()), "{}: there is already a layer named \"{}\"", name, layer.name());
  }
  if (layers.empty()) first_input = naming(layer.name(), [&] { return layer.input_shape(); });
  layers.push_back(std::move(layer));
}

std::optional<Shape> Chain::known_input() const {
  if (declared_input || layers.empty()) return declared_input;
  return layers.front().input_shape();
}

std::optional<Shape> Chain::input_shape() const { return shapes.empty() ? known_input() : pattern(0); }

void Chain::require_built() const {
  require<StateError>(!shapes.empty(),
                      "{}: not built, because its input shape is unknown; begin with an Input, or call build or fit",
                      name);
}

std::size_t Chain::position(Index index) const {
  const auto count = static_cast<Index>(layers.size());
  const Index result = index < 0 ? index + count : index;
  require<ValueError>(result >= 0 && result < count, "{}: no layer {}; the number of layers is {}", name, index, count);
  return static_cast<std::size_t>(result);
}

AnyLayer& Chain::find(std::string_view path) {
  std::vector<AnyLayer*> found;
  find_in(named_layers(), path, found);
  if (found.size() == 1) return *found.front();
  require<ValueError>(found.empty(),
                      "{}: {} layers have the path \"{}\": a name with a slash also reads as the path of a nested "
                      "layer; rename it, or get it by position",
                      name, found.size(), path);
  throw ValueError(message("{}: there is no layer named \"{}\"; there are: {}", name, path,
                           detail::listed(layers, &AnyLayer::name)));
}

Shape Chain::build_next(std::span<AnyLayer> built, std::size_t i, std::span<const Shape> made, Rng& rng) {
  try {
    return built[i].build(made[i], rng);
  } catch (const ShapeError& error) {
    const std::string path = dropped_steps(built, i, made);
    if (path.empty()) throw;
    throw ShapeError(message("{}; {} returns only its last step: set .return_sequences = true to return all steps",
                             error.what(), path));
  }
}

Shape Chain::pattern(std::size_t i) const {
  return other_shapes.empty() ? shapes[i] : common_pattern(shapes[i], other_shapes[i]);
}

Shape Chain::build(const Shape& input, Rng& rng) {
  require<StateError>(!layers.empty(), "{}: there are no layers to build", name);
  const std::optional<Shape>& known = declared_input ? declared_input : first_input;
  if (known && *known != input && !matches(*known, input)) {
    throw ShapeError(message("{}: build was given inputs of shape {}, but the first layer takes {}", name,
                             pattern_text(input), pattern_text(*known)));
  }
  if (std::count(input.dimensions().begin(), input.dimensions().end(), 0) > 0) return build_any_length(input, rng);
  std::vector<AnyLayer> built = layers;
  std::vector<Shape> made = build_layers(built, input, rng);
  layers = std::move(built);
  const auto same_rank = [](const Shape& a, const Shape& b) { return a.rank() == b.rank(); };
  if (!std::equal(made.begin(), made.end(), shapes.begin(), shapes.end(), same_rank)) {
    other_shapes.clear();
  } else if (made != shapes) {
    other_shapes = std::move(shapes);
  }
  shapes = std::move(made);
  return shapes.back();
}

/// Builds the layers for one input shape. Returns the shapes of the input and of all outputs.
std::vector<Shape> Chain::build_layers(std::span<AnyLayer> built, const Shape& input, Rng& rng) const {
  std::vector<Shape> made{input};
  for (std::size_t i = 0; i < built.size(); ++i) {
    Rng own(rng.bits());  // so that a layer's weights do not depend on how much the previous layer drew
    const bool unpacks = i == 0 && !input_parts.empty();
    made.push_back(unpacks ? built[i].build_several(input_parts, own) : build_next(built, i, made, own));
  }
  return made;
}

namespace {

Shape with_length(const Shape& pattern, Index length) {
  Shape result = pattern;
  for (Index axis = 0; axis < result.rank(); ++axis) {
    if (result[axis] == 0) result = result.with(axis, length);
  }
  return result;
}

}  // namespace

namespace {

/// Without the advice for a layer that was built before: here it is new.
std::string without_advice(std::string_view text) { return std::string(text.substr(0, text.find(". A built layer"))); }

}  // namespace

/// Finds two lengths that all layers accept: windows set a least length, tables of positions a largest one.
Shape Chain::build_any_length(const Shape& input, Rng& rng) {
  std::exception_ptr last_error;
  const Rng before = rng;
  for (const Index length : {16, 128, 1024, 8192}) {
    std::vector<AnyLayer> built = layers;
    const auto build_with = [&](Index tried) {
      rng = before;
      try {
        return build_layers(built, with_length(input, tried), rng);
      } catch (ShapeError& error) {
        last_error = std::make_exception_ptr(ShapeError(
            message("{}: samples of shape {}, tried with length {}{}: {}", name, pattern_text(input), tried,
                    tried == length ? "" : message(" after {}; the parameters must not depend on it", length),
                    without_advice(error.what()))));
        return std::vector<Shape>();
      }
    };
    if (build_with(length).empty()) continue;  // it may be too short
    for (const Index other : {16 * length, 4 * length, 2 * length, length + 1}) {
      std::vector<Shape> others = build_with(other);
      if (others.empty()) continue;
      shapes = build_with(length);  // last, so that layers which remember a shape remember this one
      other_shapes = std::move(others);
      layers = std::move(built);
      return pattern(layers.size());
    }
    break;
  }
  std::rethrow_exception(last_error);
}

/// True for a batch of the samples before layer `i`, or after the last one.
bool Chain::fits(std::size_t i, const Shape& batch) const {
  const Shape& sample = shapes[i];
  if (batch.rank() != sample.rank() + 1) return false;
  for (Index axis = 0; axis < sample.rank(); ++axis) {
    const bool is_free = !other_shapes.empty() && other_shapes[i][axis] != sample[axis];
    if (!is_free && batch[axis + 1] != sample[axis]) return false;
  }
  return true;
}

std::string Chain::unfitting(const Shape& batch) const {
  const Shape required = pattern(0);
  const Index count = batch.rank() > 0 ? std::max(batch[0], Index{1}) : 1;
  return message("{}: an input of shape {}; {} is required, batch first{}", name, batch,
                 pattern_text(required.batched(count)),
                 sample_hint(batch.sub(std::min(batch.rank(), Index{1})), required));
}

Var Chain::forward(Var x) const {
  require_built();
  if (!fits(0, x.shape())) throw ShapeError(unfitting(x.shape()));
  if (input_parts.empty()) return forward_several({&x, 1});
  std::array<Var, most_inputs> inputs;
  const std::size_t count = unpack(x, input_parts, inputs);
  return forward_several({inputs.data(), count});
}

Var Chain::forward_several(std::span<const Var> inputs) const {
  const Index batch = inputs.front().shape()[0];
  Var x = inputs.front();  // of the next layer, if it takes one
  for (std::size_t i = 0; i < layers.size(); ++i) {
    x = i == 0 ? layers[i].forward_several(inputs) : layers[i].forward(x);
    // Callers allocate results by output_shape.
    if (fits(i + 1, x.shape()) && x.shape()[0] == batch) [[likely]]
      continue;
    throw ShapeError(
        message("{}: forward returned shape {} for a batch of {}; at build its output samples had shape {}",
                layers[i].name(), x.shape(), batch, pattern_text(pattern(i + 1))));
  }
  return x;
}

NamedLayers Chain::named_layers() {
  NamedLayers result;
  for (AnyLayer& layer : layers) result.push_back({layer.name(), &layer});
  return result;
}

}  // namespace cornu::detail
