#include "cornu/layers/rnn/lstm.h"

#include "cornu/layers/rnn/recurrent.h"

namespace cornu {

Shape LSTM::build(const Shape& input, Rng& rng) {
  detail::require_recurrent_options("LSTM", units, kernel_initializer, recurrent_initializer, bias_initializer, input);
  const Index gates = Shape{4, units}.size();  // throws on overflow
  // Use temporaries: if an initializer throws, the layer is unchanged.
  Tensor new_kernel({input[1], gates}), new_recurrent({units, gates}), new_bias;
  kernel_initializer(new_kernel, rng);
  recurrent_initializer(new_recurrent, rng);
  if (use_bias) {
    new_bias = Tensor(Shape{gates});
    bias_initializer(new_bias, rng);
    if (unit_forget_bias) std::fill_n(new_bias.begin() + units, units, Real{1});
  }
  kernel.become(std::move(new_kernel), kernel_regularizer, kernel_constraint);
  recurrent_kernel.become(std::move(new_recurrent), recurrent_regularizer, recurrent_constraint);
  bias.become(std::move(new_bias), bias_regularizer, bias_constraint);
  return return_sequences ? Shape{input[0], units} : Shape{units};
}

Var LSTM::forward(Var x) const {
  detail::require_recurrent_input("LSTM", kernel, x);
  const RecurrentOptions how{.return_sequences = return_sequences, .go_backwards = go_backwards};
  if (detail::are_usual(activation, recurrent_activation)) {
    return activity_regularizer.add_loss(use_bias ? lstm(x, kernel, recurrent_kernel, bias, how)
                                                  : lstm(x, kernel, recurrent_kernel, how));
  }
  Var c;
  const auto next = [&](Var input, Var h) {
    const Var gates = input + matmul(h, recurrent_kernel);
    const auto gate = [&](Index number) { return slice_axis(gates, 1, number * units, (number + 1) * units); };
    const Var added = recurrent_activation(gate(0)) * activation(gate(2));
    c = c ? recurrent_activation(gate(1)) * c + added : added;
    return recurrent_activation(gate(3)) * activation(c);
  };
  return activity_regularizer.add_loss(
      detail::each_step(use_bias ? affine(x, kernel, bias) : matmul(x, kernel), units, how, next));
}

NamedParameters LSTM::parameters() {
  NamedParameters result{{"kernel", &kernel}, {"recurrent_kernel", &recurrent_kernel}};
  if (use_bias) result.push_back({"bias", &bias});
  return result;
}

}  // namespace cornu
