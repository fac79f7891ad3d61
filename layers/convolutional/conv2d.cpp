#include "cornu/layers/convolutional/conv2d.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"
#include "cornu/core/option_checks.h"
#include "cornu/layers/convolutional/convolution.h"
#include "cornu/layers/kernel_and_bias.h"
#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

Shape Conv2D::build(const Shape& input, Rng& rng) {
  detail::require_positive("Conv2D", "filters", filters);
  detail::require_kernel_initializers("Conv2D", *this);
  detail::require_convolved_image("Conv2D", input);
  const Index channels = input[-1];
  detail::require_groups("Conv2D", groups, channels, filters);
  detail::require_padding_of_images("Conv2D", padding);
  const detail::Window window("Conv2D", input.batched(1), kernel_size, strides, dilation_rate, padding);
  detail::create_kernel_and_bias(*this, {kernel_size.height, kernel_size.width, channels / groups, filters}, filters,
                                 rng);
  return window.result(filters).sub(1);
}

Var Conv2D::forward(Var x) const {
  detail::require_built("Conv2D", !kernel.value.empty());
  const Index channels = kernel.shape()[2] * groups;
  require(x.rank() == 4 && x.shape()[-1] == channels,
          "Conv2D: an input of shape {}; (batch, height, width, {}) is required", x.shape(), channels);
  const bool is_relu = activation.is(relu);
  const Conv2DOptions options{
      .strides = strides, .padding = padding, .dilation_rate = dilation_rate, .groups = groups, .relu = is_relu};
  const Var y = use_bias ? conv2d(x, kernel, bias, options) : conv2d(x, kernel, options);
  return activity_regularizer.add_loss(is_relu ? y : activation(y));
}

NamedParameters Conv2D::parameters() { return detail::kernel_and_bias(*this); }

void Conv2D::pytorch(PyTorchModule& module) {
  module.add("weight", kernel, {3, 2, 0, 1});
  if (use_bias) module.add("bias", bias);
}

}  // namespace cornu
