#include "cornu/layers/pooling/global_max_pooling2d.h"

#include "cornu/layers/pooling/pooling.h"

namespace cornu {

Shape GlobalMaxPooling2D::build(const Shape& input, Rng&) {
  return detail::GlobalPool{2, keepdims}.build("GlobalMaxPooling2D", input);
}

Var GlobalMaxPooling2D::forward(Var x) const {
  return detail::GlobalPool{2, keepdims}.forward("GlobalMaxPooling2D", "global_max_pool2d", max, x);
}

}  // namespace cornu
