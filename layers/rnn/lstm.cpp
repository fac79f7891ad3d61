#include "cornu/layers/rnn/lstm.h"

#include "cornu/layers/pytorch/pytorch_module.h"
#include "cornu/layers/rnn/recurrent.h"

namespace cornu {

Shape LSTM::build(const Shape& input, Rng& rng) {
  const Shape output = detail::build_recurrent("LSTM", *this, 4, 1, input, rng);
  if (use_bias && unit_forget_bias) std::fill_n(bias.value.begin() + units, units, Real{1});
  return output;
}

Var LSTM::forward(Var x) const {
  detail::require_recurrent_input("LSTM", kernel, x);
  const RecurrentOptions how = detail::recurrent_options(*this);
  if (detail::are_usual(activation, recurrent_activation)) {
    return activity_regularizer.add_loss(use_bias ? lstm(x, kernel, recurrent_kernel, bias, how)
                                                  : lstm(x, kernel, recurrent_kernel, how));
  }
  const auto stepped = [&] {
    Var c;
    const auto next = [&](Var input, Var h) {
      const Var gates = input + matmul(h, recurrent_kernel);
      const auto gate = [&](Index number) { return slice_axis(gates, 1, number * units, (number + 1) * units); };
      const Var added = recurrent_activation(gate(0)) * activation(gate(2));
      c = c ? recurrent_activation(gate(1)) * c + added : added;
      return recurrent_activation(gate(3)) * activation(c);
    };
    return detail::each_step(use_bias ? affine(x, kernel, bias) : matmul(x, kernel), units, how, next);
  };
  return activity_regularizer.add_loss(detail::as_one_op("lstm_by_steps", *this, x, false, stepped));
}

NamedParameters LSTM::parameters() { return detail::recurrent_parameters(*this); }

void LSTM::pytorch(PyTorchModule& module) {
  module.add("weight_ih_l0", kernel, {1, 0});  // PyTorch's order of the gates is the same
  module.add("weight_hh_l0", recurrent_kernel, {1, 0});
  if (!use_bias) return;
  module.add("bias_ih_l0", bias);
  module.add("bias_hh_l0", bias);
  module.tensors.back().use = PyTorchModule::Use::added;
}

}  // namespace cornu
