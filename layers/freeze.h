#pragma once

#include "cornu/core/parameter.h"

namespace cornu {

/// Excludes a layer's parameters from training: from the next pass on they get no gradient and do not change, and
/// neither does state such as a moving mean. Takes anything with `parameters()`: a layer,
/// `freeze(model.get_layer("hidden"))`, or a whole model.
template <detail::HasParameters L>
void freeze(L& layer) {
  for (const NamedParameter& named : layer.parameters()) named.parameter->frozen = true;
}

/// Undoes freeze. Parameters that are not trainable stay untrained.
template <detail::HasParameters L>
void unfreeze(L& layer) {
  for (const NamedParameter& named : layer.parameters()) named.parameter->frozen = false;
}

}  // namespace cornu
