#include "cornu/layers/masking.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "cornu/core/error.h"
#include "cornu/core/ops/masks.h"

namespace cornu {

Shape Masking::build(const Shape& input, Rng&) const {
  require<ValueError>(std::isfinite(mask_value), "Masking: mask_value is {}; it must be finite", mask_value);
  require(input.rank() >= 1, "Masking: a sample of shape {}; (steps, features...) is required", input);
  return input;
}

Var Masking::forward(Var x) const {
  const Var mask = step_mask(x, mask_value);
  std::array<Index, Shape::max_rank> shape{x.shape()[0], x.shape()[1]};
  std::fill(shape.begin() + 2, shape.end(), Index{1});
  const Var y = x * reshape(mask, std::span<const Index>(shape.data(), static_cast<std::size_t>(x.rank())));
  y.set_mask(x.is_masked() ? mask * x.mask() : mask);
  return y;
}

}  // namespace cornu
