#include "cornu/core/kernels/sequence_steps.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/kernels/vectorized.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

namespace cornu::detail {

Tensor padded_part(ConstView matrix, Index first, Index count) {
  const Index columns = matrix.shape()[-1], rows = matrix.size() / columns, width = padded_columns(count);
  Tensor result(Shape{rows, width});
  for (Index i = 0; i < rows; ++i) {
    std::copy_n(matrix.data() + i * columns + first, count, result.data() + i * width);
  }
  return result;
}

void AttentionSteps::run(const Real* q, const Real* k, const Real* v, Index rows, Real* state, Real* scratch,
                         Real* y) const {
  const Index slots = padded_columns(window), key_row = heads * key_size, value_row = heads * value_size;
  Real *const keys = state, *const values = state + key_row * slots, *const counts = values + window * value_row;
  const Real scale = 1 / std::sqrt(static_cast<Real>(key_size));
  for (Index row = 0; row < rows; ++row, q += key_row, k += key_row, v += value_row, y += value_row) {
    const auto place = static_cast<Index>(counts[1]), known = std::min(static_cast<Index>(counts[0]) + 1, window);
    for (Index i = 0; i < key_row; ++i) keys[i * slots + place] = k[i];
    std::copy_n(v, value_row, values + place * value_row);
    counts[0] = static_cast<Real>(known);
    counts[1] = static_cast<Real>(place + 1 == window ? 0 : place + 1);
    vectorized([=, self = *this] {
      for (Index head = 0; head < self.heads; ++head) {
        const Real *const query = q + head * self.key_size, *const of_head = keys + head * self.key_size * slots;
        for (Index s = 0; s < known; ++s) scratch[s] = 0;
        for (Index i = 0; i < self.key_size; ++i) {
          const Real number = query[i] * scale;
          const Real* const key = of_head + i * slots;
#pragma GCC ivdep
          for (Index s = 0; s < known; ++s) scratch[s] += number * key[s];
        }
        Real peak = scratch[0], sum = 0;
        for (Index s = 1; s < known; ++s) peak = scratch[s] > peak || scratch[s] != scratch[s] ? scratch[s] : peak;
        for (Index s = 0; s < known; ++s) scratch[s] = math::exp(scratch[s] - peak);
        for (Index s = 0; s < known; ++s) sum += scratch[s];
        Real* const out = y + head * self.value_size;
        for (Index i = 0; i < self.value_size; ++i) out[i] = 0;
        for (Index s = 0; s < known; ++s) {
          const Real weight = scratch[s] / sum;
          const Real* const value = values + s * value_row + head * self.value_size;
#pragma GCC ivdep
          for (Index i = 0; i < self.value_size; ++i) out[i] += weight * value[i];
        }
      }
    });
  }
}

}  // namespace cornu::detail

#pragma GCC diagnostic pop
