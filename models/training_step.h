#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "cornu/core/kernels/team.h"
#include "cornu/datasets/batches.h"
#include "cornu/models/batch_weights.h"
#include "cornu/models/sequential_state.h"
#include "cornu/models/sharing.h"
#include "cornu/optim/gradient_sum.h"

namespace cornu::detail {

/// A loss as errors print it: without the sign of a NaN, which depends on the processor.
inline double shown(double loss) { return std::isnan(loss) ? std::abs(loss) : loss; }

/// The training steps of one call of fit. A batch is divided into shards. Each shard is gathered and passed through the
/// model on its own tape, on several threads if there are any, and the gradients are summed in the order of the shards.
/// If the model or the loss mixes samples, the whole batch is one shard.
class TrainingStep {
 public:
  /// The model, the data and the sample weights must outlive it. `threads` and `shard_size` as in FitOptions.
  TrainingStep(SequentialState& model, DatasetRef data, BatchWeights weights, std::uint64_t seed, Index threads,
               Index shard_size);

  /// Makes step `index` of the run with the rows of this batch and adds its loss and predictions to the tally. Returns
  /// the loss. If the loss is not finite, the parameters stay as they are.
  double operator()(const Batch& batch, Index index, Tally& tally);

  /// After a step with a loss that is not finite: a sentence that names the first layer with such an output.
  std::string where_not_finite();

 private:
  void recruit();
  std::optional<double> step_at_once(Tally& tally);
  std::optional<double> step_in_turn(Tally& tally);
  bool go_through(Index first, Index together);
  std::span<const Index> of_shard(Index shard, std::span<const Index> rows) const;
  Rng noise(Index shard) const { return noise_of_step(seed_, index_, shard); }
  double count(const TrainingPass& pass, Index shard, Tally& tally);
  void apply(std::span<const Gradients> gradients);

  SequentialState& model_;
  DatasetRef data_;
  BatchWeights weights_;
  std::uint64_t seed_;
  Index threads_, shard_size_;
  BatchWork work_;                       // `samples` is set by each step
  bool mixes_samples_ = false;           // found in a pass over several shards
  std::unique_ptr<Team> team_;           // created by the first batch of several shards
  bool is_alone_ = false;                // the system refused to start threads
  std::optional<SharingChoice> choice_;  // created with the team

  // The current step.
  std::span<const Index> rows_, upcoming_;
  Index index_ = 0;
  Sharding shards_;
  Team* sharing_ = nullptr;  // the team, if it shares this step
  double penalty_ = 0;       // computed by the first shard
  Index not_finite_ = 0;     // the last shard with a loss that is not finite
  std::vector<Gradients> gradients_;
  GradientSum sum_;
};

}  // namespace cornu::detail
