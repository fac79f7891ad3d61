#pragma once

#include "cornu/core/ops/sequences.h"

/// Shared parts of the recurrent ops; internal to lstm.cpp and gru.cpp.
namespace cornu {

/// The operands of a recurrent op.
struct RecurrentOperands {
  Var x, kernel, recurrent_kernel, bias;  // the bias may be empty

  /// A new value of this shape on the tape, computed from the operands by the op of this name.
  Var output(const char* op, const Shape& shape, const RecurrentOptions& options) const;
};

/// A recurrence with checked shapes. Per-step data is stored in arrays (batch, steps, width), so that the product with
/// x and the gradient of each kernel are one GEMM over all rows; one step is a strided matrix.
/// A turn is a step in processing order: turn 0 is the last step if `go_backwards`.
struct Recurrence {
  Index batch = 0, steps = 0, features = 0, units = 0;
  Index width = 0;  // units of all gates together
  RecurrentOptions options;

  /// `gates`: gates per unit. `biases`: rows of the bias. Throws ShapeError as documented for the ops.
  Recurrence(const char* who, Index gates, Index biases, const RecurrentOperands& operands,
             const RecurrentOptions& how);

  Index rows() const { return batch * steps; }
  Shape result() const { return options.return_sequences ? Shape{batch, steps, units} : Shape{batch, units}; }
  Index step(Index turn) const { return options.go_backwards ? steps - 1 - turn : turn; }
  /// One turn of an array (batch, steps, width).
  MatrixView part(const View& array, Index turn) const;

  /// x times the kernel, (rows, width), plus `bias` in each row unless it is null.
  View input_products(const RecurrentOperands& operands, const Real* bias) const;
  /// Computes the gradients of x and the kernel from the gradient of input_products.
  void backward(const RecurrentOperands& operands, const View& dproducts) const;

  /// Zeroed memory for the state: the result itself if only the last state is returned.
  View state(Var y) const;
  /// Copies the state after a turn into the result.
  void put_state(const View& state, Index turn, Var y) const;
  /// Adds the part of dy that reaches the state after a turn directly.
  void add_state_gradient(Var y, Index turn, const View& dstate) const;
};

}  // namespace cornu
