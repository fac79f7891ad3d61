#pragma once

#include <array>

#include "cornu/core/shape.h"

namespace cornu::detail {

/// How the samples of a batch are divided into shards.
struct Sharding {
  Index size = 0;   // samples per shard; the last one may have fewer
  Index count = 0;  // shards
  /// Only some shards are in flight at a time, and their gradients are accumulated. Otherwise all shards' gradients are
  /// kept until the step.
  bool in_turn = false;
  /// The gradients are so large that their matrix products accumulate directly into the sum.
  bool has_large_gradients = false;
};

/// The work of one batch.
struct BatchWork {
  Index samples = 0;
  Index sample_numbers = 0;  // elements of a sample plus those that the layers compute from it
  Index parameters = 0;      // elements of the model's parameters
};

/// Divides a batch into shards: one per thread if each gets enough work, and as many as keep each shard in the cache if
/// the gradients are small or there is only one thread. The result depends only on the arguments, never on the clock,
/// because the shards determine the order in which gradients are summed. shard_size: 0 if not given.
Sharding divide(const BatchWork& work, Index threads, Index shard_size);

/// Initial guess, before any measurement, whether sharing a batch between threads shortens a step: true if the
/// arithmetic taken over by other threads costs more than exchanging the changed parameters.
bool should_pay_to_share(const BatchWork& work, Index threads);

/// Decides by measured times whether a repeated step is shared between threads.
///
/// It starts with the mode expected to be faster. Occasionally it tries the other mode for three steps, and switches if
/// their median is below the current mode's cost. That cost is the median of the mode's last steps or, if 1.6 times
/// larger, the median of the mean step times of its last three 20 ms blocks: on a busy machine most steps may be fast
/// while every tenth waits for a core. If the new mode turns out to cost more than the old one, it switches back.
/// Trials that fail become rarer. If the current mode becomes more expensive than the other one was, the other mode is
/// tried soon.
class SharingChoice {
 public:
  explicit SharingChoice(bool shares_at_first = true) : shares_(shares_at_first) {}

  /// True if the next step should be shared.
  bool shares() const { return shares_ != tries_; }
  /// Reports how long that step took and how many samples it had. A step of another size, such as an epoch's last one,
  /// is ignored; several in succession restart the comparison.
  void took(double seconds, Index samples);

 private:
  bool is_of_usual_size(Index samples);
  void took_in_use(double seconds);
  void took_in_trial(double seconds);
  void end_trial(double result);
  void change_way();

  bool shares_;                          // the current mode
  Index samples_ = 0, unusual_ = 0;      // per step; successive steps with another number
  Index cold_ = 2;                       // first steps still to be ignored because they are slow
  double cost_ = 0, cost_of_other_ = 0;  // seconds per step; 0: unknown

  // The current mode.
  std::array<double, 11> last_{};   // steps
  std::array<double, 3> blocks_{};  // means
  Index steps_ = 0, block_count_ = 0;
  double block_seconds_ = 0;
  Index block_steps_ = 0;
  bool on_probation_ = false;

  // Trials of the other mode.
  bool tries_ = false;
  std::array<double, 3> trial_{};
  std::size_t trial_steps_ = 0, slow_trial_steps_ = 0;
  Index wait_ = 3, former_wait_ = 3, steps_since_trial_ = 0;  // counted in steps
};

}  // namespace cornu::detail
