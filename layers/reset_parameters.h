#pragma once

#include <concepts>

#include "cornu/core/parameter.h"

namespace cornu {

/// Forgets what a layer has learnt: its parameters are empty, and the next build initialises them anew, for inputs of
/// any shape. A layer is anything with `parameters()`: `reset_parameters(model.get_layer("head"))`, a layer itself, a
/// whole model. Until then it cannot be used; call `model.build(*model.input_shape())`, or put it into another model.
template <class L>
requires requires(L& layer) {
  { layer.parameters() } -> std::same_as<NamedParameters>;
}
void reset_parameters(L& layer) {
  for (const NamedParameter& named : layer.parameters()) named.parameter->value = Tensor();
}

}  // namespace cornu
