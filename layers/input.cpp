#include "cornu/layers/input.h"

#include "cornu/core/error.h"

namespace cornu {

Shape Input::build(const Shape& input, Rng&) {
  require(input == shape, "Input: samples have shape {}; {} is required", input, shape);
  return shape;
}

Var Input::forward(Var x) const {
  require(x.rank() > 0 && x.shape().sub(1) == shape, "Input: got {}; a batch of samples of shape {} is required",
          x.shape(), shape);
  return x;
}

}  // namespace cornu
