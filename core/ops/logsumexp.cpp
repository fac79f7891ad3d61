#include <algorithm>
#include <cmath>
#include <limits>

#include "cornu/core/kernels/lanes.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

constexpr Real log_of_nothing = -std::numeric_limits<Real>::infinity();

/// log(sum(e^x)) over the middle axis of `split`; the gradient is a softmax times the gradient of the result.
Var logsumexp_over(Var x, const AxisSplit& split, const Shape& shape, OpDescription&& op) {
  Var y = x.tape().output(shape, {x}, std::move(op));
  Real* const numbers = x.tape().scratch({SliceTile::size(split)}).data();
  fill(y.out(), log_of_nothing);
  vectorized([=, from = x.value().data(), to = y.out().data()] {
    each_slice_tile(split, [=](const SliceTile& tile) {
      tile.load(from, log_of_nothing, numbers);
      Lanes peaks = tile.max(numbers);
      // Without a finite maximum nothing is subtracted: inf - inf is NaN.
      for (Real& peak : peaks) peak = std::isfinite(peak) ? peak : 0;
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
    Real* const tile_of_x = x.tape().scratch({SliceTile::size(split)}).data();
    vectorized([=, from = x.value().data(), result = y.value().data(), g = y.grad().data(), to = dx.data(),
                accumulates = dx.accumulates()] {
      each_slice_tile(split, [=](const SliceTile& tile) {
        tile.load(from, log_of_nothing, tile_of_x);
        Lanes shift{}, scale{};  // of each lane's slice; a single slice has all lanes
        for (std::size_t lane = 0; lane < lane_count; ++lane) {
          const Index slice = tile.first() + std::min(static_cast<Index>(lane), tile.slices() - 1);
          shift[lane] = result[slice] == log_of_nothing ? 0 : result[slice];
          scale[lane] = g[slice];
        }
        tile.each(tile_of_x, [=](Index i, std::size_t lane) {
          const Real share = math::exp(tile_of_x[i] - shift[lane]);
          return share == 0 ? Real{0} : scale[lane] * share;
        });
        tile.store(tile_of_x, accumulates, to);
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
