#include "cornu/layers/pooling/global_max_pooling1d.h"

#include "cornu/layers/pooling/pooling.h"

namespace cornu {

Shape GlobalMaxPooling1D::build(const Shape& input, Rng&) {
  return detail::GlobalPool{1, keepdims}.build("GlobalMaxPooling1D", input);
}

Var GlobalMaxPooling1D::forward(Var x) const {
  return detail::GlobalPool{1, keepdims}.forward("GlobalMaxPooling1D", "global_max_pool1d", max, x);
}

}  // namespace cornu
