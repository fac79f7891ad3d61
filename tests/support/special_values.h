#pragma once

#include <limits>

#include "cornu/core/tensor.h"

namespace cornu::testing {

inline constexpr Real infinity = std::numeric_limits<Real>::infinity();
inline constexpr Real nan = std::numeric_limits<Real>::quiet_NaN();

}  // namespace cornu::testing
