#include "cornu/layers/pooling/max_pooling2d.h"

#include "cornu/core/kernels/window.h"

namespace cornu {

Shape MaxPooling2D::build(const Shape& input, Rng&) {
  require(input.rank() == 3, "MaxPooling2D: a sample of shape {}; (height, width, channels) is required", input);
  require_padding_of_images("MaxPooling2D", padding);
  const Window window("MaxPooling2D", input.batched(1), pool_size, {.strides = strides, .padding = padding});
  return window.result(window.channels).sub(1);
}

Var MaxPooling2D::forward(Var x) const { return max_pool2d(x, pool_size, {.strides = strides, .padding = padding}); }

}  // namespace cornu
