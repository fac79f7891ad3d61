#include "cornu/layers/rnn/gru.h"

#include <array>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/layers/pytorch/pytorch_module.h"
#include "cornu/layers/rnn/recurrent.h"

namespace cornu {

namespace {

/// GRU from smaller ops, for any activations, both positions of the reset gate, and with a mask of the state.
RecurrentOutput by_steps(const GRU& layer, Var x, RecurrentState state) {
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
  const Var of_gates = part(recurrent, 0, 2), of_candidate = part(recurrent, 2, 3),
            mask = detail::dropout_mask_of_state(x, units, layer.recurrent_dropout);
  const auto next = [&](Var input, Var h, Var counts) {
    const Var seen = h ? detail::masked(h, mask) : h;
    const Var products = !h                   ? row  // of zeros
                         : !layer.reset_after ? matmul(seen, of_gates)
                         : row                ? affine(seen, recurrent, row)
                                              : matmul(seen, recurrent);
    const auto gate = [&](Index i) {
      const Var own = part(input, i, i + 1);
      return recurrent_activation(products ? own + part(products, i, i + 1) : own);
    };
    const Var keep = gate(0), reset = gate(1);
    Var candidate = part(input, 2, 3);
    if (layer.reset_after && products) candidate = candidate + reset * part(products, 2, 3);
    if (!layer.reset_after && h) candidate = candidate + matmul(reset * seen, of_candidate);
    candidate = (1 - keep) * activation(candidate);
    const Var fresh = h ? keep * h + candidate : candidate;
    return state.h = detail::next_state(counts, fresh, h);
  };
  const Var y = detail::each_step(inputs, units, detail::recurrent_options(layer), next, state.h);
  return {y, state};
}

constexpr std::array<Index, 3> pytorch_gates{1, 0, 2};  // r, z, n

/// Splits a (rows, 3 units) kernel into the gates' columns, transposes them and stacks them in PyTorch's order.
void add_pytorch_gates(PyTorchModule& module, const char* name, Parameter& kernel, Index units) {
  const Index rows = kernel.shape()[0], columns = kernel.shape()[1];
  std::vector<detail::Piece> pieces;
  for (const Index gate : pytorch_gates) pieces.push_back({&kernel, gate * units, {{units, 1}, {rows, columns}}});
  module.add(name, {columns, rows}, std::move(pieces));
}

}  // namespace

Shape GRU::build(const Shape& input, Rng& rng) {
  return detail::build_recurrent("GRU", *this, 3, reset_after ? 2 : 1, input, rng);
}

Var GRU::forward(Var x) const {
  detail::require_recurrent_input("GRU", kernel, x);
  const RecurrentOptions how = detail::recurrent_options(*this);
  x = detail::drop_features(x, dropout);
  if (reset_after && detail::is_usual(*this, x)) {
    return activity_regularizer.add_loss(use_bias ? gru(x, kernel, recurrent_kernel, bias, how)
                                                  : gru(x, kernel, recurrent_kernel, how));
  }
  const auto stepped = [&] { return by_steps(*this, x, {}).y; };
  return activity_regularizer.add_loss(detail::as_one_op("gru_by_steps", *this, x, reset_after, stepped));
}

RecurrentOutput GRU::forward(Var x, const RecurrentState& initial) const {
  detail::require_recurrent_input("GRU", kernel, x);
  detail::require_only_h("GRU", initial, x.shape()[0], units);
  const RecurrentOptions how = detail::recurrent_options(*this);
  x = detail::drop_features(x, dropout);
  RecurrentOutput output = !reset_after || !detail::is_usual(*this, x) ? by_steps(*this, x, initial)
                           : use_bias ? gru(x, initial, kernel, recurrent_kernel, bias, how)
                                      : gru(x, initial, kernel, recurrent_kernel, how);
  output.y = activity_regularizer.add_loss(output.y);
  return output;
}

NamedParameters GRU::parameters() { return detail::recurrent_parameters(*this); }

void GRU::pytorch(PyTorchModule& module) {
  require<ValueError>(reset_after,
                      "reset_after is false; PyTorch's GRU resets after the product with the recurrent kernel");
  add_pytorch_gates(module, "weight_ih_l0", kernel, units);
  add_pytorch_gates(module, "weight_hh_l0", recurrent_kernel, units);
  if (!use_bias) return;
  for (const Index row : {0, 1}) {
    std::vector<detail::Piece> pieces;
    for (const Index gate : pytorch_gates) pieces.push_back({&bias, (3 * row + gate) * units, {{units, 1}}});
    module.add(row == 0 ? "bias_ih_l0" : "bias_hh_l0", {3 * units}, std::move(pieces));
  }
}

}  // namespace cornu
