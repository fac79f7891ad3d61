#pragma once

#include "cornu/core/compiler.h"

/// The options of layers with a kernel and a bias, in their order in files.
namespace cornu::detail {

template <class L>
void visit_kernel_options(L& layer, auto& visit) {
  visit("kernel_initializer", layer.kernel_initializer);
  visit("bias_initializer", layer.bias_initializer);
  visit("kernel_regularizer", layer.kernel_regularizer);
  visit("bias_regularizer", layer.bias_regularizer);
  visit("activity_regularizer", layer.activity_regularizer);
  visit("kernel_constraint", layer.kernel_constraint);
  visit("bias_constraint", layer.bias_constraint);
}

/// All options of Conv1D and Conv2D.
template <class L>
void visit_convolution_options(L& layer, auto& visit) {
  visit("filters", layer.filters);
  visit("kernel_size", layer.kernel_size);
  visit("strides", layer.strides);
  visit("padding", layer.padding);
  visit("dilation_rate", layer.dilation_rate);
  visit("groups", layer.groups);
  visit("activation", layer.activation);
  visit("use_bias", layer.use_bias);
  visit_kernel_options(layer, visit);
}

}  // namespace cornu::detail
