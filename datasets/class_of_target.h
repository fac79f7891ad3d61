#pragma once

#include <cmath>

#include "cornu/core/tensor.h"

namespace cornu::detail {

/// True if a target is a distribution over n classes, one-hot or smoothed: no negative element, and a sum of 1.
inline bool is_distribution(const Real* target, Index n) {
  double sum = 0;
  for (Index c = 0; c < n; ++c) {
    if (!(target[c] >= 0)) return false;
    sum += static_cast<double>(target[c]);
  }
  return std::abs(sum - 1) <= 1e-3;
}

}  // namespace cornu::detail
