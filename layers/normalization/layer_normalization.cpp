#include "cornu/layers/normalization/layer_normalization.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/layers/build_checks.h"
#include "cornu/layers/new_parameter.h"
#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

Shape LayerNormalization::build(const Shape& input, Rng& rng) {
  require<ValueError>(epsilon >= 0 && std::isfinite(epsilon),
                      "LayerNormalization: epsilon is {}; it must be finite and not negative", epsilon);
  require<ValueError>(gamma_initializer && beta_initializer,
                      "LayerNormalization: an initializer is empty; use zeros or ones if in doubt");
  const Index rank = input.rank() + 1, count = static_cast<Index>(axis.size());
  bool are_last = 0 < count && count < rank;
  for (Index last = 1; are_last && last <= count; ++last) {
    are_last = std::any_of(axis.begin(), axis.end(), [=](Index a) { return a == -last || a == rank - last; });
  }
  require(are_last, "LayerNormalization: axis is {}; for samples of shape {} it must list the last axes",
          to_string(std::span<const Index>(axis)), input);
  const Shape lengths = input.sub(input.rank() - count);
  detail::create_parameters(
      {{gamma, detail::shape_if(scale, lengths), gamma_initializer, gamma_regularizer, gamma_constraint},
       {beta, detail::shape_if(center, lengths), beta_initializer, beta_regularizer, beta_constraint}},
      rng);
  return input;
}

Var LayerNormalization::forward(Var x) const {
  const auto axes = static_cast<Index>(axis.size());
  if (scale || center) {
    const Shape& lengths = scale ? gamma.shape() : beta.shape();
    detail::require_built("LayerNormalization", lengths.rank() == axes && !lengths.empty());
    require(x.rank() > axes && x.shape().sub(x.rank() - axes) == lengths,
            "LayerNormalization: an input of shape {}; its last axes must be {}", x.shape(), lengths);
  }
  return layer_normalization(x, scale ? Operand(gamma) : Operand(1), center ? Operand(beta) : Operand(0),
                             {.axes = axes, .epsilon = epsilon});
}

NamedParameters LayerNormalization::parameters() {
  NamedParameters result;
  if (scale) result.push_back({"gamma", &gamma});
  if (center) result.push_back({"beta", &beta});
  return result;
}

void LayerNormalization::pytorch(PyTorchModule& module) {
  if (!scale && !center) return;
  const Parameter& one = scale ? gamma : beta;
  if (one.shape().rank() == 1) {
    return module.add_scale_and_shift(scale ? &gamma : nullptr, center ? &beta : nullptr, one.value.size());
  }
  require<ValueError>(scale && center,
                      "PyTorch's LayerNorm over several axes has both a weight and a bias; scale and center are {} and "
                      "{}",
                      scale, center);
  if (one.shape().rank() == 3) {  // of an image; channels first in PyTorch
    module.add("weight", gamma, {2, 0, 1});
    module.add("bias", beta, {2, 0, 1});
  } else {
    module.add("weight", gamma);
    module.add("bias", beta);
  }
}

}  // namespace cornu
