#include "cornu/layers/convolutional/conv1d.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"

namespace cornu {

Shape Conv1D::build(const Shape& input, Rng& rng) {
  require<ValueError>(filters > 0, "Conv1D: filters is {}; it must be positive", filters);
  require<ValueError>(kernel_initializer && bias_initializer, "Conv1D: the {} is empty; use zeros if in doubt",
                      kernel_initializer ? "bias_initializer" : "kernel_initializer");
  require(input.rank() == 2 && input[1] > 0,
          "Conv1D: a sample of shape {}; (steps, channels) is required (is a Reshape missing?)", input);
  const Index channels = input[1];
  require<ValueError>(groups > 0 && channels % groups == 0 && filters % groups == 0,
                      "Conv1D: groups is {}; it must divide {} channels and {} filters", groups, channels, filters);
  const Window window("Conv1D", {1, 1, input[0], channels}, {1, kernel_size}, {1, strides}, {1, dilation_rate},
                      padding);
  // Use temporaries: if an initializer throws, the layer is unchanged.
  Tensor new_kernel({kernel_size, channels / groups, filters}), new_bias;
  kernel_initializer(new_kernel, rng);
  if (use_bias) {
    new_bias = Tensor(Shape{filters});
    bias_initializer(new_bias, rng);
  }
  kernel.become(std::move(new_kernel), kernel_regularizer, kernel_constraint);
  bias.become(std::move(new_bias), bias_regularizer, bias_constraint);
  return {window.x.out, filters};
}

Var Conv1D::forward(Var x) const {
  require<StateError>(!kernel.value.empty(),
                      "Conv1D: used before it was built; call build(shape of a sample, rng), or put it into a model");
  const Index channels = kernel.shape()[1] * groups;
  require(x.rank() == 3 && x.shape()[2] == channels, "Conv1D: an input of shape {}; (batch, steps, {}) is required",
          x.shape(), channels);
  const bool is_relu = activation.function() == static_cast<Activation::Function>(relu);
  const Conv2DOptions options{.strides = {1, strides},
                              .padding = padding,
                              .dilation_rate = {1, dilation_rate},
                              .groups = groups,
                              .relu = is_relu};
  const Var image = reshape(x, x.shape().inserted(1, 1));
  const Var window = reshape(x.tape().parameter(kernel), kernel.shape().inserted(0, 1));
  const Var rows = use_bias ? conv2d(image, window, bias, options) : conv2d(image, window, options);
  const Var y = reshape(rows, rows.shape().without(1));
  return activity_regularizer.add_loss(is_relu ? y : activation(y));
}

NamedParameters Conv1D::parameters() {
  if (!use_bias) return {{"kernel", &kernel}};
  return {{"kernel", &kernel}, {"bias", &bias}};
}

}  // namespace cornu
