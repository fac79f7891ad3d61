#pragma once

#include "cornu/core/parameter.h"

namespace cornu {

/// Clears a layer's parameters; the next build initialises them again, for inputs of any shape. Takes anything with
/// `parameters()`: a layer, `reset_parameters(model.get_layer("head"))`, or a whole model. Before the next use, call
/// `model.build(*model.input_shape())`, or put the layer into another model.
template <detail::HasParameters L>
void reset_parameters(L& layer) {
  for (const NamedParameter& named : layer.parameters()) named.parameter->value = Tensor();
}

}  // namespace cornu
