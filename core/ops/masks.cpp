#include "cornu/core/ops/masks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/ops/comparisons.h"

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

namespace {

/// Throws ValueError unless the mask is of zeros and ones, and x is finite where it is 0: ops multiply by the mask.
void require_mask(Var x, Var mask) {
  const Index width = mask.size() == 0 ? 0 : x.size() / mask.size();
  for (Index i = 0; i < mask.size(); ++i) {
    const Real counts = mask.value()[i];
    require<ValueError>(counts == 0 || counts == 1, "with_mask: {} at step {} of the mask; 0 or 1 is required", counts,
                        i);
    const Real* const step = x.value().data() + i * width;
    require<ValueError>(counts == 1 || std::all_of(step, step + width, [](Real each) { return std::isfinite(each); }),
                        "with_mask: step {} is masked, but not finite; fill padding with zeros", i);
  }
}

}  // namespace

Var with_mask(Var x, Var mask) {
  static_cast<void>(x.mask());  // heeded
  const Var y = x.tape().alias(x, x.shape());
  y.set_mask(mask);
  if (mask && !mask.is_same(x.carried_mask())) require_mask(x, mask);
  return y;
}

}  // namespace cornu
