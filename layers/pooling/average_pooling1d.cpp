#include "cornu/layers/pooling/average_pooling1d.h"

namespace cornu {

Shape AveragePooling1D::build(const Shape& input, Rng&) {
  return detail::Pool1D{pool_size, strides, padding}.build("AveragePooling1D", input);
}

Var AveragePooling1D::forward(Var x) const {
  return detail::Pool1D{pool_size, strides, padding}.forward("AveragePooling1D", "average_pool1d", average_pool2d, x);
}

}  // namespace cornu
