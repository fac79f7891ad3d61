#pragma once

#include <array>

#include "cornu/core/ops/sequences.h"

/// Shared parts of the recurrent ops; internal to lstm.cpp and gru.cpp.
namespace cornu {

/// The operands of a recurrent op.
struct RecurrentOperands {
  Var x, kernel, recurrent_kernel, bias;  // the bias may be empty
  RecurrentState initial{};               // all or none of the op's states
};

/// Whether a recurrent op takes and returns states. Such an op has another name in traces, "lstm_with_state": its
/// initial states, if its attribute "initial_state" is true, follow the other operands, and its result is (batch, rows,
/// units) if it ends with a row for the cell.
enum class States { none, h, h_and_c };

/// A recurrence with checked shapes. Per-step data is stored in arrays (batch, steps, width), so that the product with
/// x and the gradient of each kernel are one GEMM over all rows; one step is a strided matrix.
/// A turn is a step in processing order: turn 0 is the last step if `go_backwards`.
struct Recurrence {
  Index batch = 0, steps = 0, features = 0, units = 0;
  Index width = 0;        // units of all gates together
  Index result_rows = 0;  // of a sample: states after steps, and the cell
  RecurrentOptions options;
  States states;
  Var mask;  // of x; at a masked step a sample keeps its state

  /// `gates`: gates per unit. `biases`: rows of the bias. Throws as documented for the ops.
  Recurrence(const char* who, Index gates, Index biases, const RecurrentOperands& operands, const RecurrentOptions& how,
             States given = States::none);

  Index rows() const { return batch * steps; }
  bool has_cell() const { return states == States::h_and_c; }
  /// The elements of the mask, (batch, steps); null without one.
  const Real* counts() const { return mask ? mask.value().data() : nullptr; }
  /// A new value on the tape for the op's result. `op`: its name, without and with states.
  Var output(std::array<const char*, 2> op, const RecurrentOperands& operands) const;
  /// The mask of the states after all steps, in processing order.
  Var mask_of_result() const;
  /// Takes the result of an op with states apart.
  RecurrentOutput parts(Var result) const;
  Index step(Index turn) const { return options.go_backwards ? steps - 1 - turn : turn; }
  /// One turn of an array (batch, steps, width).
  MatrixView part(const View& array, Index turn) const;

  /// x times the kernel, (rows, width), plus `bias` in each row unless it is null.
  View input_products(const RecurrentOperands& operands, const Real* bias) const;
  /// Computes the gradients of x and the kernel from the gradient of input_products.
  void backward(const RecurrentOperands& operands, const View& dproducts) const;

  /// Memory for the state h, which begins as `initial` or, if that is empty, as zeros: the result itself if that is
  /// only the last h.
  View state(Var y, Var initial) const;
  /// Copies the state after a turn, or the last cell, into the result.
  void put_state(const View& state, Index turn, Var y) const;
  void put_cell(const View& cell, Var y) const;
  /// Adds the part of dy that reaches the state after a turn, or the last cell, directly.
  void add_state_gradient(Var y, Index turn, const View& dstate) const;
  void add_cell_gradient(Var y, const View& dcell) const;
  /// The sink of the gradient of the state before a turn, in the memory of that after it: samples that the mask leaves
  /// out keep theirs.
  Sink gradient_before(const View& dstate, Index turn) const;

 private:
  void put_row(const View& state, Index row, Var y) const;
  void add_row_gradient(Var y, Index row, const View& dstate) const;
};

/// Copies `initial` to `state`; zeros if it is empty.
void begin_state(const View& state, Var initial);

}  // namespace cornu
