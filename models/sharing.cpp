#include "cornu/models/sharing.h"

#include <algorithm>

#include "cornu/core/tensor.h"

namespace cornu {

namespace {

// Fewer rows than this, and a product spends its time on fetching the weights.
constexpr Index fewest_samples = 32;
// Multiplications, about, that a shard's forward pass must have: some 200 microseconds of work, to which what threads
// need to meet and to fetch each other's results is small, and what smaller products cost as well.
constexpr Index fewest_multiplications = Index{7} << 20;
// For a number that a convolution makes, at the least; in dense layers each parameter counts for one.
constexpr Index multiplications_each = 16;
// Half of the smallest second-level cache of the last ten years' servers and desktops.
constexpr Index cache_bytes = Index{1} << 19;

Index divided_up(Index n, Index by) { return (n + by - 1) / by; }

}  // namespace

Sharding divide(const BatchWork& work, Index threads, Index shard_size) {
  const Index samples = work.samples;
  const auto shards_of = [=](Index size) { return Sharding{size, divided_up(samples, size)}; };
  if (shard_size > 0) return shards_of(std::min(shard_size, samples));

  const auto real_size = static_cast<Index>(sizeof(Real));
  const Index fitting = std::max(fewest_samples, cache_bytes / (std::max(work.sample_numbers, Index{1}) * real_size));
  const bool has_small_gradients = work.parameters * real_size * 8 <= cache_bytes;
  if (has_small_gradients && samples >= 4 * fitting) return shards_of(fitting);

  const Index multiplications = work.parameters + multiplications_each * work.sample_numbers;
  const Index each = std::max(fewest_samples, fewest_multiplications / std::max(multiplications, Index{1}));
  return shards_of(divided_up(samples, std::clamp(samples / each, Index{1}, threads)));
}

void SharingChoice::took(double seconds) {
  constexpr std::size_t jobs_between = 1000;
  if (jobs_ < 2 * trials) {
    seconds_[shares_ ? 1 : 0][jobs_ / 2] = seconds;
    shares_ = !shares_;
  }
  if (++jobs_ == 2 * trials) {
    for (auto& times : seconds_) std::nth_element(times.begin(), times.begin() + trials / 2, times.end());
    shares_ = seconds_[1][trials / 2] < seconds_[0][trials / 2];
  } else if (jobs_ == jobs_between) {
    jobs_ = 0;
  }
}

}  // namespace cornu
