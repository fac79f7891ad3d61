#include <algorithm>
#include <cmath>
#include <exception>
#include <string>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/models/distribution/model_state.h"
#include "cornu/models/training_step.h"

/// The training step in a distributed run, or with a fixed order of sums.
namespace cornu::detail {

/// The samples that a rank has in this batch, if each has other data.
Index TrainingStep::samples_of(Index rank, const Batch& batch) const {
  const Index part = parts_[static_cast<std::size_t>(rank)];
  return part * (batch.index + 1) / batches_ - part * batch.index / batches_;
}

/// Divides the batch into shards, of which this rank gets some.
void TrainingStep::divide_among_ranks(const Batch& batch) {
  const Index ranks = together_ ? together_->ranks().size() : 1;
  work_.samples = batch.size;
  if (!parts_.empty()) {
    work_.samples = 0;
    shards_ = {.size = shard_size_, .in_turn = true};
    for (Index rank = 0; rank < ranks; ++rank) {
      const Index samples = samples_of(rank, batch);
      work_.samples += samples;
      if (rank == together_->ranks().rank()) begin_ = shards_.count;
      shards_.count += mixes_samples_ ? std::min(samples, Index{1}) : (samples + shard_size_ - 1) / shard_size_;
      if (rank == together_->ranks().rank()) end_ = shards_.count;
    }
    return;
  }
  if (mixes_samples_) {
    const Index parts = work_.samples < ranks ? 1 : ranks;
    shards_ = {work_.samples / parts, parts, together_ != nullptr};
  } else {
    shards_ = divide(work_, threads_, shard_size_);
    shards_.in_turn = shards_.in_turn || together_ != nullptr;
  }
  begin_ = together_ ? together_->first(shards_.count) : 0;
  end_ = together_ ? together_->last(shards_.count) : shards_.count;
}

/// True if each rank has one part of the batch, so that layers can exchange sums over the batch in their passes.
bool TrainingStep::meets_in_passes() const {
  return mixes_samples_ && !steps_apart() && together_ && !together_->ranks().alone() &&
         shards_.count == together_->ranks().size();
}

/// Runs the shards of this rank, then sums over all ranks and steps. Returns nullopt as step_at_once does, on all
/// ranks.
std::optional<double> TrainingStep::step_together(detail::Tally& tally) {
  together_->start(model_.optimizer->parameters(), work_.samples);
  not_finite_ = -1;
  bool divides = true;
  std::exception_ptr failure;
  try {
    divides = go_through_own_shards(tally);
  } catch (...) {
    failure = std::current_exception();
  }
  together_->sum();
  const StepTogether::Outcome outcome = together_->agree(failure, !divides, not_finite_);
  if (outcome.mixes_samples) {
    require<ValueError>(!together_->reproducible() || together_->ranks().alone(),
                        "the model mixes the samples of a batch (BatchNormalization does), so that the result "
                        "depends on the number of ranks; set .reproducible = false");
    return std::nullopt;
  }
  const double loss = last_loss_ = together_->tally(tally);
  if (std::isfinite(loss)) {
    const Gradients gradients = together_->gradients();
    apply({&gradients, 1});
  }
  return loss;
}

/// Takes a step with the shards of this rank alone. Returns the last known loss of all ranks.
double TrainingStep::step_apart(detail::Tally& tally) {
  if (own_steps_ == 0) {
    together_->clear_results();
    where_not_finite_.clear();
  }
  ++own_steps_;
  if (!failure_) {
    try {
      go_through_shards_apart(tally);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  return own_steps_ == average_every_ ? finish(tally) : last_loss_;
}

void TrainingStep::go_through_shards_apart(const detail::Tally& tally) {
  mean_over_ = own_samples();
  sum_.clear();
  double penalty = 0;
  bool is_finite = true;
  const Index at_a_time = sharing_ != nullptr ? sharing_->size() : 1;
  for (Index shard = begin_; shard < end_; shard += at_a_time) {
    const Index count = std::min(at_a_time, end_ - shard);
    go_through(shard, count);
    gradients_.clear();
    for (Index i = 0; i < count; ++i) {
      const TrainingPass& pass = model_.pass(i);
      if (shard + i == begin_) penalty = pass.penalty;
      if (!std::isfinite(pass.loss + penalty)) {
        is_finite = false;
        not_finite_ = shard + i;
      }
      tally.require_logits(pass.y_pred);
      together_->add_result(pass, penalty);
      gradients_.push_back(pass.gradients);
    }
    sum_.add(gradients_, sharing_);
  }
  if (!is_finite) {
    where_not_finite_ = own_where_not_finite();
  } else if (begin_ < end_) {
    const Gradients gradients = sum_.gradients();
    apply({&gradients, 1});
  }
}

double TrainingStep::finish(detail::Tally& tally) {
  own_steps_ = 0;
  together_->agree(std::exchange(failure_, nullptr), false, -1);
  last_loss_ = together_->tally(tally);
  if (std::isfinite(last_loss_)) average_model(together_->ranks(), model_);
  return last_loss_;
}

/// Returns false if the model mixes samples and the batch is divided as if it did not.
bool TrainingStep::go_through_own_shards(const detail::Tally& tally) {
  const Index at_a_time = sharing_ != nullptr ? sharing_->size() : 1;
  std::vector<Index> samples;
  for (Index shard = begin_; shard < end_; shard += at_a_time) {
    const Index count = std::min(at_a_time, end_ - shard);
    GradientListener* const listener = count == 1 && shard + 1 == end_ ? together_->listener() : nullptr;
    const bool defers = shards_.has_large_gradients && !together_->reproducible() && listener == nullptr;
    if (!go_through(shard, count, defers, listener)) return false;
    gradients_.clear();
    samples.clear();
    for (Index i = 0; i < count; ++i) {
      const TrainingPass& pass = model_.pass(i);
      if (!std::isfinite(pass.loss + pass.penalty)) not_finite_ = shard + i;
      tally.require_logits(pass.y_pred);
      together_->add_result(pass);
      gradients_.push_back(pass.gradients);
      samples.push_back(pass.x.shape()[0]);
    }
    together_->add(gradients_, samples, shard, listener != nullptr, sharing_);
  }
  return true;
}

std::string TrainingStep::where_not_finite() {
  if (together_ == nullptr) return own_where_not_finite();
  const Ranks& ranks = together_->ranks();
  std::string own;
  ranks.run([&] {
    if (!where_not_finite_.empty()) {
      own = where_not_finite_;
    } else if (not_finite_ >= 0) {
      own = own_where_not_finite();
    }
  });
  for (std::string& text : ranks.of_all(own)) {
    if (!text.empty()) return std::move(text);
  }
  return own;
}

}  // namespace cornu::detail
