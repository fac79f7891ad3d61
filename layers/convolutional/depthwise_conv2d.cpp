#include "cornu/layers/convolutional/depthwise_conv2d.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"

namespace cornu {

Shape DepthwiseConv2D::build(const Shape& input, Rng& rng) {
  require<ValueError>(depth_multiplier > 0, "DepthwiseConv2D: depth_multiplier is {}; it must be positive",
                      depth_multiplier);
  require<ValueError>(depthwise_initializer && bias_initializer,
                      "DepthwiseConv2D: the {} is empty; use zeros if in doubt",
                      depthwise_initializer ? "bias_initializer" : "depthwise_initializer");
  require(input.rank() == 3 && input[2] > 0,
          "DepthwiseConv2D: a sample of shape {}; (height, width, channels) is required (is a Reshape missing?)",
          input);
  require_padding_of_images("DepthwiseConv2D", padding);
  const Window window("DepthwiseConv2D", input.batched(1), kernel_size, strides, dilation_rate, padding);
  // Use temporaries: if an initializer throws, the layer is unchanged.
  Tensor new_kernel({kernel_size.height, kernel_size.width, input[2], depth_multiplier}), new_bias;
  depthwise_initializer(new_kernel, rng);
  if (use_bias) {
    new_bias = Tensor(Shape{input[2] * depth_multiplier});
    bias_initializer(new_bias, rng);
  }
  kernel.become(std::move(new_kernel), depthwise_regularizer, depthwise_constraint);
  bias.become(std::move(new_bias), bias_regularizer, bias_constraint);
  return window.result(input[2] * depth_multiplier).sub(1);
}

Var DepthwiseConv2D::forward(Var x) const {
  require<StateError>(
      !kernel.value.empty(),
      "DepthwiseConv2D: used before it was built; call build(shape of a sample, rng), or put it into a model");
  require(x.rank() == 4 && x.shape()[3] == kernel.shape()[2],
          "DepthwiseConv2D: an input of shape {}; (batch, height, width, {}) is required", x.shape(),
          kernel.shape()[2]);
  const DepthwiseConv2DOptions options{.strides = strides, .padding = padding, .dilation_rate = dilation_rate};
  return activity_regularizer.add_loss(
      activation(use_bias ? depthwise_conv2d(x, kernel, bias, options) : depthwise_conv2d(x, kernel, options)));
}

NamedParameters DepthwiseConv2D::parameters() {
  if (!use_bias) return {{"kernel", &kernel}};
  return {{"kernel", &kernel}, {"bias", &bias}};
}

}  // namespace cornu
