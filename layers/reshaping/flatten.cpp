#include "cornu/layers/reshaping/flatten.h"

#include "cornu/core/error.h"

namespace cornu {

Shape Flatten::build(const Shape& input, Rng&) {
  require(!shape || input == *shape, "Flatten: samples have shape {}; {} is required", input, shape.value_or(Shape()));
  return {input.size()};
}

Var Flatten::forward(Var x) const {
  require(x.rank() > 0, "Flatten: got a scalar; a batch of samples is required");
  const Shape sample = x.shape().sub(1);
  require(!shape || sample == *shape, "Flatten: got {}; a batch of samples of shape {} is required", x.shape(),
          shape.value_or(Shape()));
  return reshape(x, Shape{x.shape()[0], sample.size()});
}

}  // namespace cornu
