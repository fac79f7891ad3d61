#pragma once

#include <algorithm>

#include "cornu/core/autodiff/operand.h"
#include "cornu/core/kernels/kernels.h"

/// What the elementwise ops of two operands share. Internal.
namespace cornu::detail {

/// Two operands on their tape, and how they broadcast.
struct OperandPair {
  Var a, b;
  Shape shape;  ///< of the result
  Broadcast positions;

  /// name: of the op, in errors.
  OperandPair(const Operand& left, const Operand& right, const char* name)
      : OperandPair(left.on(tape_of(left, right)), right.on(tape_of(left, right)), name) {}

  Var output(const char* op) const {
    // An operand of lower rank gets new leading axes, so its first axis is not the first axis of the result.
    if (a.rank() < shape.rank()) a.mix_samples();
    if (b.rank() < shape.rank()) b.mix_samples();
    const Var y = a.tape().output(shape, {a, b}, op);
    for (const Var operand : {a, b}) {
      if (operand.rank() == y.rank()) y.masked_as(operand);
    }
    return y;
  }

 private:
  OperandPair(Var first, Var second, const char* name)
      : a(first), b(second), shape(broadcast(a.shape(), b.shape(), name)), positions(a.shape(), b.shape(), shape) {}
  static Tape& tape_of(const Operand& left, const Operand& right) {
    return left.tape() != nullptr ? *left.tape() : *right.tape();
  }
};

/// y[r, j] = Pair::value(a[r, j], b[r, j]) without a tape: a BinaryLoop (core/ops/loops.h).
template <class Pair>
void rows_loop(const Real* a, bool a_repeats, const Real* b, bool b_repeats, Index rows, Index width, Real* y) {
  const Index whole = a_repeats || b_repeats ? 1 : rows;  // rows that are computed as one
  vectorized([=, n = whole * width, count = rows / std::max(whole, Index{1})] {
    for (Index r = 0; r < count; ++r) {
      const Real *const from_a = a_repeats ? a : a + r * n, *const from_b = b_repeats ? b : b + r * n;
      Real* const to = y + r * n;
      for (Index j = 0; j < n; ++j) to[j] = Pair::value(from_a[j], from_b[j]);
    }
  });
}

/// In a rule: the gradient 0 of an operand whose value the result does not follow continuously. Not a product with the
/// gradient of the result, which may be infinite.
inline void add_zero_gradient(Var operand) {
  const Sink sink = operand.sink();
  if (sink && !sink.accumulates()) std::fill_n(sink.data(), sink.size(), Real{0});
}

}  // namespace cornu::detail
