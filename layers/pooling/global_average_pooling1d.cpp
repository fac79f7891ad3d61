#include "cornu/layers/pooling/global_average_pooling1d.h"

#include "cornu/layers/pooling/pooling.h"

namespace cornu {

Shape GlobalAveragePooling1D::build(const Shape& input, Rng&) {
  return detail::GlobalPool{1, keepdims}.build("GlobalAveragePooling1D", input);
}

Var GlobalAveragePooling1D::forward(Var x) const {
  return detail::GlobalPool{1, keepdims}.forward("GlobalAveragePooling1D", "global_average_pool1d", mean, x);
}

}  // namespace cornu
