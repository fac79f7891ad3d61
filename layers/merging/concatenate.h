#pragma once

#include <initializer_list>
#include <vector>

#include "cornu/layers/chain.h"

namespace cornu {

/// Applies several chains of layers to the same input and concatenates their outputs along `axis`:
/// `Concatenate{{Dense{8}}, {Dense{8, relu}, Dense{4}}}` returns 12 features. An empty chain is the identity.
/// As in Keras, the batch axis counts: 1 is a sample's first axis, -1 the last. All other axes must agree.
/// Layer names are unique across all chains; throws ValueError for a duplicate name.
/// build throws ShapeError for an axis out of range, for the batch axis and for shapes that do not match, StateError if
/// there are no chains.
class Concatenate {
 public:
  Concatenate() = default;
  Concatenate(std::initializer_list<std::initializer_list<AnyLayer>> chains, Index axis = -1);
  explicit Concatenate(std::vector<std::vector<AnyLayer>> chains, Index axis = -1);

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedLayers layers();
  NamedParameters parameters() { return detail::parameters_of(layers()); }
  void options(auto& visit) {
    visit("chains", chains_);
    visit("axis", axis_);
  }

 private:
  std::vector<detail::Chain> chains_;
  Index axis_ = -1;
};

}  // namespace cornu
