#include "cornu/layers/dense.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/shape_hints.h"

namespace cornu {

Shape Dense::build(const Shape& input, Rng& rng) {
  require<ValueError>(units > 0, "Dense: units is {}; it must be positive", units);
  require<ValueError>(kernel_initializer && bias_initializer, "Dense: the {} is empty; use zeros if in doubt",
                      kernel_initializer ? "bias_initializer" : "kernel_initializer");
  require(input.rank() > 0 && input[-1] > 0, "Dense: a sample of shape {} has no features", input);
  // Use temporaries: if an initializer throws, the layer is unchanged.
  Tensor new_kernel({input[-1], units}), new_bias;
  kernel_initializer(new_kernel, rng);
  if (use_bias) {
    new_bias = Tensor(Shape{units});
    bias_initializer(new_bias, rng);
  }
  kernel.become(std::move(new_kernel), kernel_regularizer, kernel_constraint);
  bias.become(std::move(new_bias), bias_regularizer, bias_constraint);
  return input.with(-1, units);
}

Var Dense::forward(Var x) const {
  require<StateError>(!kernel.value.empty(),
                      "Dense: used before it was built; call build(shape of a sample, rng), or put it into a model");
  require(x.rank() > 0 && x.shape()[-1] == kernel.shape()[0], "Dense: an input of shape {}; its last axis must be {}{}",
          x.shape(), kernel.shape()[0],
          detail::sample_hint(x.shape().sub(std::min(x.rank(), Index{1})), {kernel.shape()[0]}));
  return activity_regularizer.add_loss(activation(use_bias ? affine(x, kernel, bias) : matmul(x, kernel)));
}

NamedParameters Dense::parameters() {
  if (!use_bias) return {{"kernel", &kernel}};
  return {{"kernel", &kernel}, {"bias", &bias}};
}

}  // namespace cornu
