#pragma once

#include "cornu/core/ops/sequences.h"

/// What recurrent ops have in common: for the files that define them.
namespace cornu {

/// The operands of a recurrent op.
struct RecurrentOperands {
  Var x, kernel, recurrent_kernel, bias;  // the bias may be empty

  /// The value that the op makes of them.
  Var output(const Shape& shape) const;
};

/// A checked recurrence. What belongs to the steps is kept in arrays (batch, steps, width), so that the products with x
/// and the gradients of the kernels are one product each, over all rows; the part of a step is a matrix with a stride.
/// Steps are gone through in turns: turn 0 is the last step where it goes backwards.
struct Recurrence {
  Index batch = 0, steps = 0, features = 0, units = 0;
  Index width = 0;  // of the rows of all gates
  RecurrentOptions options;

  /// Throws as the ops tell: so many gates, and so many rows of biases.
  Recurrence(const char* who, Index gates, Index biases, const RecurrentOperands& operands,
             const RecurrentOptions& how);

  Index rows() const { return batch * steps; }
  Shape result() const { return options.return_sequences ? Shape{batch, steps, units} : Shape{batch, units}; }
  Index step(Index turn) const { return options.go_backwards ? steps - 1 - turn : turn; }
  /// What belongs to a turn of an array (batch, steps, width).
  MatrixView part(const View& array, Index turn) const;

  /// (rows, width): the rows of x times the kernel; each plus `bias`, unless it is null.
  View input_products(const RecurrentOperands& operands, const Real* bias) const;
  /// The gradients of x and of the kernel, given that of input_products.
  void backward(const RecurrentOperands& operands, const View& dproducts) const;

  /// Memory for the state: the result's, where that is all that is returned.
  View state(Var y) const;
  /// Gives the state after a turn its place in the result.
  void put_state(const View& state, Index turn, Var y) const;
  /// Adds what the gradient of the result tells of the state after a turn.
  void add_state_gradient(Var y, Index turn, const View& dstate) const;
};

}  // namespace cornu
