#pragma once

#include "cornu/core/tensor.h"

/// Probabilities as the cross-entropies read them; internal to optim.
namespace cornu::detail {

inline constexpr Real smallest_probability = Real(1e-7);

inline Real clipped(Real p) {
  const Real low = smallest_probability, high = 1 - smallest_probability;
  return p < low ? low : p > high ? high : p;
}
inline bool is_clipped(Real p) { return p < smallest_probability || p > 1 - smallest_probability; }

}  // namespace cornu::detail
