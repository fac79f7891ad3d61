#pragma once

#include "cornu/core/ops/sequences.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"
#include "cornu/layers/rnn/recurrent_options.h"

namespace cornu {

/// Gated recurrent unit; see core/ops/sequences.h for the formula, with `activation` for tanh and
/// `recurrent_activation` for sigmoid. Other activations are slower. Without `reset_after`, the reset gate is applied
/// to the state before its product with the recurrent kernel (Cho et al., 2014); that is slower, too.
/// Input: (batch, steps, in). Output: the last state, (batch, units); with `return_sequences` the state after each
/// step, (batch, steps, units), in processing order, which `go_backwards` reverses.
/// kernel: (in, 3 units), gates in the order z, r, h. recurrent_kernel: (units, 3 units). bias: (2, 3 units), one row
/// for the products with the input, one for those with the state; (3 units) without `reset_after`.
/// `dropout` and `recurrent_dropout` work as for LSTM; the mask of h leaves the state itself as it is.
/// Throws like LSTM. Building again creates new parameters for the new shape.
struct GRU {
  static constexpr LayerTraits traits{.keras_cell = "gru_cell"};

  Index units;
  Activation activation = tanh;
  Activation recurrent_activation = sigmoid;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer recurrent_initializer = orthogonal();
  Initializer bias_initializer = zeros;
  bool return_sequences = false;
  bool go_backwards = false;
  bool reset_after = true;
  Regularizer kernel_regularizer{}, recurrent_regularizer{}, bias_regularizer{}, activity_regularizer{};
  Constraint kernel_constraint{}, recurrent_constraint{}, bias_constraint{};
  double dropout = 0, recurrent_dropout = 0;
  Parameter kernel{}, recurrent_kernel{}, bias{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  /// The same from an initial state, `{h}`; also returns the last state. See LSTM.
  RecurrentOutput forward(Var x, const RecurrentState& initial) const;
  NamedParameters parameters();
  bool returns_last_step() const { return !return_sequences; }
  void pytorch(PyTorchModule& module);

  void options(auto& visit) {
    detail::visit_recurrent_options(*this, visit, [&] {
      visit("return_sequences", return_sequences);
      visit("go_backwards", go_backwards);
      visit("reset_after", reset_after);
    });
  }
};

}  // namespace cornu
