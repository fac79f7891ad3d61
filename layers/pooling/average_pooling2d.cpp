#include "cornu/layers/pooling/average_pooling2d.h"

namespace cornu {

Shape AveragePooling2D::build(const Shape& input, Rng&) {
  return detail::pooled_shape("AveragePooling2D", input, pool_size, {.strides = strides, .padding = padding});
}

Var AveragePooling2D::forward(Var x) const {
  return average_pool2d(x, pool_size, {.strides = strides, .padding = padding});
}

}  // namespace cornu
