#include "cornu/layers/merging/concatenate.h"

#include <algorithm>
#include <utility>

#include "cornu/core/error.h"

namespace cornu {

Concatenate::Concatenate(std::initializer_list<std::initializer_list<AnyLayer>> chains, Index axis)
    : Concatenate(std::vector<std::vector<AnyLayer>>(chains.begin(), chains.end()), axis) {}

Concatenate::Concatenate(std::vector<std::vector<AnyLayer>> chains, Index axis) : axis_(axis) {
  for (std::vector<AnyLayer>& layers : chains) {
    detail::Chain chain;
    chain.name = "Concatenate";
    const NamedLayers others = this->layers();
    for (AnyLayer& layer : layers) chain.insert(std::move(layer), others);
    chains_.push_back(std::move(chain));
  }
}

Shape Concatenate::build(const Shape& input, Rng& rng) {
  require<StateError>(!chains_.empty(), "Concatenate: there are no chains to build");
  std::vector<detail::Chain> chains = chains_;
  std::vector<Shape> made;
  for (detail::Chain& chain : chains) made.push_back(chain.layers.empty() ? input : chain.build(input, rng));

  const Shape& first = made.front();
  const Index rank = first.rank() + 1, axis = axis_ < 0 ? axis_ + rank : axis_;
  require(0 < axis && axis < rank,
          "Concatenate: axis is {}; samples of shape {} have axes 1 to {}, and axis 0 is the batch", axis_, first,
          first.rank());
  Index together = 0;
  for (const Shape& shape : made) {
    require(shape.rank() == first.rank() && shape.without(axis - 1) == first.without(axis - 1),
            "Concatenate: its chains return samples of shapes {} and {}; they must agree except along axis {}", first,
            shape, axis_);
    together += shape[axis - 1];
  }
  chains_ = std::move(chains);
  return first.with(axis - 1, together);
}

Var Concatenate::forward(Var x) const {
  // Allocated on the tape: the number of chains is a run-time value, and a pass must not allocate on the heap.
  auto* const values = static_cast<Var*>(x.tape().allocate(chains_.size() * sizeof(Var)));
  std::transform(chains_.begin(), chains_.end(), values,
                 [&](const detail::Chain& chain) { return chain.layers.empty() ? x : chain.forward(x); });
  return concatenate({values, chains_.size()}, axis_);
}

NamedLayers Concatenate::layers() {
  NamedLayers result;
  for (detail::Chain& chain : chains_) {
    for (const NamedLayer& named : chain.named_layers()) result.push_back(named);
  }
  return result;
}

}  // namespace cornu
