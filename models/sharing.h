#pragma once

#include <array>

#include "cornu/core/shape.h"

namespace cornu {

/// How the samples of a batch are divided into shards.
struct Sharding {
  Index size = 0;   // samples a shard; the last one may have fewer
  Index count = 0;  // shards
};

/// What there is to divide.
struct BatchWork {
  Index samples = 0;
  Index sample_numbers = 0;  // that a sample consists of, and all that the layers make of it
  Index parameters = 0;      // numbers in the model's parameters
};

/// Divides a batch into shards: as many as threads, where each gets enough to do, and as many as it takes to keep each
/// in the cache, where the gradients are so small that summing them costs little. It goes by these numbers alone and
/// never by the clock, because the shards decide in which order gradients are summed. shard_size: 0 for none given.
Sharding divide(const BatchWork& work, Index threads, Index shard_size);

/// Decides by the clock whether a job that comes again and again is shared: it is done both ways in turns, then in the
/// way that was faster, and after a thousand times the other way is tried again: a machine has other things to do, too.
class SharingChoice {
 public:
  /// Whether the next job is to be shared.
  bool shares() const { return shares_; }
  /// How long it took.
  void took(double seconds);

 private:
  static constexpr std::size_t trials = 3;  // of each way
  std::array<std::array<double, trials>, 2> seconds_{};
  std::size_t jobs_ = 0;  // since the last comparison began
  bool shares_ = true;
};

}  // namespace cornu
