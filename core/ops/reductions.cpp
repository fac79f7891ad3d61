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

/// The maximum or the minimum, which `of_axis` computes.
Var extreme_over(Var x, const AxisSplit& split, const Shape& shape, OpDescription&& op,
                 void (*of_axis)(const Real*, const AxisSplit&, Real*)) {
  require(split.n > 0, "{}: shape {} has no elements to take the {}imum of", op.name, x.shape(), op.name);
  Var y = x.tape().output(shape, {x}, std::move(op));
  const Index n = split.n, inner = split.inner;
  of_axis(x.value().data(), split, y.out().data());
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

/// y[o, i] = the product of x over the middle axis. The gradient of an element is the product of the others, from the
/// products of those before and after it: a division by the element would fail for 0.
Var product_over(Var x, const AxisSplit& split, const Shape& shape, OpDescription&& op) {
  Var y = x.tape().output(shape, {x}, std::move(op));
  const Index n = split.n, inner = split.inner;
  const auto times = [](Real* to, const Real* factors, Index count) {
    for (Index i = 0; i < count; ++i) to[i] *= factors[i];
  };
  vectorized([=, from = x.value().data(), to = y.out().data()] {
    std::fill_n(to, split.slices(), Real{1});
    for (Index o = 0; o < split.outer; ++o) {
      for (Index j = 0; j < n; ++j) times(to + o * inner, from + (o * n + j) * inner, inner);
    }
  });
  return y.backward([=] {
    const Sink dx = x.sink();
    if (!dx || n == 0) return;
    // For each slice at a time: `before`, then `after` times the gradient.
    Real* const before = x.tape().scratch({n + 1, inner}).data();
    vectorized([=, from = x.value().data(), g = y.grad().data(), to = dx.data(), adds = dx.accumulates()] {
      Real* const after = before + n * inner;
      for (Index o = 0; o < split.outer; ++o) {
        const Real* const block = from + o * n * inner;
        std::fill_n(before, inner, Real{1});
        for (Index j = 1; j < n; ++j) {
          std::copy_n(before + (j - 1) * inner, inner, before + j * inner);
          times(before + j * inner, block + (j - 1) * inner, inner);
        }
        std::copy_n(g + o * inner, inner, after);
        for (Index j = n - 1; j >= 0; --j) {
          assign(to + (o * n + j) * inner, inner, adds, [=](Index i) { return before[j * inner + i] * after[i]; });
          times(after, block + j * inner, inner);
        }
      }
    });
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

Var max(Var x) { return extreme_over(x, all(x), {}, "max", max_axis); }

Var max(Var x, Index axis, const ReduceOptions& options) {
  const Index at = x.along(axis);
  return with_steps(extreme_over(x, {x.shape(), at}, reduced(x.shape(), axis, options),
                                 {"max", {{"axis", at}, {"keepdims", options.keepdims}}}, max_axis),
                    x, at);
}

Var min(Var x) { return extreme_over(x, all(x), {}, "min", min_axis); }

Var min(Var x, Index axis, const ReduceOptions& options) {
  const Index at = x.along(axis);
  return with_steps(extreme_over(x, {x.shape(), at}, reduced(x.shape(), axis, options),
                                 {"min", {{"axis", at}, {"keepdims", options.keepdims}}}, min_axis),
                    x, at);
}

Var prod(Var x) { return product_over(x, all(x), {}, "prod"); }

Var prod(Var x, Index axis, const ReduceOptions& options) {
  const Index at = x.along(axis);
  return with_steps(product_over(x, {x.shape(), at}, reduced(x.shape(), axis, options),
                                 {"prod", {{"axis", at}, {"keepdims", options.keepdims}}}),
                    x, at);
}

Var variance(Var x) { return mean(square(x - mean(x))); }

Var variance(Var x, Index axis, const ReduceOptions& options) {
  return mean(square(x - mean(x, axis, {.keepdims = true})), axis, options);
}

}  // namespace cornu
