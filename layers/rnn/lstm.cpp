#include "cornu/layers/rnn/lstm.h"

#include "cornu/layers/rnn/recurrent.h"

namespace cornu {

namespace {

/// LSTM from smaller ops, for any activations and with a mask of the state.
RecurrentOutput by_steps(const LSTM& layer, Var x, RecurrentState state) {
  const Index units = layer.units;
  const Activation &activation = layer.activation, &recurrent_activation = layer.recurrent_activation;
  const Var mask = detail::dropout_mask_of_state(x, units, layer.recurrent_dropout);
  const auto next = [&](Var input, Var h, Var counts) {
    const Var gates = detail::with_product(input, h, mask, layer.recurrent_kernel);
    const auto gate = [&](Index number) { return slice_axis(gates, 1, number * units, (number + 1) * units); };
    const Var added = recurrent_activation(gate(0)) * activation(gate(2));
    const Var c = state.c ? recurrent_activation(gate(1)) * state.c + added : added;
    state.c = detail::next_state(counts, c, state.c);
    return state.h = detail::next_state(counts, recurrent_activation(gate(3)) * activation(c), h);
  };
  const Var inputs = layer.use_bias ? affine(x, layer.kernel, layer.bias) : matmul(x, layer.kernel);
  const Var y = detail::each_step(inputs, units, detail::recurrent_options(layer), next, state.h);
  return {y, state};
}

}  // namespace

Shape LSTM::build(const Shape& input, Rng& rng) {
  const Shape output = detail::build_recurrent("LSTM", *this, 4, 1, input, rng);
  if (use_bias && unit_forget_bias) std::fill_n(bias.value.begin() + units, units, Real{1});
  return output;
}

Var LSTM::forward(Var x) const {
  detail::require_recurrent_input("LSTM", kernel, x);
  const RecurrentOptions how = detail::recurrent_options(*this);
  x = detail::drop_features(x, dropout);
  if (detail::is_usual(*this, x)) {
    return activity_regularizer.add_loss(use_bias ? lstm(x, kernel, recurrent_kernel, bias, how)
                                                  : lstm(x, kernel, recurrent_kernel, how));
  }
  const auto stepped = [&] { return by_steps(*this, x, {}).y; };
  return activity_regularizer.add_loss(detail::as_one_op("lstm_by_steps", *this, x, false, stepped));
}

RecurrentOutput LSTM::forward(Var x, const RecurrentState& initial) const {
  detail::require_recurrent_input("LSTM", kernel, x);
  detail::require_state("LSTM", initial.h, x.shape()[0], units);
  detail::require_state("LSTM", initial.c, x.shape()[0], units);
  const RecurrentOptions how = detail::recurrent_options(*this);
  x = detail::drop_features(x, dropout);
  RecurrentOutput output = !detail::is_usual(*this, x) ? by_steps(*this, x, initial)
                           : use_bias                  ? lstm(x, initial, kernel, recurrent_kernel, bias, how)
                                                       : lstm(x, initial, kernel, recurrent_kernel, how);
  output.y = activity_regularizer.add_loss(output.y);
  return output;
}

NamedParameters LSTM::parameters() { return detail::recurrent_parameters(*this); }

// PyTorch's order of the gates is the same.
void LSTM::pytorch(PyTorchModule& module) { detail::add_rnn_tensors(module, *this); }

}  // namespace cornu
