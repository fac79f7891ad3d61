#include "cornu/core/random.h"

#include <cmath>
#include <numeric>
#include <type_traits>

#include "cornu/core/error.h"

namespace cornu {

namespace {

using Counter = std::array<std::uint32_t, 4>;

/// Ten rounds of Philox4x32, with the constants of the paper.
Counter philox(Counter counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

/// The natural logarithm of x > 0. Uses only sums, products and one quotient, which IEEE 754 rounds identically on
/// every machine; std::log may differ in the last bit between C libraries, and then a seed would give other numbers.
/// log(m 2^e) = e log 2 + 2 atanh(t), t = (m - 1) / (m + 1), |t| < 0.172: 11 terms are enough for double.
double portable_log(double x) {
  int exponent = 0;
  double mantissa = std::frexp(x, &exponent);  // in [0.5, 1)
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    --exponent;
  }
  const double t = (mantissa - 1) / (mantissa + 1);
  const double square = t * t;
  double sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
  return exponent * 0.69314718055994531 + 2 * t * sum;
}

double unit_interval(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

}  // namespace

Rng::Rng(std::uint64_t seed, std::uint64_t stream)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)},
      counter_{0, 0, static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)} {}

std::uint64_t Rng::bits() {
  if (used_ == 2) {
    const Counter words = philox(counter_, key_);
    block_ = {words[0] | std::uint64_t{words[1]} << 32, words[2] | std::uint64_t{words[3]} << 32};
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

Real Rng::uniform() {
  if constexpr (std::is_same_v<Real, float>) {
    return static_cast<Real>(bits() >> 40) * static_cast<Real>(0x1p-24);
  } else {
    return static_cast<Real>(unit_interval(bits()));
  }
}

// Not in the header: a compiler that fuses the product and the sum rounds differently. This file is built without fma.
Real Rng::uniform(Real low, Real high) { return low + (high - low) * uniform(); }

Real Rng::normal() {
  if (has_spare_normal_) {
    has_spare_normal_ = false;
    return static_cast<Real>(spare_normal_);
  }
  double x = 0, y = 0, radius = 0;
  do {
    x = 2 * unit_interval(bits()) - 1;
    y = 2 * unit_interval(bits()) - 1;
    radius = x * x + y * y;
  } while (radius >= 1 || radius == 0);
  const double scale = std::sqrt(-2 * portable_log(radius) / radius);
  spare_normal_ = y * scale;
  has_spare_normal_ = true;
  return static_cast<Real>(x * scale);
}

Real Rng::normal(Real mean, Real stddev) { return mean + stddev * normal(); }

Index Rng::below(Index bound) {
  require<ValueError>(bound > 0, "Rng::below: the bound is {}; it must be positive", bound);
  const auto range = static_cast<std::uint64_t>(bound);
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(bits()) * range;
  if (static_cast<std::uint64_t>(product) < range) {
    const std::uint64_t threshold = (0 - range) % range;
    while (static_cast<std::uint64_t>(product) < threshold) product = static_cast<Wide>(bits()) * range;
  }
  return static_cast<Index>(product >> 64);
}

std::vector<Index> Rng::permutation(Index n) {
  require<ValueError>(n >= 0, "Rng::permutation: {} items; there must be at least 0", n);
  std::vector<Index> result(static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), Index{0});
  shuffle(result);
  return result;
}

void Rng::shuffle(std::span<Index> items) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[static_cast<std::size_t>(below(static_cast<Index>(i)))]);
  }
}

void Rng::fill_uniform(View out, Real low, Real high) {
  for (Real& value : out) value = uniform(low, high);
}

void Rng::fill_normal(View out, Real mean, Real stddev) {
  for (Real& value : out) value = normal(mean, stddev);
}

}  // namespace cornu
