#include "cornu/layers/dropout.h"

#include <array>
#include <cstdint>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"

namespace cornu {

namespace {

void require_rate(double rate) {
  require<ValueError>(rate >= 0 && rate < 1, "Dropout: rate is {}; at least 0 and less than 1 is required", rate);
}

/// Sets each element to 0 with probability `rate`, else to 1 / (1 - rate).
void fill_mask(View mask, double rate, Rng& rng) {
  const std::array<Real, 2> factors{0, static_cast<Real>(1 / (1 - rate))};
  const auto threshold = static_cast<std::uint64_t>(rate * 0x1p32);
  // A table lookup: a branch on random bits would be mispredicted.
  const auto factor = [&](std::uint64_t bits) { return factors[(bits & 0xFFFFFFFF) >= threshold ? 1 : 0]; };
  // Half a draw per element: 32 bits resolve probabilities as finely as a float does.
  const Index n = mask.size();
  for (Index i = 0; i < n; i += 2) {
    const std::uint64_t bits = rng.bits();
    mask[i] = factor(bits);
    if (i + 1 < n) mask[i + 1] = factor(bits >> 32);
  }
}

}  // namespace

Shape Dropout::build(const Shape& input, Rng&) {
  require_rate(rate);
  return input;
}

Var Dropout::forward(Var x) const {
  require_rate(rate);
  Tape& tape = x.tape();
  if (!tape.training() || rate == 0) return x;
  const View mask = tape.scratch(x.shape());
  fill_mask(mask, rate, tape.rng());
  const Real* const kept = mask.data();
  Var y = tape.output(x.shape(), {x});
  multiply(x.value().data(), kept, overwrite(y.out()));
  y.squashed_as(x);  // inference returns x, so losses must treat y as x in training too
  return y.backward([=] {
    if (Sink dx = x.sink()) multiply(y.grad().data(), kept, dx);
  });
}

}  // namespace cornu
