#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <type_traits>

#include "cornu/layers/layer.h"
#include "cornu/tests/support/print.h"

namespace cornu::testing {

/// The layer, built for samples of this shape.
template <Layer L>
L built(L layer, const Shape& input, std::uint64_t seed = 1) {
  Rng rng(seed);
  layer.build(input, rng);
  return layer;
}

/// The layer's output for a batch.
template <Layer L>
Tensor run(const L& layer, const Tensor& x, Mode mode = Mode::inference, std::uint64_t seed = 0) {
  Tape tape(mode, seed);
  return Tensor(layer.forward(tape.input(x)).value());
}

/// Standard normal values, none closer to 0 than `gap`.
inline Tensor normal(const Shape& shape, Real gap = 0, std::uint64_t seed = 5) {
  Tensor result(shape);
  Rng rng(seed);
  for (Real& value : result) {
    value = rng.normal();
    while (std::abs(value) < gap) value = rng.normal();
  }
  return result;
}

/// The tolerance for a few operations.
inline constexpr double rounding = std::is_same_v<Real, double> ? 1e-14 : 1e-6;

}  // namespace cornu::testing
