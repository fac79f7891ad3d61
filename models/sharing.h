#pragma once

#include <array>

#include "cornu/core/shape.h"

namespace cornu {

/// How the samples of a batch are divided into shards.
struct Sharding {
  Index size = 0;   // samples a shard; the last one may have fewer
  Index count = 0;  // shards
  /// Some shards are gone through at a time and their gradients added up, instead of all of them before the step.
  bool in_turn = false;
  /// Gradients are so large that their products are made straight into the sum.
  bool has_large_gradients = false;
};

/// What there is to divide.
struct BatchWork {
  Index samples = 0;
  Index sample_numbers = 0;  // that a sample consists of, and all that the layers make of it
  Index parameters = 0;      // numbers in the model's parameters
};

/// Divides a batch into shards: as many as threads, where each gets enough to do, and as many as it takes to keep each
/// in the cache, where the gradients are small or there is only one thread. It goes by these numbers alone and
/// never by the clock, because the shards decide in which order gradients are summed. shard_size: 0 for none given.
Sharding divide(const BatchWork& work, Index threads, Index shard_size);

/// Whether sharing a batch between threads should make a step shorter, before anything has been measured: whether the
/// multiplications that other threads take over cost more than fetching each other's changes of the parameters.
bool should_pay_to_share(const BatchWork& work, Index threads);

/// Decides by the clock whether a step that comes again and again is shared.
///
/// It starts with the way that was expected to be faster. Now and then the other way is tried for three steps, and used
/// from then on if their median is less than what the way in use costs. That is the median of its last steps or, where
/// more, the least of the means of its last three blocks of 20 ms: on a busy machine most steps may be fast and every
/// tenth one wait for a core. A way that turns out to cost more than the former one is left again. Trials that fail
/// come ever less often; when the way in use begins to cost more than the other one did, that is tried at once.
class SharingChoice {
 public:
  explicit SharingChoice(bool shares_at_first = true) : shares_(shares_at_first) {}

  /// Whether the next step is to be shared.
  bool shares() const { return shares_ != tries_; }
  /// How long that step took, and how many samples it had. A step of a different size, such as the last one of an
  /// epoch, says nothing about the others; several in succession start the comparison anew.
  void took(double seconds, Index samples);

 private:
  bool is_of_usual_size(Index samples);
  void took_in_use(double seconds);
  void took_in_trial(double seconds);
  void end_trial(double result);
  void change_way();

  bool shares_;                          // the way in use
  Index samples_ = 0, unusual_ = 0;      // of a step; steps in succession that had another number
  Index cold_ = 2;                       // steps still to come that are slow because they are the first
  double cost_ = 0, cost_of_other_ = 0;  // of a step; 0: unknown

  // The way in use.
  std::array<double, 11> last_{};   // steps
  std::array<double, 3> blocks_{};  // means
  Index steps_ = 0, block_count_ = 0;
  double block_seconds_ = 0;
  Index block_steps_ = 0;
  bool on_probation_ = false;

  // Trials of the other way.
  bool tries_ = false;
  std::array<double, 3> trial_{};
  std::size_t trial_steps_ = 0, slow_trial_steps_ = 0;
  Index wait_ = 3, former_wait_ = 3, steps_since_trial_ = 0;  // counted in steps
};

}  // namespace cornu
