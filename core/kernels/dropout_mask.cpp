#include "cornu/core/kernels/dropout_mask.h"

#include <array>
#include <cstdint>

namespace cornu::detail {

void fill_dropout_mask(View mask, double rate, Rng& rng) {
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

}  // namespace cornu::detail
