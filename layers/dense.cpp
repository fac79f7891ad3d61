#include "cornu/layers/dense.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/option_checks.h"
#include "cornu/core/shape_hints.h"
#include "cornu/layers/kernel_and_bias.h"
#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

Shape Dense::build(const Shape& input, Rng& rng) {
  detail::require_positive("Dense", "units", units);
  detail::require_kernel_initializers("Dense", *this);
  require(input.rank() > 0 && input[-1] > 0, "Dense: a sample of shape {} has no features", input);
  detail::create_kernel_and_bias(*this, {input[-1], units}, units, rng);
  return input.with(-1, units);
}

Var Dense::forward(Var x) const {
  detail::require_built("Dense", !kernel.value.empty());
  require(x.rank() > 0 && x.shape()[-1] == kernel.shape()[0], "Dense: an input of shape {}; its last axis must be {}{}",
          x.shape(), kernel.shape()[0],
          detail::sample_hint(x.shape().sub(std::min(x.rank(), Index{1})), {kernel.shape()[0]}));
  return activity_regularizer.add_loss(activation(use_bias ? affine(x, kernel, bias) : matmul(x, kernel)));
}

NamedParameters Dense::parameters() { return detail::kernel_and_bias(*this); }

void Dense::pytorch(PyTorchModule& module) {
  module.add_transposed("weight", kernel);
  if (use_bias) module.add_features("bias", bias, module.out);
}

}  // namespace cornu
