#pragma once

#include "cornu/core/ops/sequences.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"
#include "cornu/layers/rnn/recurrent_options.h"

namespace cornu {

/// Simple recurrent layer (Elman, 1990), from h = 0: h = activation(x_t kernel + h recurrent_kernel + bias).
/// Input: (batch, steps, in). Output: the last state, (batch, units); with `return_sequences` the state after each
/// step, (batch, steps, units), in processing order, which `go_backwards` reverses.
/// kernel: (in, units). recurrent_kernel: (units, units). bias: (units).
/// `dropout` and `recurrent_dropout` work as for LSTM. Throws like LSTM.
/// Building again creates new parameters for the new shape.
struct SimpleRNN {
  static constexpr LayerTraits traits{.keras_cell = "simple_rnn_cell"};

  Index units;
  Activation activation = tanh;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer recurrent_initializer = orthogonal();
  Initializer bias_initializer = zeros;
  bool return_sequences = false;
  bool go_backwards = false;
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
    });
  }
};

}  // namespace cornu
