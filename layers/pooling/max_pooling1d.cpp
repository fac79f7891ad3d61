#include "cornu/layers/pooling/max_pooling1d.h"

namespace cornu {

Shape MaxPooling1D::build(const Shape& input, Rng&) {
  return detail::Pool1D{pool_size, strides, padding}.build("MaxPooling1D", input);
}

Var MaxPooling1D::forward(Var x) const {
  return detail::Pool1D{pool_size, strides, padding}.forward("MaxPooling1D", "max_pool1d", max_pool2d, x);
}

}  // namespace cornu
