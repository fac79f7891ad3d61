#include "cornu/layers/convolutional/conv1d.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"
#include "cornu/core/option_checks.h"
#include "cornu/layers/convolutional/convolution.h"
#include "cornu/layers/kernel_and_bias.h"
#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

Shape Conv1D::build(const Shape& input, Rng& rng) {
  detail::require_positive("Conv1D", "filters", filters);
  detail::require_kernel_initializers("Conv1D", *this);
  require(input.rank() == 2 && input[1] > 0,
          "Conv1D: a sample of shape {}; (steps, channels) is required (is a Reshape missing?)", input);
  const Index channels = input[1];
  detail::require_groups("Conv1D", groups, channels, filters);
  const detail::Window window("Conv1D", {1, 1, input[0], channels}, {1, kernel_size}, {1, strides}, {1, dilation_rate},
                              padding);
  detail::create_kernel_and_bias(*this, {kernel_size, channels / groups, filters}, filters, rng);
  return {window.x.out, filters};
}

Var Conv1D::forward(Var x) const {
  detail::require_built("Conv1D", !kernel.value.empty());
  const Index channels = kernel.shape()[1] * groups;
  require(x.rank() == 3 && x.shape()[2] == channels, "Conv1D: an input of shape {}; (batch, steps, {}) is required",
          x.shape(), channels);
  const bool is_relu = activation.is(relu);
  const Conv2DOptions options{.strides = {1, strides},
                              .padding = padding,
                              .dilation_rate = {1, dilation_rate},
                              .groups = groups,
                              .relu = is_relu};
  // A sequence is an image of one row.
  const auto convolved = [&] {
    const Var image = reshape(x, x.shape().inserted(1, 1));
    const Var window = reshape(x.tape().parameter(kernel), kernel.shape().inserted(0, 1));
    const Var row = use_bias ? conv2d(image, window, bias, options) : conv2d(image, window, options);
    return reshape(row, row.shape().without(1));
  };
  const Var y = use_bias ? composite(x.tape(), "conv1d", {x, kernel, bias}, convolved)
                         : composite(x.tape(), "conv1d", {x, kernel}, convolved);
  return activity_regularizer.add_loss(is_relu ? y : activation(y));
}

NamedParameters Conv1D::parameters() { return detail::kernel_and_bias(*this); }

void Conv1D::pytorch(PyTorchModule& module) {
  module.add("weight", kernel, {2, 1, 0});
  if (use_bias) module.add("bias", bias);
}

}  // namespace cornu
