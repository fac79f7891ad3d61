#include "cornu/layers/augmentation/random_erasing.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"

namespace cornu {

namespace {

/// A random interval [first, last) of n pixels that covers the fraction `part` of them.
struct Stretch {
  Index first, last;

  Stretch(Index n, double part, Rng& rng) {
    const double length = part * static_cast<double>(n);
    const double start = static_cast<double>(rng.uniform()) * (static_cast<double>(n) - length);
    first = static_cast<Index>(std::ceil(start));
    last = std::min(n, static_cast<Index>(std::ceil(start + length)));
  }
};

/// RandomFactor{v} means [-v, v]; as a fraction it means [0, v].
RandomFactor of_fraction(const RandomFactor& factor) { return {std::max(factor.low, 0.0), factor.high}; }

}  // namespace

Shape RandomErasing::build(const Shape& input, Rng&) {
  detail::require_factor("RandomErasing", "factor", of_fraction(factor), 0, 1);
  detail::require_factor("RandomErasing", "scale", of_fraction(scale), 0, 1);
  constexpr double most = std::numeric_limits<double>::max();
  detail::require_factor("RandomErasing", "value_range", value_range, -most, most);
  detail::require_image("RandomErasing", input);
  return input;
}

Var RandomErasing::forward(Var x) const {
  detail::require_image("RandomErasing", x.shape().sub(std::min(x.rank(), Index{1})));
  Tape& tape = x.tape();
  if (!tape.training()) return x;
  Rng& rng = tape.rng();
  const Index rows = x.shape()[1], columns = x.shape()[2], channels = x.shape()[3];
  const View kept = tape.scratch(x.shape().with(3, 1)), filling = tape.scratch(x.shape());
  const RandomFactor area = of_fraction(scale), probability = of_fraction(factor);
  fill(kept, 1);
  fill(filling, 0);
  for (Index image = 0; image < x.shape()[0]; ++image) {
    const Stretch across(columns, std::sqrt(area.draw(rng)), rng), down(rows, std::sqrt(area.draw(rng)), rng);
    if (!(static_cast<double>(rng.uniform()) < probability.draw(rng))) continue;
    for (Index i = down.first; i < down.last; ++i) {
      const Index row = (image * rows + i) * columns;
      for (Index pixel = row + across.first; pixel < row + across.last; ++pixel) {
        kept[pixel] = 0;
        for (Index c = 0; c < channels; ++c) {
          const double value = fill_value ? *fill_value : static_cast<double>(rng.normal()) * value_range.high;
          filling[pixel * channels + c] = static_cast<Real>(std::clamp(value, value_range.low, value_range.high));
        }
      }
    }
  }
  const Var y = x * tape.input(kept) + tape.input(filling);
  y.squashed_as(x);  // inference returns x, so losses must treat y as x in training too
  return y;
}

}  // namespace cornu
