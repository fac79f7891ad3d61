#pragma once

#include <cstdint>

#include "cornu/core/random.h"
#include "cornu/core/tensor.h"

namespace cornu::testing {

inline Tensor normal(const Shape& shape, std::uint64_t seed = 5) {
  Tensor result(shape);
  Rng(seed).fill_normal(result, 0, 1);
  return result;
}

inline Tensor uniform(const Shape& shape, std::uint64_t seed, Real low = -1, Real high = 1) {
  Tensor result(shape);
  Rng(seed).fill_uniform(result, low, high);
  return result;
}

/// The values first, first + 1, ...
inline Tensor counted(const Shape& shape, Index first = 0) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<Real>(first + i);
  return result;
}

}  // namespace cornu::testing
