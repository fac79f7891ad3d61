#include "cornu/layers/pooling/max_pooling2d.h"

namespace cornu {

Shape MaxPooling2D::build(const Shape& input, Rng&) {
  return detail::pooled_shape("MaxPooling2D", input, pool_size, {.strides = strides, .padding = padding});
}

Var MaxPooling2D::forward(Var x) const { return max_pool2d(x, pool_size, {.strides = strides, .padding = padding}); }

}  // namespace cornu
