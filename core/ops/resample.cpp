#include "cornu/core/ops/resample.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace detail {

namespace {

/// Calls f(slice of y, slice of x, tap) for each tap: offsets of slices of `inner` elements.
template <class F>
void each_tap(const AxisSplit& x, std::span<const Index> positions, Index taps, F f) {
  const Index n = taps == 0 ? 0 : std::ssize(positions) / taps;
  for (Index o = 0; o < x.outer; ++o) {
    for (Index tap = 0; tap < n * taps; ++tap) {
      f((o * n + tap / taps) * x.inner, (o * x.n + positions[static_cast<std::size_t>(tap)]) * x.inner, tap);
    }
  }
}

double coordinate(Coordinates rule, Index i, Index n, Index size, std::optional<double> scale) {
  const auto at = static_cast<double>(i), from = static_cast<double>(n), to = static_cast<double>(size);
  const auto scaled = [&](double x) { return scale ? x / *scale : x * from / to; };
  switch (rule) {
    case Coordinates::half_pixel:
      break;
    case Coordinates::pytorch_half_pixel:
      if (size == 1) return 0;
      break;
    case Coordinates::align_corners:
      return size == 1 ? 0 : at * (from - 1) / (to - 1);
    case Coordinates::asymmetric:
      return scaled(at);
  }
  return scaled(at + 0.5) - 0.5;
}

double rounded(double x, Rounding rounding) {
  switch (rounding) {
    case Rounding::floor:
      return std::floor(x);
    case Rounding::ceil:
      return std::ceil(x);
    case Rounding::prefer_floor:
      return std::ceil(x - 0.5);
    case Rounding::prefer_ceil:
      break;
  }
  return std::floor(x + 0.5);
}

/// The weights of the positions around floor(x), x = floor(x) + t: two, or four from the position before it.
std::array<double, 4> weights_at(double t, const ResizeRule& rule) {
  if (rule.interpolation == Interpolation::bilinear) return {1 - t, t};
  const double a = rule.cubic_coefficient;
  const auto near = [a](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  const auto far = [a](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  return {far(1 + t), near(t), near(1 - t), far(2 - t)};
}

}  // namespace

Var resample(Var x, Var weights, Index axis, std::span<const Index> positions) {
  const Index at = x.along(axis);
  require(weights.rank() == 2 && weights.size() == std::ssize(positions),
          "resample: {} positions and weights of shape {}; (n, taps) of both are required", positions.size(),
          weights.shape());
  const AxisSplit split(x.shape(), at);
  for (const Index position : positions) {
    require(0 <= position && position < split.n, "resample: position {} is outside of axis {} of shape {}", position,
            at, x.shape());
  }
  const Index n = weights.shape()[0], taps = weights.shape()[1], inner = split.inner;
  Var y = x.tape().output(x.shape().with(at, n), {x, weights}, {"resample", {{"axis", at}, {"positions", positions}}});
  if (at >= 2) y.masked_as(x);
  const std::span<Index> kept = x.tape().memory<Index>(positions.size());
  std::copy(positions.begin(), positions.end(), kept.begin());
  const Real* const w = weights.value().data();
  fill(y.out(), 0);
  vectorized([=, from = x.value().data(), to = y.out().data()] {
    each_tap(split, kept, taps, [=](Index of_y, Index of_x, Index tap) {
      if (w[tap] == 0) return;
      assign(to + of_y, inner, true, [weight = w[tap], slice = from + of_x](Index j) { return weight * slice[j]; });
    });
  });
  return y.backward([=] {
    const Real *const g = y.grad().data(), *const from = x.value().data();
    if (Sink dx = x.sink()) {
      if (!dx.accumulates()) fill(dx.view(), 0);
      vectorized([=, to = dx.data()] {
        each_tap(split, kept, taps, [=](Index of_y, Index of_x, Index tap) {
          assign(to + of_x, inner, true, [weight = w[tap], slice = g + of_y](Index j) { return weight * slice[j]; });
        });
      });
    }
    if (Sink dw = weights.sink()) {
      if (!dw.accumulates()) fill(dw.view(), 0);
      each_tap(split, kept, taps, [=, to = dw.data()](Index of_y, Index of_x, Index tap) {
        for (Index j = 0; j < inner; ++j) to[tap] += g[of_y + j] * from[of_x + j];
      });
    }
  });
}

Var resize_axis(Var x, Index axis, Index size, const ResizeRule& rule, std::optional<double> scale) {
  const Index n = x.shape()[axis];
  require(n > 0, "resize: axis {} of shape {} is empty", axis, x.shape());
  require<ValueError>(size > 0, "resize: {} positions of axis {}; 1 or more are required", size, axis);
  require<ValueError>(!scale || (*scale > 0 && std::isfinite(*scale)),
                      "resize: the scale of axis {} is {}; a positive finite number is required", axis,
                      scale.value_or(0));
  if (size == n && !scale) return x;
  const Index result = x.shape().with(axis, size)[axis], last = n - 1;  // throws if there are too many elements
  const auto inside = [last](double at) { return static_cast<Index>(std::clamp(at, 0.0, static_cast<double>(last))); };
  const Index taps = rule.interpolation == Interpolation::nearest    ? 1
                     : rule.interpolation == Interpolation::bilinear ? 2
                                                                     : 4;
  const std::span<Index> positions = x.tape().memory<Index>(static_cast<std::size_t>(result * taps));
  if (taps == 1) {
    for (Index i = 0; i < size; ++i) {
      positions[static_cast<std::size_t>(i)] =
          inside(rounded(coordinate(rule.coordinates, i, n, size, scale), rule.rounding));
    }
    return take_axis(x, axis, positions);
  }
  const View weights = x.tape().scratch({size, taps});
  const Index before = taps / 2 - 1;  // taps to the left of the pixel at floor(at)
  for (Index i = 0; i < size; ++i) {
    const double at = coordinate(rule.coordinates, i, n, size, scale), whole = std::floor(at);
    const std::array<double, 4> each = weights_at(at - whole, rule);
    const auto position = [&](Index k) { return whole + static_cast<double>(k - before); };
    const auto counts = [&](Index k) { return 0 <= position(k) && position(k) <= static_cast<double>(last); };
    double sum = 0;
    for (Index k = 0; k < taps; ++k) sum += counts(k) ? each[static_cast<std::size_t>(k)] : 0;
    const bool excludes = rule.exclude_outside && sum != 0;
    for (Index k = 0; k < taps; ++k) {
      const double weight = each[static_cast<std::size_t>(k)];
      positions[static_cast<std::size_t>(i * taps + k)] = inside(position(k));
      weights[i * taps + k] = static_cast<Real>(!excludes ? weight : counts(k) ? weight / sum : 0);
    }
  }
  return resample(x, x.tape().input(weights), axis, positions);
}

}  // namespace detail

Var resize(Var x, Size2D size, const ResizeOptions& options) {
  require(x.rank() == 4, "resize: images of shape {}; (batch, height, width, channels) is required", x.shape());
  const detail::ResizeRule rule{.interpolation = options.interpolation};
  return detail::resize_axis(detail::resize_axis(x, 1, size.height, rule), 2, size.width, rule);
}

}  // namespace cornu
