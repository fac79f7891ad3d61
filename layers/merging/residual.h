#pragma once

#include <initializer_list>
#include <utility>
#include <vector>

#include "cornu/layers/chain.h"

namespace cornu {

/// y = x + f(x), where f is a chain of layers: `Residual{Dense{64, relu}, Dense{64}}` (He, Zhang, Ren and Sun, 2016).
/// Any shape that f keeps. Layers are named as in a Sequential; throws ValueError for a duplicate name.
/// build throws ShapeError if f changes the shape, StateError if there are no layers.
class Residual {
 public:
  static constexpr LayerTraits traits{.adds_input = true, .pytorch_numbers_layers = true};

  Residual() : Residual(std::vector<AnyLayer>{}) {}
  Residual(std::initializer_list<AnyLayer> layers) : Residual(std::vector<AnyLayer>(layers)) {}
  explicit Residual(std::vector<AnyLayer> layers);

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const { return x + chain_.forward(x); }
  NamedLayers layers() { return chain_.named_layers(); }
  NamedParameters parameters() { return chain_.parameters(); }
  std::optional<Shape> input_shape() const { return chain_.input_shape(); }
  void options(auto& visit) { chain_.options(visit); }

 private:
  detail::Chain chain_;
};

}  // namespace cornu
