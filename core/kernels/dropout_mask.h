#pragma once

#include "cornu/core/random.h"
#include "cornu/core/tensor.h"

namespace cornu::detail {

/// Sets each element to 0 with probability `rate`, in [0, 1), else to 1 / (1 - rate). Takes one draw of rng for two
/// elements.
void fill_dropout_mask(View mask, double rate, Rng& rng);

}  // namespace cornu::detail
