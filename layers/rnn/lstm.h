#pragma once

#include "cornu/core/ops/sequences.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"
#include "cornu/layers/rnn/recurrent_options.h"

namespace cornu {

/// Long short-term memory; see core/ops/sequences.h for the formula, with `activation` for tanh and
/// `recurrent_activation` for sigmoid. Other activations are slower.
/// Input: (batch, steps, in). Output: the last state, (batch, units); with `return_sequences` the state after each
/// step, (batch, steps, units), in processing order, which `go_backwards` reverses.
/// kernel: (in, 4 units), gates in the order i, f, c, o. recurrent_kernel: (units, 4 units). bias: (4 units);
/// `unit_forget_bias` sets the part of f to 1 (Jozefowicz, Zaremba and Sutskever, 2015).
/// `dropout` and `recurrent_dropout` drop elements of x_t and of h before their products with the kernels, in training,
/// and divide the others by 1 - rate. A pass has one mask for each sample, for all its steps and gates (Gal and
/// Ghahramani, 2016). With `recurrent_dropout`, training is slower.
/// Throws ValueError for units < 1 and rates outside [0, 1), ShapeError for samples that are not (steps, features) or
/// have other features than at build, StateError if the layer is not built. Building again creates new parameters for
/// the new shape.
struct LSTM {
  static constexpr LayerTraits traits{.keras_cell = "lstm_cell"};

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
  double dropout = 0, recurrent_dropout = 0;
  Parameter kernel{}, recurrent_kernel{}, bias{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  /// The same from an initial state, `{h, c}` or `{}` for zeros; also returns the last state, to continue from. For a
  /// layer of your own: const auto [y, state] = rnn.forward(x, {}).
  RecurrentOutput forward(Var x, const RecurrentState& initial) const;
  NamedParameters parameters();
  bool returns_last_step() const { return !return_sequences; }
  void pytorch(PyTorchModule& module);

  void options(auto& visit) {
    detail::visit_recurrent_options(*this, visit, [&] {
      visit("unit_forget_bias", unit_forget_bias);
      visit("return_sequences", return_sequences);
      visit("go_backwards", go_backwards);
    });
  }
};

}  // namespace cornu
