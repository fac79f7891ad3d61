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

/// out = x matrix + bias for one row x of `count` elements and a matrix (count, columns) with rows of `step` elements,
/// a whole number of vectors. Whole vectors are read and written.
void row_product(const Real* x, Index count, const Real* matrix, Index step, const Real* bias, Index columns,
                 Real* out);

/// What the recurrent layers have in common: x is (rows, inputs), y is (rows, units). Kernels are (inputs, columns) and
/// (units, columns) with padded rows, biases are padded rows.
struct RecurrentSteps {
  Index inputs = 0, units = 0;

  Index width() const { return padded_columns(units); }
};

/// Long short-term memory. State: h and c, of width() each. Gates in the order i, f, o, g.
struct LstmSteps : RecurrentSteps {
  const Real *kernel = nullptr, *recurrent_kernel = nullptr, *bias = nullptr;
  PointwiseLoop activation = nullptr, recurrent_activation = nullptr;  ///< null: tanh and sigmoid

  Index state_size() const { return 2 * width(); }
  Index scratch_size() const { return padded_columns(4 * units) + width(); }
  void run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const;
};

/// Gated recurrent unit. State: h, of width().
struct GruSteps : RecurrentSteps {
  /// Of the gates z and r (2 units), and of the candidate (units).
  const Real *gates_kernel = nullptr, *gates_recurrent = nullptr, *gates_bias = nullptr;
  const Real *kernel = nullptr, *recurrent_kernel = nullptr, *bias = nullptr, *recurrent_bias = nullptr;
  bool reset_after = true;
  PointwiseLoop activation = nullptr, recurrent_activation = nullptr;  ///< null: tanh and sigmoid

  Index state_size() const { return width(); }
  Index scratch_size() const { return padded_columns(2 * units) + 4 * width(); }
  void run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const;
};

/// h = f(x kernel + h recurrent_kernel + bias). State: h, of width().
struct SimpleRnnSteps : RecurrentSteps {
  const Real *kernel = nullptr, *recurrent_kernel = nullptr, *bias = nullptr;
  PointwiseLoop activation = nullptr;  ///< null: tanh

  Index state_size() const { return width(); }
  Index scratch_size() const { return width(); }
  void run(const Real* x, Index rows, Real* state, Real* scratch, Real* y) const;
};

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
