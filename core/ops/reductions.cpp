#include <algorithm>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

Shape reduced(const Shape& shape, Index axis, const ReduceOptions& options) {
  return options.keepdims ? shape.with(axis, 1) : shape.without(axis);
}

/// y after a reduction of x along axis `at`: the steps stay if only features were reduced.
Var with_steps(Var y, Var x, Index at) {
  if (at >= 2) y.masked_as(x);
  return y;
}

/// scale * sum of x over the middle axis of `split`; the gradient broadcasts along that axis.
Var scaled_sum(Var x, const AxisSplit& split, Real scale, const Shape& shape, OpDescription&& op) {
  Var y = x.tape().output(shape, {x}, std::move(op));
  sum_axis(x.value().data(), split, scale, overwrite(y.out()));
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      vectorized([g = y.grad().data(), to = dx.data(), accumulates = dx.accumulates(), split, scale] {
        for (Index o = 0; o < split.outer; ++o) {
          Real* const block = to + o * split.n * split.inner;
          const Real* const row = g + o * split.inner;
          if (split.inner == 1) {
            assign(block, split.n, accumulates, [share = scale * row[0]](Index) { return share; });
            continue;
          }
          for (Index j = 0; j < split.n; ++j) {
            assign(block + j * split.inner, split.inner, accumulates, [=](Index i) { return scale * row[i]; });
          }
        }
      });
    }
  });
}

Var max_over(Var x, const AxisSplit& split, const Shape& shape, OpDescription&& op) {
  require(split.n > 0, "max: shape {} has no elements to take the maximum of", x.shape());
  Var y = x.tape().output(shape, {x}, std::move(op));
  const Index n = split.n, inner = split.inner;
  max_axis(x.value().data(), split, y.out().data());
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      const Real *const from = x.value().data(), *const best = y.value().data(), *const g = y.grad().data();
      for (Index o = 0; o < split.outer; ++o) {
        for (Index i = 0; i < inner; ++i) {
          const Index at = o * inner + i;
          Index sharing = 0;
          for (Index j = 0; j < n; ++j) sharing += from[(o * n + j) * inner + i] == best[at] ? 1 : 0;
          const Real share = sharing == 0 ? std::numeric_limits<Real>::quiet_NaN() : g[at] / static_cast<Real>(sharing);
          for (Index j = 0; j < n; ++j) {
            const Index k = (o * n + j) * inner + i;
            const Real contribution = sharing == 0 || from[k] == best[at] ? share : Real{0};
            dx.data()[k] = dx.accumulates() ? dx.data()[k] + contribution : contribution;
          }
        }
      }
    }
  });
}

Real one_over(Index n) { return Real{1} / static_cast<Real>(n); }

AxisSplit all(Var x) { return {1, x.size(), 1}; }

}  // namespace

// Without an axis, over all elements.

Var sum(Var x) { return scaled_sum(x, all(x), 1, {}, "sum"); }

Var sum(Var x, Index axis, const ReduceOptions& options) {
  const Index at = x.along(axis);
  return with_steps(scaled_sum(x, {x.shape(), at}, 1, reduced(x.shape(), axis, options),
                               {"sum", {{"axis", at}, {"keepdims", options.keepdims}}}),
                    x, at);
}

Var mean(Var x) { return scaled_sum(x, all(x), one_over(x.size()), {}, "mean"); }

Var mean(Var x, Index axis, const ReduceOptions& options) {
  const Index at = x.along(axis);
  return with_steps(scaled_sum(x, {x.shape(), at}, one_over(x.shape()[axis]), reduced(x.shape(), axis, options),
                               {"mean", {{"axis", at}, {"keepdims", options.keepdims}}}),
                    x, at);
}

Var max(Var x) { return max_over(x, all(x), {}, "max"); }

Var max(Var x, Index axis, const ReduceOptions& options) {
  const Index at = x.along(axis);
  return with_steps(max_over(x, {x.shape(), at}, reduced(x.shape(), axis, options),
                             {"max", {{"axis", at}, {"keepdims", options.keepdims}}}),
                    x, at);
}

}  // namespace cornu
