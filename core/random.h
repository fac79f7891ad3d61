#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

/// Random numbers that are the same on every machine, with every compiler and standard library: Philox4x32-10, a
/// counter-based generator with a period of 2^65 draws per stream. Different pairs (seed, stream) give independent
/// sequences, so that every epoch, batch or thread can have one without sharing a generator. Source: Salmon, Moraes,
/// Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
class Rng {
 public:
  explicit Rng(std::uint64_t seed = 0, std::uint64_t stream = 0);

  /// 64 uniform bits.
  std::uint64_t bits();

  /// Uniform in [0, 1), a multiple of 2^-24 (2^-53 if Real is double). Takes one draw of `bits`.
  Real uniform();
  /// Uniform in [low, high). Rounding may return `high` itself.
  Real uniform(Real low, Real high);

  /// Normal with mean 0 and standard deviation 1, by Marsaglia's polar method.
  Real normal();
  Real normal(Real mean, Real stddev);

  /// Uniform in {0, ..., bound - 1}, without bias (Lemire 2019). Throws ValueError unless bound > 0.
  Index below(Index bound);

  /// A uniformly random order of 0, ..., n - 1 (Fisher and Yates). Throws ValueError for n < 0.
  std::vector<Index> permutation(Index n);
  /// Shuffles the items in place, uniformly.
  void shuffle(std::span<Index> items);

  void fill_uniform(View out, Real low, Real high);
  void fill_normal(View out, Real mean, Real stddev);

 private:
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint64_t, 2> block_{};
  int used_ = 2;
  double spare_normal_ = 0;
  bool has_spare_normal_ = false;
};

}  // namespace cornu
