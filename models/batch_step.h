#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cornu/core/kernels/team.h"
#include "cornu/models/sequential_state.h"
#include "cornu/models/sharing.h"
#include "cornu/optim/gradient_sum.h"

namespace cornu {

/// The optimizer's steps of one run of fit. A batch is the sum of its shards: each is gathered and gone through on a
/// tape of its own, several at a time where there are threads for it, and their gradients are summed in their order. A
/// model or a loss that lets samples depend on each other gets the whole batch as one shard.
class BatchStep {
 public:
  /// The model, the data and the sample weights must outlive it. `threads` and `shard_size` as in FitOptions.
  BatchStep(detail::SequentialState& model, DatasetRef data, BatchWeights weights, std::uint64_t seed, Index threads,
            Index shard_size);

  /// Step `index` of the run, with the batch of these rows, counted in the tally. Returns the loss; if that is not
  /// finite, no step was made.
  double operator()(const Batch& batch, Index index, Tally& tally);

  /// After a step whose loss was not finite: a sentence on where that began.
  std::string where_not_finite();

 private:
  void recruit();
  std::optional<double> step_at_once(Tally& tally);
  std::optional<double> step_in_turn(Tally& tally);
  bool go_through(Index first, Index together);
  std::span<const Index> of_shard(Index shard, std::span<const Index> rows) const;
  void gather(TrainingPass& pass, Index shard) const;
  Rng noise(Index shard) const { return detail::noise_of_step(seed_, index_, shard); }
  double count(const TrainingPass& pass, Index shard, Tally& tally);
  void apply(std::span<const Gradients> gradients);

  detail::SequentialState& model_;
  DatasetRef data_;
  BatchWeights weights_;
  std::uint64_t seed_;
  Index threads_, shard_size_;
  BatchWork work_;                       // but for the number of samples
  bool mixes_samples_ = false;           // as the model has shown
  std::unique_ptr<Team> team_;           // once there is something to share
  bool is_alone_ = false;                // because no threads could be had
  std::optional<SharingChoice> choice_;  // likewise

  // Of the step being made.
  std::span<const Index> rows_, upcoming_;
  Index index_ = 0;
  Sharding shards_;
  Team* sharing_ = nullptr;  // the team, if it is to share this step
  double penalty_ = 0;       // as the first shard has it
  Index not_finite_ = 0;     // the last shard whose loss was not finite
  std::vector<Gradients> gradients_;
  GradientSum sum_;
};

}  // namespace cornu
