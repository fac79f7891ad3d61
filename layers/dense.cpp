#include "cornu/layers/dense.h"

#include "cornu/core/error.h"

namespace cornu {

Shape Dense::build(const Shape& input, Rng& rng) {
  require<ValueError>(units > 0, "Dense: units is {}; it must be positive", units);
  require<ValueError>(activation != nullptr, "Dense: activation is null; use linear for none");
  require(input.rank() > 0 && input[-1] > 0, "Dense: an input of shape {} has no features", input);
  kernel.value = Tensor({input[-1], units});
  kernel_initializer(kernel.value, rng);
  if (use_bias) {
    bias.value = Tensor(Shape{units});
    bias_initializer(bias.value, rng);
  }
  return input.with(-1, units);
}

Var Dense::forward(Var x) const {
  require<StateError>(!kernel.value.empty(), "Dense: not built yet, its kernel has no shape");
  require(x.rank() > 0 && x.shape()[-1] == kernel.shape()[0], "Dense: an input of shape {}; its last axis must be {}",
          x.shape(), kernel.shape()[0]);
  return activation(use_bias ? affine(x, kernel, bias) : matmul(x, kernel));
}

NamedParameters Dense::parameters() {
  if (!use_bias) return {{"kernel", &kernel}};
  return {{"kernel", &kernel}, {"bias", &bias}};
}

}  // namespace cornu
