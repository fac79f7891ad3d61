#include "cornu/models/sharing.h"

#include <algorithm>
#include <span>
#include <utility>

#include "cornu/core/tensor.h"

namespace cornu::detail {

namespace {

// With fewer rows, a matrix product is dominated by loading the weights.
constexpr Index fewest_samples = 32;
// Minimum number of multiplications in a shard's forward pass: about 200 us of work, long compared with the time
// threads take to synchronize and exchange results, and with the overhead of smaller products.
constexpr Index fewest_multiplications = Index{7} << 20;
// Lower bound per element that a convolution computes. In dense layers each parameter counts as one.
constexpr Index multiplications_each = 16;
// Half of the smallest L2 cache in servers and desktops of the last ten years.
constexpr Index cache_bytes = Index{1} << 19;

// Up to this number of shards, the passes of all shards are kept until the step. The step then computes the deferred
// products directly into the parameters, and shares that work too.
constexpr Index most_at_once = 8;

Index divided_up(Index n, Index by) { return (n + by - 1) / by; }

/// Multiplications in a forward pass over one sample.
Index sample_multiplications(const BatchWork& work) {
  return work.parameters + multiplications_each * work.sample_numbers;
}

}  // namespace

Sharding divide(const BatchWork& work, Index threads, Index shard_size) {
  const Index samples = work.samples;
  const auto real_size = static_cast<Index>(sizeof(Real));
  const bool has_large_gradients = work.parameters * real_size * 8 > cache_bytes;
  const auto shards_of = [=](Index size, bool in_turn = false) {
    const Index count = divided_up(samples, size);
    return Sharding{size, count, in_turn || count > most_at_once, has_large_gradients};
  };
  if (shard_size > 0) return shards_of(std::min(shard_size, samples));

  const Index sample_numbers = std::max(work.sample_numbers, Index{1});
  const Index fitting = std::max(fewest_samples, cache_bytes / (sample_numbers * real_size));
  if (!has_large_gradients && samples >= 4 * fitting) return shards_of(fitting);
  // A shard reads and writes all gradients, so it needs enough samples to pay for that.
  const Index worth = std::max(fitting, 2 * work.parameters / sample_numbers);
  if (const Index rounds = samples / (worth * threads); rounds >= 2) {
    return shards_of(divided_up(samples, rounds * threads), true);
  }

  const Index each =
      std::max(fewest_samples, fewest_multiplications / std::max(sample_multiplications(work), Index{1}));
  return shards_of(divided_up(samples, std::clamp(samples / each, Index{1}, threads)));
}

bool should_pay_to_share(const BatchWork& work, Index threads) {
  // Measured with 784-128-10 and 784-1024-1024-10, on two cores 300 ns apart.
  constexpr double seconds_a_multiplication = 23e-12;  // of the forward pass, including the backward pass's share
  constexpr double seconds_a_parameter = 0.6e-9, seconds_to_meet = 10e-6;
  const double alone = static_cast<double>(work.samples * sample_multiplications(work)) * seconds_a_multiplication;
  const double exchange = static_cast<double>(work.parameters) * seconds_a_parameter + seconds_to_meet;
  return alone / static_cast<double>(threads) + exchange < alone;
}

namespace {

// Minimum duration of a block of steps, so that it spans several scheduler time slices.
constexpr double block_duration = 0.02;
constexpr Index fewest_block_steps = 16;
// Number of steps after which the median is used.
constexpr Index fewest_steps = 3;
// Smaller differences are noise.
constexpr double clearly_less = 0.97;
// If the mean exceeds the median by this factor, some steps wait for a core.
constexpr double stalling = 1.6;
// A trial step slower than the current mode by this factor may end the trial.
constexpr double hopeless = 1.5;
constexpr Index first_wait = 8, longest_wait = 1000;
constexpr Index probation_blocks = 3;

// Trials are frequent at first, when a wrong choice costs most, but few in a run of about 50 steps.
Index longer(Index wait) { return std::min((wait < 64 ? 4 : 2) * wait, longest_wait); }

double median(std::span<const double> values) {
  std::array<double, 11> sorted{};
  const auto end = std::copy(values.begin(), values.end(), sorted.begin());
  const auto middle = sorted.begin() + std::ssize(values) / 2;
  std::nth_element(sorted.begin(), middle, end);
  return *middle;
}

}  // namespace

void SharingChoice::took(double seconds, Index samples) {
  if (!is_of_usual_size(samples)) return;
  if (cold_ > 0) {
    --cold_;
  } else if (tries_) {
    took_in_trial(seconds);
  } else {
    took_in_use(seconds);
  }
}

bool SharingChoice::is_of_usual_size(Index samples) {
  constexpr Index succession = 3;
  if (samples == samples_) {
    unusual_ = 0;
  } else if (samples_ > 0 && ++unusual_ < succession) {
    return false;
  } else {
    *this = SharingChoice(shares_);
    samples_ = samples;
  }
  return true;
}

void SharingChoice::took_in_use(double seconds) {
  last_[static_cast<std::size_t>(steps_++) % last_.size()] = seconds;
  block_seconds_ += seconds;
  if (++block_steps_ >= fewest_block_steps && block_seconds_ >= block_duration) {
    blocks_[static_cast<std::size_t>(block_count_++) % blocks_.size()] =
        block_seconds_ / static_cast<double>(block_steps_);
    block_seconds_ = 0;
    block_steps_ = 0;
  }
  on_probation_ = on_probation_ && block_count_ <= probation_blocks;
  ++steps_since_trial_;
  if (steps_ < fewest_steps) return;
  cost_ = median(std::span(last_).first(std::min(static_cast<std::size_t>(steps_), last_.size())));
  const bool stalls = block_count_ >= std::ssize(blocks_) && median(blocks_) > stalling * cost_;
  if (stalls) cost_ = median(blocks_);

  const bool costs_more = cost_of_other_ > 0 && cost_of_other_ < clearly_less * cost_;
  if (on_probation_ && costs_more) {
    wait_ = std::max(longer(former_wait_), stalls ? 3 * steps_ : 0);
    on_probation_ = false;
    change_way();
  } else if (steps_since_trial_ >= (costs_more ? first_wait : wait_)) {
    tries_ = true;
    trial_steps_ = slow_trial_steps_ = 0;
  }
}

void SharingChoice::took_in_trial(double seconds) {
  trial_[trial_steps_++] = seconds;
  // A single slow step may be an outlier, unless the other mode was as slow in its last trial.
  const bool is_hopeless = seconds > hopeless * cost_;
  const bool is_known = seconds < hopeless * cost_of_other_;
  slow_trial_steps_ += is_hopeless ? 1 : 0;
  if (is_hopeless && (is_known || slow_trial_steps_ == 2)) {
    end_trial(seconds);
  } else if (trial_steps_ == trial_.size()) {
    end_trial(median(trial_));
  }
}

void SharingChoice::end_trial(double result) {
  tries_ = false;
  steps_since_trial_ = 0;
  if (result < clearly_less * cost_) {
    change_way();
    on_probation_ = true;
    former_wait_ = std::exchange(wait_, first_wait);
  } else {
    cost_of_other_ = result;
    wait_ = longer(wait_);
  }
}

void SharingChoice::change_way() {
  shares_ = !shares_;
  cost_of_other_ = cost_;
  steps_ = block_count_ = block_steps_ = steps_since_trial_ = 0;
  block_seconds_ = 0;
}

}  // namespace cornu::detail
