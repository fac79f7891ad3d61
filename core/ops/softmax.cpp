#include <limits>

#include "cornu/core/kernels/lanes.h"
#include "cornu/core/kernels/vector_math.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

constexpr Real nothing = -std::numeric_limits<Real>::infinity();  // padding: a logit of probability 0

/// y = f(x) along axis `at`, one tile of slices at a time: f(tile, values, scratch) turns the values of x into those of
/// y in place; `scratch` has the same size.
template <class F>
Var slices_forward(Var x, Index at, const AxisSplit& split, OpDescription&& op, F f) {
  Var y = x.tape().output(x.shape(), {x}, std::move(op));
  if (at >= 2) y.masked_as(x);
  Real* const numbers = x.tape().scratch({2, SliceTile::size(split)}).data();
  vectorized([=, from = x.value().data(), to = y.out().data()] {
    each_slice_tile(split, [=](const SliceTile& tile) {
      tile.load(from, nothing, numbers);
      f(tile, numbers, numbers + tile.size());
      tile.store(numbers, false, to);
    });
  });
  return y;
}

/// dx = f(y, g), one tile at a time: f(tile, y, g, scratch) turns the values of g into those of dx in place.
template <class F>
void slices_backward(Var x, Var y, const AxisSplit& split, F f) {
  const Sink dx = x.sink();
  if (!dx) return;
  Real* const values = x.tape().scratch({3, SliceTile::size(split)}).data();
  vectorized([=, y_from = y.value().data(), g_from = y.grad().data(), to = dx.data(), accumulates = dx.accumulates()] {
    each_slice_tile(split, [=](const SliceTile& tile) {
      Real* const g = values + tile.size();
      tile.load(y_from, 0, values);
      tile.load(g_from, 0, g);
      f(tile, values, g, g + tile.size());
      tile.store(g, accumulates, to);
    });
  });
}

}  // namespace

Var softmax(Var x, Index axis) {
  const Index at = x.along(axis);
  const AxisSplit split(x.shape(), at);
  const Var y = slices_forward(
      x, at, split, {"softmax", {{"axis", at}}},
      [](const SliceTile& tile, Real* numbers, Real*) __attribute__((always_inline)) {
        const Lanes peaks = tile.max(numbers);
        tile.each(numbers, [=](Index i, std::size_t lane) { return math::exp(numbers[i] - peaks[lane]); });
        const Lanes sums = tile.sum(numbers);
        tile.each(numbers, [=](Index i, std::size_t lane) { return numbers[i] / sums[lane]; });
      });
  if (x.shape().normalized(axis) == x.rank() - 1) y.made_from_logits(x, true);
  return y.backward([=] {
    slices_backward(
        x, y, split, [](const SliceTile& tile, const Real* s, Real* g, Real* products) __attribute__((always_inline)) {
          tile.each(products, [=](Index i, std::size_t) { return g[i] * s[i]; });
          const Lanes sums = tile.sum(products);
          tile.each(g, [=](Index i, std::size_t lane) { return s[i] * (g[i] - sums[lane]); });
        });
  });
}

Var log_softmax(Var x, Index axis) {
  const Index at = x.along(axis);
  const AxisSplit split(x.shape(), at);
  const Var y = slices_forward(
      x, at, split, {"log_softmax", {{"axis", at}}},
      [](const SliceTile& tile, Real* numbers, Real* e) __attribute__((always_inline)) {
        const Lanes peaks = tile.max(numbers);
        tile.each(numbers, [=](Index i, std::size_t lane) { return numbers[i] - peaks[lane]; });
        tile.each(e, [=](Index i, std::size_t) { return math::exp(numbers[i]); });
        Lanes log_sums = tile.sum(e);
        for (Real& sum : log_sums) sum = math::log(sum);
        tile.each(numbers, [=](Index i, std::size_t lane) { return numbers[i] - log_sums[lane]; });
      });
  return y.backward([=] {
    slices_backward(
        x, y, split, [](const SliceTile& tile, const Real* log_s, Real* g, Real*) __attribute__((always_inline)) {
          const Lanes totals = tile.sum(g);
          tile.each(g, [=](Index i, std::size_t lane) { return g[i] - math::exp(log_s[i]) * totals[lane]; });
        });
  });
}

Var softmax(Var x) { return softmax(x, -1); }
Var log_softmax(Var x) { return log_softmax(x, -1); }

}  // namespace cornu
