#pragma once

#include <cmath>
#include <memory>
#include <optional>
#include <vector>

#include "cornu/core/kernels/team.h"
#include "cornu/datasets/batches.h"
#include "cornu/models/batch_weights.h"
#include "cornu/models/distribution/step_together.h"
#include "cornu/models/sequential_state.h"
#include "cornu/models/sharing.h"
#include "cornu/optim/gradient_sum.h"

namespace cornu::detail {

/// A loss as errors print it: without the sign of a NaN, which depends on the processor.
inline double shown(double loss) { return std::isnan(loss) ? std::abs(loss) : loss; }

/// The training steps of one call of fit. A batch is divided into shards. Each shard is gathered and passed through the
/// model on its own tape, on several threads if there are any, and the gradients are summed in the order of the shards.
/// If the model or the loss mixes samples, the whole batch is one shard.
///
/// In a distributed run, each rank passes some of the shards through the model. If the model mixes samples, each rank's
/// part of the batch is one shard.
class TrainingStep {
 public:
  /// The model, the data and the sample weights must outlive it. The options: of fit.
  /// parts: the number of samples of each rank, if each has other data, divided into `batches`; else empty.
  TrainingStep(SequentialState& model, DatasetRef data, detail::BatchWeights weights, const FitOptions& options,
               std::vector<Index> parts, Index batches);

  /// Trains on this batch and adds its loss and predictions to the tally. Returns the loss. If the loss is not finite,
  /// the parameters are unchanged. `index`: number of the step, which selects its random streams. In a distributed run,
  /// only rank 0's tally gets them, but all ranks get the loss.
  double operator()(const Batch& batch, Index index, detail::Tally& tally);

  /// True if this rank has taken steps by itself, so that its weights differ from those of the others.
  bool is_apart() const { return own_steps_ > 0; }
  /// Averages the weights of the ranks, and adds what they have done by themselves to the tally. Returns the mean loss.
  double finish(detail::Tally& tally);

  /// After a step with a non-finite loss, on all ranks: a sentence naming the first layer with a non-finite output.
  std::string where_not_finite();

 private:
  void divide_among_ranks(const Batch& batch);
  bool meets_in_passes() const;
  Index first_row(Index shard) const;
  Index own_samples() const;
  Index samples_of(Index rank, const Batch& batch) const;
  void recruit();
  std::optional<double> step_at_once(detail::Tally& tally);
  std::optional<double> step_in_turn(detail::Tally& tally);
  std::optional<double> step_together(detail::Tally& tally);
  bool steps_apart() const { return average_every_ > 0 && has_met_; }
  double step_apart(detail::Tally& tally);
  void go_through_shards_apart(const detail::Tally& tally);
  bool go_through_own_shards(const detail::Tally& tally);
  /// Deferring products as `step_in_turn` and `step_at_once` do, and without a listener, unless these are given.
  bool go_through(Index first, Index together, std::optional<bool> defers = {}, GradientListener* listener = nullptr);
  std::string own_where_not_finite();
  std::span<const Index> of_shard(Index shard, std::span<const Index> rows) const;
  Rng noise(Index shard) const { return noise_of_step(seed_, index_, shard); }
  double count(const TrainingPass& pass, Index shard, detail::Tally& tally);
  void apply(std::span<const Gradients> gradients);

  SequentialState& model_;
  DatasetRef data_;
  detail::BatchWeights weights_;
  std::uint64_t seed_;
  Index threads_, shard_size_;
  detail::BatchWork work_;                       // `samples` is set by each step
  Index mean_over_ = 0;                          // samples of which the gradient is the mean
  bool mixes_samples_ = false;                   // found in a pass over several shards
  std::unique_ptr<detail::Team> team_;           // created by the first batch of several shards
  bool is_alone_ = false;                        // the system refused to start threads
  std::optional<detail::SharingChoice> choice_;  // created with the team
  std::vector<Index> parts_;                     // samples of each rank if each has other data, divided into batches_
  Index batches_;
  std::unique_ptr<StepTogether> together_;  // null if this process is alone and needs no fixed order of sums

  Index average_every_;
  bool has_met_ = false;  // the ranks have taken a step together
  // The steps that this rank has taken by itself.
  Index own_steps_ = 0;
  double last_loss_ = 0;  // of all ranks
  std::exception_ptr failure_;
  std::string where_not_finite_;

  // The current step.
  std::span<const Index> rows_, upcoming_;
  Index index_ = 0;
  detail::Sharding shards_;
  Index begin_ = 0, end_ = 0;        // the shards of this rank
  detail::Team* sharing_ = nullptr;  // the team, if it shares this step
  double penalty_ = 0;               // computed by the first shard
  Index not_finite_ = 0;             // the last shard with a loss that is not finite
  std::vector<Gradients> gradients_;
  GradientSum sum_;
};

}  // namespace cornu::detail
