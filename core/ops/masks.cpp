#include "cornu/core/ops/masks.h"

#include <cmath>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

Var step_mask(Var x, double value) {
  require(x.rank() >= 2, "step_mask: x of shape {}; (batch, steps, ...) is required", x.shape());
  const Shape steps = x.shape().sub(0, 2);
  const Var differs = not_equal(with_mask(x, {}), value);
  return x.rank() == 2 ? differs : max(reshape(differs, steps.inserted(2, x.shape().sub(2).size())), 2);
}

Var sequence_mask(Var lengths, Index steps) {
  require(lengths.rank() == 1, "sequence_mask: lengths of shape {}; (batch) is required", lengths.shape());
  const Real* const all = lengths.value().data();
  for (Index i = 0; i < lengths.size(); ++i) {
    require<ValueError>(all[i] >= 0 && all[i] <= static_cast<Real>(steps) && all[i] == std::floor(all[i]),
                        "sequence_mask: length {} at {}; whole numbers from 0 to {} are required", all[i], i, steps);
  }
  const View positions = lengths.tape().scratch({steps});
  std::iota(positions.begin(), positions.end(), Real{0});
  const Var left = reshape(lengths, {lengths.size(), 1}) - lengths.tape().input(positions);
  return minimum(maximum(left, 0), 1);
}

Var with_mask(Var x, Var mask) {
  const Var y = x.tape().alias(x, x.shape());
  y.set_mask(mask);
  return y;
}

}  // namespace cornu
