#include "cornu/layers/rnn/gru.h"

#include "cornu/layers/rnn/recurrent.h"

namespace cornu {

namespace {

/// GRU from smaller ops, for any activations and both positions of the reset gate.
Var by_steps(const GRU& layer, Var x, const RecurrentOptions& how) {
  const Index units = layer.units;
  const Activation &activation = layer.activation, &recurrent_activation = layer.recurrent_activation;
  Tape& tape = x.tape();
  const Var recurrent = tape.parameter(layer.recurrent_kernel);
  const auto part = [units](Var gates, Index first, Index last) {
    return slice_axis(gates, -1, first * units, last * units);
  };
  Var inputs, row;  // row: the bias of the products with the state
  if (layer.use_bias && layer.reset_after) {
    const Var rows = tape.parameter(layer.bias);
    row = reshape(slice_axis(rows, 0, 1, 2), {3 * units});
    inputs = affine(x, layer.kernel, reshape(slice_axis(rows, 0, 0, 1), {3 * units}));
  } else {
    inputs = layer.use_bias ? affine(x, layer.kernel, layer.bias) : matmul(x, layer.kernel);
  }
  const Var of_gates = part(recurrent, 0, 2), of_candidate = part(recurrent, 2, 3);
  return detail::each_step(inputs, units, how, [&](Var input, Var h) {
    const Var products = !layer.reset_after ? matmul(h, of_gates)
                         : row              ? affine(h, recurrent, row)
                                            : matmul(h, recurrent);
    const auto gate = [&](Index i) { return recurrent_activation(part(input, i, i + 1) + part(products, i, i + 1)); };
    const Var keep = gate(0), reset = gate(1);
    const Var inner = layer.reset_after ? reset * part(products, 2, 3) : matmul(reset * h, of_candidate);
    return keep * h + (1 - keep) * activation(part(input, 2, 3) + inner);
  });
}

}  // namespace

Shape GRU::build(const Shape& input, Rng& rng) {
  return detail::build_recurrent("GRU", *this, 3, reset_after ? 2 : 1, input, rng);
}

Var GRU::forward(Var x) const {
  detail::require_recurrent_input("GRU", kernel, x);
  const RecurrentOptions how = detail::recurrent_options(*this);
  const bool is_usual = reset_after && detail::are_usual(activation, recurrent_activation);
  return activity_regularizer.add_loss(!is_usual  ? by_steps(*this, x, how)
                                       : use_bias ? gru(x, kernel, recurrent_kernel, bias, how)
                                                  : gru(x, kernel, recurrent_kernel, how));
}

NamedParameters GRU::parameters() { return detail::recurrent_parameters(*this); }

}  // namespace cornu
