#include "cornu/layers/pooling/average_pooling2d.h"

#include "cornu/core/kernels/window.h"

namespace cornu {

Shape AveragePooling2D::build(const Shape& input, Rng&) {
  require(input.rank() == 3, "AveragePooling2D: a sample of shape {}; (height, width, channels) is required", input);
  require_padding_of_images("AveragePooling2D", padding);
  const Window window("AveragePooling2D", input.batched(1), pool_size, {.strides = strides, .padding = padding});
  return window.result(window.channels).sub(1);
}

Var AveragePooling2D::forward(Var x) const {
  return average_pool2d(x, pool_size, {.strides = strides, .padding = padding});
}

}  // namespace cornu
