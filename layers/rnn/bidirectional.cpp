#include "cornu/layers/rnn/bidirectional.h"

#include <string>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/layers/pytorch/pytorch_module.h"
#include "cornu/layers/reset_parameters.h"

namespace cornu {

namespace {

bool& go_backwards(AnyLayer& layer) {
  bool* const option = layer.go_backwards();
  require<ValueError>(option != nullptr, "Bidirectional: {} has no option go_backwards; a recurrent layer is required",
                      detail::with_article(layer.type()));
  return *option;
}

void require_both_ways(AnyLayer& forward, AnyLayer& backward) {
  require<ValueError>(go_backwards(forward) != go_backwards(backward),
                      "Bidirectional: both layers have .go_backwards = {}; it must differ", go_backwards(forward));
}

void add_prefix(AnyLayer& layer, const std::string& prefix) {
  const std::string name = layer.name().empty() ? layer.default_name() : layer.name();
  layer.rename(name.starts_with(prefix) ? name : prefix + name);
}

/// A copy without weights that processes the steps in the other order.
AnyLayer reversed(AnyLayer layer) {
  go_backwards(layer) = !go_backwards(layer);
  reset_parameters(layer);
  return layer;
}

/// Sets masked steps to 0, as in Keras: the two directions keep different states there.
Var zero_at_masked_steps(Var y) { return y.is_masked() ? y * reshape(y.mask(), {y.shape()[0], y.shape()[1], 1}) : y; }

/// The output of the backward layer with its steps, if it returns them, in the order of x.
Var in_order_of(Var x, Var backward) { return backward.rank() == x.rank() ? flip(backward, 1) : backward; }

}  // namespace

Bidirectional::Bidirectional(const AnyLayer& layer, MergeMode merge_mode)
    : Bidirectional(layer, reversed(layer), merge_mode) {}

Bidirectional::Bidirectional(AnyLayer layer, AnyLayer backward_layer, MergeMode merge_mode)
    : forward_(std::move(layer)), backward_(std::move(backward_layer)), merge_mode_(merge_mode) {
  require_both_ways(forward_, backward_);
  add_prefix(forward_, "forward_");
  add_prefix(backward_, "backward_");
}

Shape Bidirectional::build(const Shape& input, Rng& rng) {
  AnyLayer forward = forward_, backward = backward_;
  require_both_ways(forward, backward);
  Rng of_forward(rng.bits()), of_backward(rng.bits());
  const Shape one = forward.build(input, of_forward), other = backward.build(input, of_backward);
  const bool joins = merge_mode_ == MergeMode::concat;
  const bool fits =
      one.rank() > 0 && one.rank() == other.rank() && (joins ? one.without(-1) == other.without(-1) : one == other);
  require(fits, "Bidirectional: its layers return samples of shapes {} and {}; they must be equal{}", one, other,
          joins ? " except for the last axis" : "");
  forward_ = std::move(forward);
  backward_ = std::move(backward);
  return joins ? one.with(-1, one[-1] + other[-1]) : one;
}

Var Bidirectional::forward(Var x) const {
  const Var one = zero_at_masked_steps(forward_(x)), other = zero_at_masked_steps(in_order_of(x, backward_(x)));
  return merged(one, other);
}

BidirectionalOutput Bidirectional::forward(Var x, const BidirectionalState& initial) const {
  const RecurrentOutput one = forward_(x, initial.forward), last = backward_(x, initial.backward);
  const Var first = zero_at_masked_steps(one.y), other = zero_at_masked_steps(in_order_of(x, last.y));
  return {merged(first, other), first, other, {one.state, last.state}};
}

Var Bidirectional::merged(Var one, Var other) const {
  switch (merge_mode_) {
    case MergeMode::concat:
      return concatenate({one, other}, -1);
    case MergeMode::sum:
      return one + other;
    case MergeMode::mul:
      return one * other;
    case MergeMode::ave:
      break;
  }
  return (one + other) / 2;
}

void Bidirectional::pytorch(PyTorchModule& module) {
  require<ValueError>(merge_mode_ == MergeMode::concat, "merge_mode is {}; PyTorch's modules concatenate",
                      option_names(merge_mode_)[static_cast<std::size_t>(merge_mode_)]);
  for (AnyLayer* const layer : {&forward_, &backward_}) {
    PyTorchModule one(module.in, module.out);
    if (!layer->pytorch(one)) {  // under its own names
      for (const NamedParameter& own : layer->parameters()) one.add(own.name.c_str(), *own.parameter);
    }
    for (detail::StoredTensor& tensor : one.tensors) {
      if (layer == &backward_) tensor.name += "_reverse";
      module.tensors.push_back(std::move(tensor));
    }
  }
}

}  // namespace cornu
