#include "cornu/layers/rnn/simple_rnn.h"

#include "cornu/layers/rnn/recurrent.h"

namespace cornu {

namespace {

RecurrentOutput by_steps(const SimpleRNN& layer, Var x, RecurrentState state) {
  const Var mask = detail::dropout_mask_of_state(x, layer.units, layer.recurrent_dropout);
  const auto next = [&](Var input, Var h, Var counts) {
    const Var fresh = layer.activation(detail::with_product(input, h, mask, layer.recurrent_kernel));
    return state.h = detail::next_state(counts, fresh, h);
  };
  const Var inputs = layer.use_bias ? affine(x, layer.kernel, layer.bias) : matmul(x, layer.kernel);
  const Var y = detail::each_step(inputs, layer.units, detail::recurrent_options(layer), next, state.h);
  return {y, state};
}

/// In a trace, one op if the activation has a name.
Var as_simple_rnn(const SimpleRNN& layer, Var x) {
  const auto stepped = [&] { return by_steps(layer, x, {}).y; };
  if (x.tape().recording() == nullptr) return stepped();
  const std::string activation = detail::activation_registry().find_name(layer.activation.function());
  if (activation.empty()) return stepped();
  return detail::composed_of("simple_rnn", layer, x, [&](const char* op, std::initializer_list<Operand> operands) {
    return composite(x.tape(),
                     {op,
                      {{"activation", activation.c_str()},
                       {"return_sequences", layer.return_sequences},
                       {"go_backwards", layer.go_backwards}}},
                     operands, stepped);
  });
}

}  // namespace

Shape SimpleRNN::build(const Shape& input, Rng& rng) {
  return detail::build_recurrent("SimpleRNN", *this, 1, 1, input, rng);
}

Var SimpleRNN::forward(Var x) const {
  detail::require_recurrent_input("SimpleRNN", kernel, x);
  return activity_regularizer.add_loss(as_simple_rnn(*this, detail::drop_features(x, dropout)));
}

RecurrentOutput SimpleRNN::forward(Var x, const RecurrentState& initial) const {
  detail::require_recurrent_input("SimpleRNN", kernel, x);
  detail::require_only_h("SimpleRNN", initial, x.shape()[0], units);
  RecurrentOutput output = by_steps(*this, detail::drop_features(x, dropout), initial);
  output.y = activity_regularizer.add_loss(output.y);
  return output;
}

NamedParameters SimpleRNN::parameters() { return detail::recurrent_parameters(*this); }

void SimpleRNN::pytorch(PyTorchModule& module) { detail::add_rnn_tensors(module, *this); }

}  // namespace cornu
