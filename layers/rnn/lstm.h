#pragma once

#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// Long short-term memory: what a sequence leaves in a state of `units` numbers (core/ops/sequences.h has the formula,
/// in which `activation` stands for tanh and `recurrent_activation` for sigmoid; with others it is slower).
/// Input: (batch, steps, in). Output: the last state, (batch, units), or with `return_sequences` that after every step,
/// (batch, steps, units), with `go_backwards` in the order in which they were gone through.
/// kernel: (in, 4 units), the gates in the order i, f, c, o. recurrent_kernel: (units, 4 units). bias: (4 units), with
/// `unit_forget_bias` 1 for f (Jozefowicz, Zaremba and Sutskever, 2015).
/// Throws ValueError for units < 1, ShapeError for samples that are not (steps, features) or of other features than it
/// was built for, StateError if it was not built. Building again makes new parameters for the new shape.
struct LSTM {
  Index units;
  Activation activation = tanh;
  Activation recurrent_activation = sigmoid;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer recurrent_initializer = orthogonal();
  Initializer bias_initializer = zeros;
  bool unit_forget_bias = true;
  bool return_sequences = false;
  bool go_backwards = false;
  Regularizer kernel_regularizer{}, recurrent_regularizer{}, bias_regularizer{}, activity_regularizer{};
  Constraint kernel_constraint{}, recurrent_constraint{}, bias_constraint{};
  Parameter kernel{}, recurrent_kernel{}, bias{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();

  void options(auto& visit) {
    visit("units", units);
    visit("activation", activation);
    visit("recurrent_activation", recurrent_activation);
    visit("use_bias", use_bias);
    visit("kernel_initializer", kernel_initializer);
    visit("recurrent_initializer", recurrent_initializer);
    visit("bias_initializer", bias_initializer);
    visit("unit_forget_bias", unit_forget_bias);
    visit("return_sequences", return_sequences);
    visit("go_backwards", go_backwards);
    visit("kernel_regularizer", kernel_regularizer);
    visit("recurrent_regularizer", recurrent_regularizer);
    visit("bias_regularizer", bias_regularizer);
    visit("activity_regularizer", activity_regularizer);
    visit("kernel_constraint", kernel_constraint);
    visit("recurrent_constraint", recurrent_constraint);
    visit("bias_constraint", bias_constraint);
  }
};

}  // namespace cornu
