#pragma once

#include <initializer_list>
#include <vector>

#include "cornu/layers/chain.h"

namespace cornu {

/// What several chains of layers make of one input, one beside the other along an axis:
/// `Concatenate{{Dense{8}}, {Dense{8, relu}, Dense{4}}}` makes 12 features. An empty chain is the input itself.
/// `axis` counts the batch, as in Keras: 1 is a sample's first axis, -1 the last one. All other dimensions must agree.
/// The layers are named as in one Sequential; throws ValueError for a name that is taken twice.
/// build throws ShapeError for an axis that is not there or is the batch and for shapes that do not fit, StateError if
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
