#pragma once

#include "cornu/core/compiler.h"
#include "cornu/core/tensor.h"

/// Single steps of the ops on sequences, for one sequence that is not known as a whole. The memory of the sequence and
/// the scratch memory are the caller's.
namespace cornu::detail {

/// A loop over n elements: y[i] = f(x[i]). y may be x.
using PointwiseLoop = void (*)(const Real* x, Index n, Real* y);

/// `columns` rounded up to a cache line, which is a whole number of vectors on every processor.
constexpr Index padded_columns(Index columns) {
  constexpr Index line = 64 / static_cast<Index>(sizeof(Real));
  return (columns + line - 1) / line * line;
}

/// The columns [first, first + count) of a matrix (or of a row of numbers), with rows padded by zeros to
/// padded_columns(count).
Tensor padded_part(ConstView matrix, Index first, Index count);

/// Causal attention over the last `window` steps. q, k: (rows, heads, key_size), v: (rows, heads, value_size), y as v.
/// State: the keys (heads, key_size, padded window), the values (window, heads, value_size), then the number of steps
/// remembered and the place of the next one.
struct AttentionSteps {
  Index heads = 0, key_size = 0, value_size = 0, window = 0;

  Index state_size() const { return heads * (key_size * padded_columns(window) + window * value_size) + 2; }
  Index scratch_size() const { return padded_columns(window); }
  void run(const Real* q, const Real* k, const Real* v, Index rows, Real* state, Real* scratch, Real* y) const;
};

}  // namespace cornu::detail
