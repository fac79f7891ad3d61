#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "cornu/core/kernels/lanes.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

constexpr Real log_of_nothing = -std::numeric_limits<Real>::infinity();

/// The maximum of each lane's slice; 0 if it is infinite or NaN, because inf - inf is NaN.
[[gnu::always_inline]] inline Lanes finite_peaks(const SliceTile& tile, const Real* numbers) {
  Lanes peaks = tile.max(numbers);
  for (Real& peak : peaks) peak = std::isfinite(peak) ? peak : 0;
  return peaks;
}

/// log(sum(e^x)) over the middle axis of `split`. The gradient is a softmax times the gradient of the result. It is
/// computed from x: e^(x - result) would lose the digits that a large result has no room for.
Var logsumexp_over(Var x, const AxisSplit& split, const Shape& shape, OpDescription&& op) {
  Var y = x.tape().output(shape, {x}, std::move(op));
  Real* const numbers = x.tape().scratch({SliceTile::size(split)}).data();
  fill(y.out(), log_of_nothing);
  vectorized([=, from = x.value().data(), to = y.out().data()] {
    each_slice_tile(split, [=](const SliceTile& tile) {
      tile.load(from, log_of_nothing, numbers);
      const Lanes peaks = finite_peaks(tile, numbers);
      tile.each(numbers, [=](Index i, std::size_t lane) { return math::exp(numbers[i] - peaks[lane]); });
      const Lanes sums = tile.sum(numbers);
      for (Index k = 0; k < tile.slices(); ++k) {
        const auto lane = static_cast<std::size_t>(k);
        to[tile.first() + k] = peaks[lane] + math::log(sums[lane]);
      }
    });
  });
  return y.backward([=] {
    const Sink dx = x.sink();
    if (!dx) return;
    vectorized([=, from = x.value().data(), g = y.grad().data(), to = dx.data(), adds = dx.accumulates()] {
      each_slice_tile(split, [=](const SliceTile& tile) {
        tile.load(from, log_of_nothing, numbers);
        const Lanes peaks = finite_peaks(tile, numbers);
        tile.each(numbers, [=](Index i, std::size_t lane) { return math::exp(numbers[i] - peaks[lane]); });
        Lanes scale = tile.sum(numbers);
        for (std::size_t lane = 0; lane < lane_count; ++lane) {  // unused lanes repeat the last slice
          const Index slice = tile.first() + std::min(static_cast<Index>(lane), tile.slices() - 1);
          scale[lane] = scale[lane] == 0 ? 0 : g[slice] / scale[lane];
        }
        tile.each(numbers,
                  [=](Index i, std::size_t lane) { return numbers[i] == 0 ? Real{0} : numbers[i] * scale[lane]; });
        tile.store(numbers, adds, to);
      });
    });
  });
}

}  // namespace

Var logsumexp(Var x) { return logsumexp_over(x, {1, x.size(), 1}, {}, "logsumexp"); }

Var logsumexp(Var x, Index axis, const ReduceOptions& options) {
  const Index at = x.along(axis);
  const Shape shape = options.keepdims ? x.shape().with(at, 1) : x.shape().without(at);
  const Var y =
      logsumexp_over(x, {x.shape(), at}, shape, {"logsumexp", {{"axis", at}, {"keepdims", options.keepdims}}});
  if (at >= 2) y.masked_as(x);
  return y;
}

}  // namespace cornu
