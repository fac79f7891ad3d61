#include "cornu/layers/merging/graph.h"

#include <algorithm>
#include <memory>
#include <new>

#include "cornu/core/error.h"

namespace cornu {

namespace {

/// Throws ValueError unless 0 <= number < count.
void require_below(Index number, Index count, const char* what) {
  require<ValueError>(number >= 0 && number < count, "Graph: {} {}; there are {}", what, number, count);
}

Var merged(Graph::Merge merge, std::span<const Var> values, Index axis) {
  using Merge = Graph::Merge;
  if (merge == Merge::concatenate) return concatenate(values, axis);
  Var y = values[0];
  for (const Var x : values.subspan(1)) {
    // NumPy would align (batch, features) with the last axes of (batch, steps, features), Keras with the first.
    require(x.rank() == y.rank(), "Graph: values {} and {} are merged; the same number of axes is required", y.shape(),
            x.shape());
    switch (merge) {
      case Merge::subtract:
        y = y - x;
        break;
      case Merge::multiply:
        y = y * x;
        break;
      case Merge::maximum:
        y = maximum(y, x);
        break;
      case Merge::minimum:
        y = minimum(y, x);
        break;
      default:  // add, and average, which divides the sum
        y = y + x;
    }
  }
  return merge == Merge::average ? y * (Real{1} / static_cast<Real>(values.size())) : y;
}

}  // namespace

Graph::Graph(Index inputs, std::vector<AnyLayer> layers, std::vector<Call> calls, std::vector<Index> outputs)
    : inputs_(inputs), layers_(std::move(layers)), calls_(std::move(calls)), outputs_(std::move(outputs)) {
  check();
}

NamedLayers Graph::layers() {
  NamedLayers result;
  for (AnyLayer& layer : layers_) result.push_back({layer.name(), &layer});
  return result;
}

void Graph::check() const {
  require<ValueError>(inputs_ >= 1 && inputs_ <= Index{detail::most_inputs}, "Graph: {} inputs; 1 to {} are allowed",
                      inputs_, detail::most_inputs);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::string& name = layers_[i].name();
    require<ValueError>(!name.empty(), "Graph: {} without a name", detail::with_article(layers_[i].type()));
    require<ValueError>(std::none_of(layers_.begin(), layers_.begin() + static_cast<std::ptrdiff_t>(i),
                                     [&](const AnyLayer& other) { return other.name() == name; }),
                        "Graph: two layers are called {}", name);
  }
  Index values = inputs_;
  for (const Call& call : calls_) {
    require<ValueError>((call.layer == -1) == (call.merge != Merge::none),
                        "Graph: a call must have either a layer or a merge");
    if (call.layer != -1) require_below(call.layer, std::ssize(layers_), "layer");
    const Index least = call.layer == -1 ? 2 : 1;
    require<ValueError>(std::ssize(call.inputs) >= least && (call.merge != Merge::subtract || call.inputs.size() == 2),
                        "Graph: a call has {} inputs", call.inputs.size());
    require<ValueError>(call.axis != 0, "Graph: axis 0 is the batch axis");
    for (const Index input : call.inputs) require_below(input, values, "value");
    ++values;
  }
  require<ValueError>(!outputs_.empty(), "Graph: there is no output");
  for (const Index output : outputs_) require_below(output, values, "value");
}

Var Graph::run(std::span<const Var> inputs) const {
  require(std::ssize(inputs) == inputs_, "Graph: takes {} input{}, got {}", inputs_, inputs_ == 1 ? "" : "s",
          inputs.size());
  // On the tape, so that a warm pass allocates nothing on the heap.
  Tape& tape = inputs[0].tape();
  std::size_t most = outputs_.size();
  for (const Call& call : calls_) most = std::max(most, call.inputs.size());
  const std::size_t count = inputs.size() + calls_.size();
  auto* const values = static_cast<Var*>(tape.allocate((count + most) * sizeof(Var)));
  std::uninitialized_value_construct_n(values, count + most);
  std::copy(inputs.begin(), inputs.end(), values);
  Var* const operands = values + count;
  const auto gathered = [&](const std::vector<Index>& numbers) {
    std::transform(numbers.begin(), numbers.end(), operands, [&](Index i) { return values[i]; });
    return std::span<const Var>(operands, numbers.size());
  };
  Var* next = values + inputs.size();
  for (const Call& call : calls_) {
    const std::span<const Var> from = gathered(call.inputs);
    *next++ = call.layer == -1 ? merged(call.merge, from, call.axis)
                               : layers_[static_cast<std::size_t>(call.layer)].forward_several(from);
  }
  if (outputs_.size() == 1) return values[outputs_[0]];
  for (Var& y : std::span<Var>(operands, gathered(outputs_).size())) y = reshape(y, {y.shape()[0], -1});
  return concatenate(std::span<const Var>(operands, outputs_.size()), 1);
}

}  // namespace cornu
