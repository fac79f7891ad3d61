#pragma once

#include <concepts>

#include "cornu/core/parameter.h"

namespace cornu {

/// Keeps what a layer has learnt: its parameters have no gradient and do not change, from the next pass on, nor does
/// its state (a moving mean). A layer is anything with `parameters()`: `freeze(model.get_layer("hidden"))`, a layer
/// itself, a whole model.
template <class L>
requires requires(L& layer) {
  { layer.parameters() } -> std::same_as<NamedParameters>;
}
void freeze(L& layer) {
  for (const NamedParameter& named : layer.parameters()) named.parameter->frozen = true;
}

/// Has a layer learn again; what is not trainable still does not.
template <class L>
requires requires(L& layer) {
  { layer.parameters() } -> std::same_as<NamedParameters>;
}
void unfreeze(L& layer) {
  for (const NamedParameter& named : layer.parameters()) named.parameter->frozen = false;
}

}  // namespace cornu
