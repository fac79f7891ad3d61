#pragma once

#include "cornu/core/autodiff/operand.h"

/// Ops on batches of sequences, (batch, steps, features). As in ops.h, each is one function with its gradient, which is
/// computed through all steps. At a step that the mask of x leaves out (core/ops/masks.h), a sequence keeps its state.
namespace cornu {

struct RecurrentOptions {
  bool return_sequences = false;  ///< return the state after every step, (batch, steps, units), not only the last
  bool go_backwards = false;      ///< process the last step first; returned sequences are in that order
};

/// The state of a recurrent op between two steps, (batch, units) each. An empty Var is zeros.
struct RecurrentState {
  Var h{};
  Var c{};  ///< the cell of lstm
};

/// What a recurrent op returns, and its state after the last step it has processed.
struct RecurrentOutput {
  Var y;
  RecurrentState state;
};

/// Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers, Schmidhuber and Cummins, 2000), from h = c = 0:
///     i, f, g, o = parts of (x_t kernel + h recurrent_kernel + bias)
///     c = sigmoid(f) c + sigmoid(i) tanh(g),  h = sigmoid(o) tanh(c)
/// x: (batch, steps, in), kernel: (in, 4 units), recurrent_kernel: (units, 4 units), bias: (4 units).
/// Returns h: (batch, units), or (batch, steps, units). The first step skips the product with h = 0, so a NaN in
/// recurrent_kernel does not affect it. Throws ShapeError, naming the shapes, if they do not match or steps is 0.
Var lstm(Var x, Operand kernel, Operand recurrent_kernel, Operand bias, const RecurrentOptions& options = {});
Var lstm(Var x, Operand kernel, Operand recurrent_kernel, const RecurrentOptions& options = {});

/// The same from an initial state, as Keras's `initial_state` and `return_state`. All states have gradients.
/// Throws ShapeError for an initial state of another shape than (batch, units).
RecurrentOutput lstm(Var x, const RecurrentState& initial, Operand kernel, Operand recurrent_kernel, Operand bias,
                     const RecurrentOptions& options = {});
RecurrentOutput lstm(Var x, const RecurrentState& initial, Operand kernel, Operand recurrent_kernel,
                     const RecurrentOptions& options = {});

/// Gated recurrent unit (Cho et al., 2014), from h = 0, with Keras's reset_after: r scales the product, not its input.
///     z, r, a = parts of (x_t kernel + bias[0]),  z', r', a' = parts of (h recurrent_kernel + bias[1])
///     h = s h + (1 - s) tanh(a + sigmoid(r + r') a'),  s = sigmoid(z + z')
/// x: (batch, steps, in), kernel: (in, 3 units), recurrent_kernel: (units, 3 units), bias: (2, 3 units).
/// Returns and throws as lstm.
Var gru(Var x, Operand kernel, Operand recurrent_kernel, Operand bias, const RecurrentOptions& options = {});
Var gru(Var x, Operand kernel, Operand recurrent_kernel, const RecurrentOptions& options = {});

/// The same from an initial state, as for lstm. Throws ValueError if the state has a c.
RecurrentOutput gru(Var x, const RecurrentState& initial, Operand kernel, Operand recurrent_kernel, Operand bias,
                    const RecurrentOptions& options = {});
RecurrentOutput gru(Var x, const RecurrentState& initial, Operand kernel, Operand recurrent_kernel,
                    const RecurrentOptions& options = {});

}  // namespace cornu
