#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/images.h"

namespace cornu {

namespace {

/// The pixels `first` and `first + 1` around a position on one axis; their weights are 1 - second_weight and
/// second_weight.
struct Neighbours {
  Index first = 0;
  Real second_weight = 0;
};

/// Maps a position outside of n > 0 pixels to the one that fill_mode prescribes. For `constant`, all positions far
/// outside are equal, so they are clamped to 2 pixels outside.
Real position_inside(Real at, Index n, FillMode mode) {
  const auto last = static_cast<Real>(n - 1);
  if (mode == FillMode::reflect) {  // period 2n, mirrored half a pixel before the first
    const auto period = static_cast<Real>(2 * n);
    Real folded = std::fmod(at + Real(0.5), period);
    if (folded < 0) folded += period;
    at = std::min(folded, period - folded) - Real(0.5);
  }
  return mode == FillMode::constant ? std::clamp(at, Real(-2), last + 2) : std::clamp(at, Real(0), last);
}

Neighbours neighbours_of(Real at, Index n, FillMode mode) {
  // Fast path: nearly all positions are inside.
  if (!(at >= 0 && at <= static_cast<Real>(n - 1))) at = position_inside(at, n, mode);
  const auto first = static_cast<Index>(std::floor(at));
  return {first, at - static_cast<Real>(first)};
}

/// Calls f(pixel of y, pixel of x, weight) for each pixel of x with a non-zero weight in a pixel of y. Outside the
/// image, the pixel of x is -1. Pixel indices count through the whole batch.
template <class F>
void each_neighbour(const Shape& images, const Real* transforms, FillMode mode, F f) {
  const Index batch = images[0], rows = images[1], columns = images[2];
  Index to = 0;
  for (Index image = 0; image < batch; ++image) {
    const Real* const t = transforms + image * 6;
    for (Index i = 0; i < rows; ++i) {
      const auto y = static_cast<Real>(i);
      for (Index j = 0; j < columns; ++j, ++to) {
        const auto x = static_cast<Real>(j);
        const Neighbours row = neighbours_of(t[3] * x + t[4] * y + t[5], rows, mode);
        const Neighbours column = neighbours_of(t[0] * x + t[1] * y + t[2], columns, mode);
        for (const Index u : {Index{0}, Index{1}}) {
          const Real row_weight = u == 0 ? 1 - row.second_weight : row.second_weight;
          if (row_weight == 0) continue;
          for (const Index v : {Index{0}, Index{1}}) {
            const Real weight = row_weight * (v == 0 ? 1 - column.second_weight : column.second_weight);
            if (weight == 0) continue;
            const Index from_row = row.first + u, from_column = column.first + v;
            const bool inside = from_row >= 0 && from_row < rows && from_column >= 0 && from_column < columns;
            f(to, inside ? (image * rows + from_row) * columns + from_column : Index{-1}, weight);
          }
        }
      }
    }
  }
}

}  // namespace

Var affine_transform(Var x, ConstView transforms, const AffineOptions& options) {
  require(x.rank() == 4, "affine_transform: images of shape {}; (batch, height, width, channels) is required",
          x.shape());
  require(transforms.shape() == Shape{x.shape()[0], 6},
          "affine_transform: transforms of shape {} for images of shape {}; {} is required", transforms.shape(),
          x.shape(), Shape{x.shape()[0], 6});
  for (Index i = 0; i < transforms.size(); ++i) {
    require<ValueError>(std::isfinite(transforms[i]),
                        "affine_transform: transform {} contains {}; all values must be finite", i / 6, transforms[i]);
  }
  Var y = x.tape().output(x.shape(), {x}, "affine_transform");
  const Real* const maps = x.tape().constant(transforms).value().data();  // a copy, for the backward rule
  const Index channels = x.shape()[3];
  const Real* const from = x.value().data();
  Real* const to = y.out().data();
  fill(y.out(), 0);
  each_neighbour(x.shape(), maps, options.fill_mode,
                 [=, value = static_cast<Real>(options.fill_value)](Index pixel, Index neighbour, Real weight) {
                   for (Index c = 0; c < channels; ++c) {
                     to[pixel * channels + c] += weight * (neighbour < 0 ? value : from[neighbour * channels + c]);
                   }
                 });
  y.squashed_as(x);  // its values are weighted means of values of x
  return y.backward([=, mode = options.fill_mode] {
    if (Sink dx = x.sink()) {
      if (!dx.accumulates()) fill(dx.view(), 0);
      each_neighbour(x.shape(), maps, mode,
                     [=, g = y.grad().data(), d = dx.data()](Index pixel, Index neighbour, Real weight) {
                       for (Index c = 0; neighbour >= 0 && c < channels; ++c) {
                         d[neighbour * channels + c] += weight * g[pixel * channels + c];
                       }
                     });
    }
  });
}

}  // namespace cornu
