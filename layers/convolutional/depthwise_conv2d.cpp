#include "cornu/layers/convolutional/depthwise_conv2d.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"
#include "cornu/core/option_checks.h"
#include "cornu/layers/convolutional/convolution.h"
#include "cornu/layers/kernel_and_bias.h"
#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

Shape DepthwiseConv2D::build(const Shape& input, Rng& rng) {
  detail::require_positive("DepthwiseConv2D", "depth_multiplier", depth_multiplier);
  detail::require_initializers(
      "DepthwiseConv2D", {{"depthwise_initializer", depthwise_initializer}, {"bias_initializer", bias_initializer}});
  detail::require_convolved_image("DepthwiseConv2D", input);
  detail::require_padding_of_images("DepthwiseConv2D", padding);
  const detail::Window window("DepthwiseConv2D", input.batched(1), kernel_size, strides, dilation_rate, padding);
  const Shape kernel_shape{kernel_size.height, kernel_size.width, input[2], depth_multiplier};  // throws on overflow
  const Index filters = input[2] * depth_multiplier;
  detail::create_parameters(
      {{kernel, kernel_shape, depthwise_initializer, depthwise_regularizer, depthwise_constraint},
       {bias, detail::shape_if(use_bias, {filters}), bias_initializer, bias_regularizer, bias_constraint}},
      rng);
  return window.result(filters).sub(1);
}

Var DepthwiseConv2D::forward(Var x) const {
  detail::require_built("DepthwiseConv2D", !kernel.value.empty());
  require(x.rank() == 4 && x.shape()[3] == kernel.shape()[2],
          "DepthwiseConv2D: an input of shape {}; (batch, height, width, {}) is required", x.shape(),
          kernel.shape()[2]);
  const DepthwiseConv2DOptions options{.strides = strides, .padding = padding, .dilation_rate = dilation_rate};
  return activity_regularizer.add_loss(
      activation(use_bias ? depthwise_conv2d(x, kernel, bias, options) : depthwise_conv2d(x, kernel, options)));
}

NamedParameters DepthwiseConv2D::parameters() { return detail::kernel_and_bias(*this); }

// A Conv2d with as many groups as channels.
void DepthwiseConv2D::pytorch(PyTorchModule& module) {
  module.add("weight", kernel, {2, 3, 0, 1});
  const Shape& shape = kernel.shape();
  module.tensors.back().shape = {shape[2] * shape[3], 1, shape[0], shape[1]};
  if (use_bias) module.add("bias", bias);
}

}  // namespace cornu
