#pragma once

#include "cornu/core/compiler.h"

namespace cornu::detail {

/// Visits the options of a recurrent layer in their order in files. `visit_own` visits those that follow the
/// initializers: the layer's own switches.
template <class L>
void visit_recurrent_options(L& layer, auto& visit, auto visit_own) {
  visit("units", layer.units);
  visit("activation", layer.activation);
  if constexpr (requires { layer.recurrent_activation; }) visit("recurrent_activation", layer.recurrent_activation);
  visit("use_bias", layer.use_bias);
  visit("kernel_initializer", layer.kernel_initializer);
  visit("recurrent_initializer", layer.recurrent_initializer);
  visit("bias_initializer", layer.bias_initializer);
  visit_own();
  visit("kernel_regularizer", layer.kernel_regularizer);
  visit("recurrent_regularizer", layer.recurrent_regularizer);
  visit("bias_regularizer", layer.bias_regularizer);
  visit("activity_regularizer", layer.activity_regularizer);
  visit("kernel_constraint", layer.kernel_constraint);
  visit("recurrent_constraint", layer.recurrent_constraint);
  visit("bias_constraint", layer.bias_constraint);
  visit("dropout", layer.dropout);
  visit("recurrent_dropout", layer.recurrent_dropout);
}

}  // namespace cornu::detail
