#include "cornu/layers/convolutional/conv2d.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"

namespace cornu {

Shape Conv2D::build(const Shape& input, Rng& rng) {
  require<ValueError>(filters > 0, "Conv2D: filters is {}; it must be positive", filters);
  require<ValueError>(kernel_initializer && bias_initializer, "Conv2D: the {} is empty; use zeros if in doubt",
                      kernel_initializer ? "bias_initializer" : "kernel_initializer");
  require(input.rank() == 3 && input[-1] > 0,
          "Conv2D: a sample of shape {}; (height, width, channels) is required (is a Reshape missing?)", input);
  const Index channels = input[-1];
  require<ValueError>(groups > 0 && channels % groups == 0 && filters % groups == 0,
                      "Conv2D: groups is {}; it must divide {} channels and {} filters", groups, channels, filters);
  require_padding_of_images("Conv2D", padding);
  const Window window("Conv2D", input.batched(1), kernel_size, strides, dilation_rate, padding);
  // Use temporaries: if an initializer throws, the layer is unchanged.
  Tensor new_kernel({kernel_size.height, kernel_size.width, channels / groups, filters}), new_bias;
  kernel_initializer(new_kernel, rng);
  if (use_bias) {
    new_bias = Tensor(Shape{filters});
    bias_initializer(new_bias, rng);
  }
  kernel.become(std::move(new_kernel), kernel_regularizer, kernel_constraint);
  bias.become(std::move(new_bias), bias_regularizer, bias_constraint);
  return window.result(filters).sub(1);
}

Var Conv2D::forward(Var x) const {
  require<StateError>(!kernel.value.empty(),
                      "Conv2D: used before it was built; call build(shape of a sample, rng), or put it into a model");
  const Index channels = kernel.shape()[2] * groups;
  require(x.rank() == 4 && x.shape()[-1] == channels,
          "Conv2D: an input of shape {}; (batch, height, width, {}) is required", x.shape(), channels);
  const bool is_relu = activation.function() == static_cast<Activation::Function>(relu);
  const Conv2DOptions options{
      .strides = strides, .padding = padding, .dilation_rate = dilation_rate, .groups = groups, .relu = is_relu};
  const Var y = use_bias ? conv2d(x, kernel, bias, options) : conv2d(x, kernel, options);
  return activity_regularizer.add_loss(is_relu ? y : activation(y));
}

NamedParameters Conv2D::parameters() {
  if (!use_bias) return {{"kernel", &kernel}};
  return {{"kernel", &kernel}, {"bias", &bias}};
}

}  // namespace cornu
