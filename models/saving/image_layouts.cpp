#include <utility>

#include "cornu/core/error.h"
#include "cornu/models/saving/weight_names.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

namespace {

/// Values that share one element order, such as an image and its flattened vector.
using Group = std::size_t;

/// A forward pass that records which values share an element order.
class Pass final : public LayerObserver {
 public:
  struct Call {
    const AnyLayer* layer;
    Shape in, out;  // without the batch axis
    Group from, to;
  };
  std::vector<Call> calls;  // of layers without inner layers

  explicit Pass(const SequentialState& model) {
    const Tensor sample(model.shapes.front().batched(1));
    Tape tape(Mode::inference);
    tape.observe_layers(this);
    output = group(model.forward(tape.input(sample)));
  }

  Group output = 0;

  /// The representative of a group and all groups joined with it.
  Group root(Group group) const {
    while (joined_[group] != group) group = joined_[group];
    return group;
  }

  void before(const AnyLayer&, std::span<const Var> inputs) override {
    inputs_.push_back(inputs.size() == 1 ? inputs[0] : Var());
  }
  void after(const AnyLayer& layer, Var y) override {
    const Var x = inputs_.back();
    inputs_.pop_back();
    const Group to = group(y), last = std::exchange(last_, to);
    if (!x) return;
    const Group from = group(x);
    if (layer.traits().adds_input) {
      join(from, to);
      join(last, to);
    } else if (layer.layers().empty()) {
      calls.push_back({&layer, x.shape().sub(1), y.shape().sub(1), from, to});
      if (keeps_order(layer, x, y)) join(from, to);
    }
  }

 private:
  /// A value is identified by its memory and rank: Flatten only changes the shape of the same memory.
  Group group(Var x) {
    const auto [entry, is_new] = groups_.emplace(std::pair(x.value().data(), x.rank()), joined_.size());
    if (is_new) joined_.push_back(entry->second);
    return entry->second;
  }
  void join(Group a, Group b) { joined_[root(a)] = root(b); }

  static bool keeps_order(const AnyLayer& layer, Var x, Var y) {
    if (x.rank() != y.rank()) return false;
    const bool is_vector = x.rank() == 2;
    const LayerTraits traits = layer.traits();
    if (traits.pytorch_sequences == SequenceOrder::channels_first) return false;  // y is channels first, whatever x is
    if (layer.parameters().empty()) return !is_vector || x.shape() == y.shape();
    return traits.keeps_features && (is_vector || traits.pytorch_sequences == SequenceOrder::either);
  }

  std::vector<Var> inputs_;  // of the calls in progress
  std::map<std::pair<const Real*, Index>, Group> groups_;
  std::vector<Group> joined_;
  Group last_ = 0;
};

/// True if channels first and channels last are different orders of this shape.
bool is_other_order(const Shape& image) { return image[-1] > 1 && image.sub(0, image.rank() - 1).size() > 1; }

/// The groups of sequences that are channels first in PyTorch: inputs and outputs of a Conv1D or of pooling, unless a
/// layer that takes channels last computed them.
std::map<Group, bool> channels_first(const Pass& pass) {
  std::map<Group, bool> result;
  for (const Pass::Call& call : pass.calls) {
    if (call.layer->traits().pytorch_sequences != SequenceOrder::channels_first) continue;
    result[pass.root(call.from)] = result[pass.root(call.to)] = true;
  }
  for (const Pass::Call& call : pass.calls) {
    const bool is_last =
        call.layer->traits().pytorch_sequences == SequenceOrder::channels_last && !call.layer->parameters().empty();
    if (is_last && pass.root(call.from) != pass.root(call.to)) result[pass.root(call.to)] = false;
  }
  return result;
}

}  // namespace

ImageOrders::ImageOrders(const SequentialState& model) {
  const Pass pass(model);
  std::map<Group, bool> first = channels_first(pass);
  struct Origin {
    Shape image;
    const AnyLayer* layer;
    bool is_met = false;  // some layer with parameters reads or writes the vector
  };
  std::map<Group, Origin> origins;
  for (const Pass::Call& call : pass.calls) {
    const bool flattens = call.in.rank() > 1 && call.out.rank() == 1,
               makes = call.in.rank() == 1 && call.out.rank() > 1;
    if (!(flattens || makes) || call.in.size() != call.out.size() || !call.layer->parameters().empty()) continue;
    const Shape& image = flattens ? call.in : call.out;
    const Group of_image = pass.root(flattens ? call.from : call.to),
                vector = pass.root(flattens ? call.to : call.from);
    const bool is_first = image.rank() == 3 || (image.rank() == 2 && first[of_image]);
    const Shape order = is_first && is_other_order(image) ? image : Shape{1, image.size()};
    const auto [known, is_new] = origins.emplace(vector, Origin{order, call.layer});
    require<ValueError>(is_new || known->second.image == order,
                        "{} and {}: PyTorch stores the same elements as images of shapes {} and {}, channels first; no "
                        "order of weights fits both",
                        known->second.layer->name(), call.layer->name(), known->second.image, order);
  }
  for (const Pass::Call& call : pass.calls) {
    OfLayer of_layer;
    const auto look = [&](Group group, const Shape& shape, ImageOrder& order) {
      const auto origin = shape.rank() == 1 ? origins.find(pass.root(group)) : origins.end();
      if (origin == origins.end() || call.layer->parameters().empty()) return;
      origin->second.is_met = true;
      if (is_other_order(origin->second.image)) order = origin->second.image;
    };
    look(call.from, call.in, of_layer.in);
    look(call.to, call.out, of_layer.out);
    layers_.emplace(call.layer, of_layer);
  }
  for (const auto& [group, origin] : origins) {
    require<ValueError>(origin.is_met || !is_other_order(origin.image) || group == pass.root(pass.output),
                        "{}: PyTorch stores the elements of the image {} channels first, but the layer that uses them "
                        "cannot be determined",
                        origin.layer->name(), origin.image);
  }
}

ImageOrders::OfLayer ImageOrders::of(const AnyLayer* layer) const {
  const auto found = layers_.find(layer);
  return found == layers_.end() ? OfLayer{} : found->second;
}

}  // namespace cornu::detail
