#include <algorithm>

#include "cornu/core/kernels/lanes.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

/// The cumulative sums of x along the middle axis of `split`, for up to lane_count columns at a time.
void cumulative_sums(const Real* x, const AxisSplit& split, const CumsumOptions& options, const Sink& out) {
  vectorized([=, to = out.data(), adds = out.accumulates()] {
    for (Index o = 0; o < split.outer; ++o) {
      for (Index first = 0; first < split.inner; first += lane_count) {
        const auto width = static_cast<std::size_t>(std::min(lane_count, split.inner - first));
        LanesOf<double> sums{};
        for (Index j = 0; j < split.n; ++j) {
          const Index row = (o * split.n + (options.reverse ? split.n - 1 - j : j)) * split.inner + first;
          for (std::size_t k = 0; k < width; ++k) {
            const Index at = row + static_cast<Index>(k);
            const double before = sums[k];
            sums[k] += static_cast<double>(x[at]);
            const auto sum = static_cast<Real>(options.exclusive ? before : sums[k]);
            to[at] = adds ? to[at] + sum : sum;
          }
        }
      }
    }
  });
}

}  // namespace

Var cumsum(Var x, Index axis, const CumsumOptions& options) {
  const Index at = x.along(axis);
  Var y = x.tape().output(x.shape(), {x},
                          {"cumsum", {{"axis", at}, {"exclusive", options.exclusive}, {"reverse", options.reverse}}});
  if (at >= 2) y.masked_as(x);
  const AxisSplit split(x.shape(), at);
  cumulative_sums(x.value().data(), split, options, overwrite(y.out()));
  return y.backward([=] {
    // An element is in the sums at and after it: the gradients are summed from the other end.
    if (Sink dx = x.sink()) {
      cumulative_sums(y.grad().data(), split, {.exclusive = options.exclusive, .reverse = !options.reverse}, dx);
    }
  });
}

}  // namespace cornu
