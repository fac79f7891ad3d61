#include "cornu/models/batch_step.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/optim/shared_step.h"

namespace cornu {

namespace {

Index parameter_count(detail::SequentialState& model) {
  Index result = 0;
  for (const NamedParameter& named : model.parameters()) result += named.parameter->value.size();
  return result;
}

}  // namespace

BatchStep::BatchStep(detail::SequentialState& model, DatasetRef data, BatchWeights weights, std::uint64_t seed,
                     Index threads, Index shard_size)
    : model_(model),
      data_(data),
      weights_(std::move(weights)),
      seed_(seed),
      threads_(threads > 0 ? threads : available_cores()),
      shard_size_(shard_size),
      work_{.parameters = parameter_count(model)} {
  for (const Shape& shape : model.shapes) work_.sample_numbers += shape.size();
}

double BatchStep::operator()(const Batch& batch, Index index, Tally& tally) {
  using Clock = std::chrono::steady_clock;
  model_.prepare_training();  // at every step: a callback may have compiled or built the model anew
  rows_ = batch.rows;
  upcoming_ = batch.upcoming;
  index_ = index;
  work_.samples = batch.size;
  shards_ = mixes_samples_ ? Sharding{work_.samples, 1} : divide(work_, threads_, shard_size_);
  const bool may_share = threads_ > 1 && shards_.count > 1;
  if (may_share && team_ == nullptr && !is_alone_) recruit();
  if (may_share && !choice_) choice_.emplace(should_pay_to_share(work_, threads_));
  sharing_ = may_share && choice_->shares() ? team_.get() : nullptr;
  const Index passes = !shards_.in_turn ? shards_.count : sharing_ != nullptr ? sharing_->size() : 1;
  model_.make_passes(passes);

  const auto begin = Clock::now();
  const std::optional<double> loss = shards_.in_turn ? step_in_turn(tally) : step_at_once(tally);
  if (!loss) {
    mixes_samples_ = true;
    return (*this)(batch, index, tally);
  }
  if (may_share) choice_->took(std::chrono::duration<double>(Clock::now() - begin).count(), work_.samples);
  return *loss;
}

void BatchStep::recruit() {
  set_up_blas();  // before there are threads
  try {
    team_ = std::make_unique<Team>(threads_);
  } catch (const std::system_error&) {
    is_alone_ = true;  // no more threads are to be had: the caller's goes through all shards
  }
}

/// All shards, then the step. Nothing if the shards turn out to depend on each other.
std::optional<double> BatchStep::step_at_once(Tally& tally) {
  if (!go_through(0, shards_.count)) return std::nullopt;
  double loss = 0;
  gradients_.clear();
  for (Index shard = 0; shard < shards_.count; ++shard) {
    TrainingPass& pass = model_.pass(shard);
    loss += count(pass, shard, tally);
    gradients_.push_back(pass.gradients);
  }
  if (std::isfinite(loss)) apply(gradients_);
  return loss;
}

/// As many shards at a time as there are threads; their gradients are added up before the next come.
std::optional<double> BatchStep::step_in_turn(Tally& tally) {
  double loss = 0;
  sum_.clear();
  const Index at_a_time = sharing_ != nullptr ? sharing_->size() : 1;
  for (Index first = 0; first < shards_.count; first += at_a_time) {
    const Index together = std::min(at_a_time, shards_.count - first);
    if (!go_through(first, together)) return std::nullopt;
    gradients_.clear();
    for (Index i = 0; i < together; ++i) {
      loss += count(model_.pass(i), first + i, tally);
      gradients_.push_back(model_.pass(i).gradients);
    }
    sum_.add(gradients_, sharing_);
  }
  const Gradients gradients = sum_.gradients();
  if (std::isfinite(loss)) apply({&gradients, 1});
  return loss;
}

/// Takes `together` shards, from `first` on, forward and backward, on the first of the model's passes.
bool BatchStep::go_through(Index first, Index together) {
  const auto go = [&](Index i) {
    TrainingPass& pass = model_.pass(i);
    try {
      gather(pass, first + i);
      const Index next = first + together + i;  // by the thread that will gather it
      data_.prefetch(next < shards_.count ? of_shard(next, rows_) : of_shard(next - shards_.count, upcoming_));
      const double share = static_cast<double>(pass.x.shape()[0]) / static_cast<double>(work_.samples);
      model_.run(
          pass, pass.x, pass.y, weights_.of(of_shard(first + i, rows_), pass.y, pass.sample_weight), noise(first + i),
          {.gradient = static_cast<Real>(share), .defer_products = !shards_.in_turn || shards_.has_large_gradients},
          first + i == 0);
    } catch (Error& error) {
      if (shards_.count > 1) error.add_context(message("the shard from sample {} on", (first + i) * shards_.size));
      throw;
    }
  };
  if (sharing_ == nullptr) {
    for (Index i = 0; i < together; ++i) go(i);
  } else {
    const Index members = std::min(sharing_->size(), together);
    sharing_->run(members, [&](Index member) {
      for (Index i = member; i < together; i += members) go(i);
    });
  }
  for (Index i = 0; i < together && shards_.count > 1; ++i) {
    if (model_.pass(i).tape.mixes_samples()) return false;
  }
  return true;
}

std::span<const Index> BatchStep::of_shard(Index shard, std::span<const Index> rows) const {
  const auto first = std::min(static_cast<std::size_t>(shard * shards_.size), rows.size());
  return rows.subspan(first, std::min(static_cast<std::size_t>(shards_.size), rows.size() - first));
}

void BatchStep::gather(TrainingPass& pass, Index shard) const {
  const std::span<const Index> rows = of_shard(shard, rows_);
  pass.x.resize(data_.feature_shape().batched(std::ssize(rows)));
  pass.y.resize(data_.target_shape().batched(std::ssize(rows)));
  data_.gather(rows, pass.x, pass.y);
}

/// Counts a pass in the tally; returns its part of the batch's loss.
double BatchStep::count(const TrainingPass& pass, Index shard, Tally& tally) {
  if (shard == 0) penalty_ = pass.penalty;
  const double loss = pass.loss + penalty_;
  if (!std::isfinite(loss)) not_finite_ = shard;
  tally.require_logits(pass.y_pred);
  tally.add(loss, pass.y, pass.y_pred.value());
  return loss * (static_cast<double>(pass.x.shape()[0]) / static_cast<double>(work_.samples));
}

void BatchStep::apply(std::span<const Gradients> gradients) {
  for (const Gradients& each : gradients) model_.require_known(each);
  detail::step(*model_.optimizer, gradients, sharing_);
}

std::string BatchStep::where_not_finite() {
  TrainingPass& pass = model_.pass(0);
  gather(pass, not_finite_);
  return model_.where_not_finite(pass, pass.x, noise(not_finite_));
}

}  // namespace cornu
