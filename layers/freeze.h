#pragma once

#include <concepts>

#include "cornu/core/parameter.h"

namespace cornu {

/// Keeps what a layer has learnt: its parameters have no gradient and do not change, from the next pass on. A layer is
/// anything with `parameters()`: `freeze(model.get_layer("hidden"))`, a layer itself, a whole model.
/// State that its own layer never trains (a moving mean) is left as it is, here and by `unfreeze`.
template <class L>
requires requires(L& layer) {
  { layer.parameters() } -> std::same_as<NamedParameters>;
}
void freeze(L& layer) {
  for (const NamedParameter& named : layer.parameters()) {
    named.parameter->frozen = named.parameter->frozen || named.parameter->trainable;
    named.parameter->trainable = false;
  }
}

/// Has a layer learn again what `freeze` keeps it from.
template <class L>
requires requires(L& layer) {
  { layer.parameters() } -> std::same_as<NamedParameters>;
}
void unfreeze(L& layer) {
  for (const NamedParameter& named : layer.parameters()) {
    named.parameter->trainable = named.parameter->trainable || named.parameter->frozen;
    named.parameter->frozen = false;
  }
}

}  // namespace cornu
