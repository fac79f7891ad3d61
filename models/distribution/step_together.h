#pragma once

#include <exception>
#include <optional>
#include <span>
#include <vector>

#include "cornu/core/autodiff/gradients.h"
#include "cornu/models/distribution/gradient_row.h"
#include "cornu/models/distribution/packed.h"
#include "cornu/models/distribution/ranks.h"
#include "cornu/models/distribution/shard_tree.h"
#include "cornu/models/metrics/tally.h"
#include "cornu/optim/gradient_sum.h"

namespace cornu::detail {

struct TrainingPass;
class Team;

/// What the ranks exchange in a training step: the gradients, whose sums all ranks get, and the losses and predictions,
/// which rank 0 gets.
class StepTogether final : GradientListener {
 public:
  /// How a step went on a rank.
  struct Outcome {
    bool failed = false, mixes_samples = false;
    Index not_finite = -1;  // the last shard whose loss is not finite
    Index bytes = 0;        // of the results
  };

  /// reproducible: sums the gradients in an order that depends only on the shards.
  StepTogether(const Ranks& ranks, bool reproducible) : ranks_(ranks), reproducible_(reproducible) {}

  const Ranks& ranks() const { return ranks_; }
  bool reproducible() const { return reproducible_; }
  /// Shards [first, last) of a step are those of this rank.
  Index first(Index shards) const { return shards * ranks_.rank() / ranks_.size(); }
  Index last(Index shards) const { return shards * (ranks_.rank() + 1) / ranks_.size(); }

  /// Forgets the results of earlier steps.
  void clear_results() { results_.clear(); }
  /// Begins a step. samples: of the batch.
  void start(std::span<Parameter* const> parameters, Index samples);
  /// Before the last shard of this rank is run by the calling thread: its gradients will be summed as they come, while
  /// the backward pass goes on. Null if that gains nothing.
  GradientListener* listener();
  /// Adds the gradients of these passes, the first of which is shard `shard`. heard: `listener` has got the gradients.
  void add(std::span<const Gradients> passes, std::span<const Index> samples, Index shard, bool heard, Team* team);
  /// Adds the loss and predictions of a shard. penalty: of the parameters, if the rank takes the step alone.
  void add_result(const TrainingPass& pass, double penalty = 0);
  /// Sums the gradients over all ranks. To be called however the step went on this rank.
  void sum();
  /// How the step went everywhere: fails on all ranks if it has on one.
  Outcome agree(const std::exception_ptr& failure, bool mixes_samples, Index not_finite);
  /// Rank 0 adds all results to the tally. Returns the loss of the batch on all ranks.
  double tally(Tally& tally);
  /// The summed gradients, valid until the next step.
  Gradients gradients() { return row_->read(total_); }

 private:
  void ready(const Gradients::Entry& entry) override;
  void begin_sums_down_to(std::size_t end);
  double tally_results(Tally& tally, Unpacked results);

  Ranks ranks_;
  bool reproducible_;
  std::optional<GradientRow> row_;
  Index samples_ = 0;
  GradientSum sum_;  // of this rank's shards
  ShardTree tree_;   // the same if reproducible
  std::vector<Real> total_;
  double updates_share_ = 0;
  bool heard_ = false;

  // The sums over all ranks begin at the end of the row, where the backward pass begins.
  std::vector<std::size_t> cuts_;  // where blocks of the row begin, from the last to the first
  std::size_t begun_ = 0;          // blocks
  std::vector<char> is_ready_;     // by parameter
  std::size_t ready_from_ = 0;     // all parameters from this one on are ready

  Packed results_;
  std::vector<Outcome> outcomes_;
  std::vector<std::byte> all_results_;
  Result result_;
};

}  // namespace cornu::detail
