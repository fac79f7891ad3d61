#include "cornu/layers/pooling/global_average_pooling2d.h"

#include "cornu/layers/pooling/pooling.h"

namespace cornu {

Shape GlobalAveragePooling2D::build(const Shape& input, Rng&) {
  return detail::GlobalPool{2, keepdims}.build("GlobalAveragePooling2D", input);
}

Var GlobalAveragePooling2D::forward(Var x) const {
  return detail::GlobalPool{2, keepdims}.forward("GlobalAveragePooling2D", "global_average_pool2d", mean, x);
}

}  // namespace cornu
