#include "cornu/models/distribution/step_together.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

namespace {

// Large enough that a message costs more than its start, small enough that the first is under way soon.
constexpr std::size_t block_bytes = std::size_t{1} << 20;

}  // namespace

void StepTogether::start(std::span<Parameter* const> parameters, Index samples) {
  if (!row_ || !row_->fits(parameters)) {  // a callback may have built the model anew
    row_.emplace(parameters);
    total_.assign(row_->size(), Real{0});
    cuts_.clear();
    std::size_t end = row_->size();
    for (std::size_t i = parameters.size(); i-- > 0;) {
      const std::size_t begin = row_->starts()[i];
      if ((end - begin) * sizeof(Real) < block_bytes) continue;
      cuts_.push_back(begin);
      end = begin;
    }
    if (cuts_.empty() || cuts_.back() > 0) cuts_.push_back(0);
    // The weights in front of the parameters are known only at the end.
    if (cuts_.size() > 1 && cuts_[cuts_.size() - 2] == row_->starts().front()) cuts_.erase(cuts_.end() - 2);
  }
  samples_ = samples;
  sum_.clear();
  tree_.start(row_->size());
  results_.clear();
  updates_share_ = 0;
  begun_ = 0;
  heard_ = false;
  is_ready_.assign(parameters.size(), 0);
  ready_from_ = parameters.size();
}

GradientListener* StepTogether::listener() {
  if (ranks_.alone() || reproducible_ || cuts_.size() < 2) return nullptr;
  row_->write(sum_.gradients(), updates_share_, total_);
  return this;
}

void StepTogether::add(std::span<const Gradients> passes, std::span<const Index> samples, Index shard, bool heard,
                       Team* team) {
  heard_ = heard;
  if (reproducible_) {
    for (std::size_t i = 0; i < passes.size(); ++i) {
      const double share = static_cast<double>(samples[i]) / static_cast<double>(samples_);
      row_->write(passes[i], share, tree_.next());
      tree_.add(static_cast<std::size_t>(shard) + i);
    }
    return;
  }
  for (const Index count : samples) updates_share_ += static_cast<double>(count) / static_cast<double>(samples_);
  if (heard) {
    row_->write_updates(passes.front(), updates_share_, total_);
  } else {
    sum_.add(passes, team);
  }
}

void StepTogether::ready(const Gradients::Entry& entry) {
  const std::size_t i = row_->add(entry, total_);
  is_ready_[i] = 1;
  while (ready_from_ > 0 && is_ready_[ready_from_ - 1] != 0) --ready_from_;
  begin_sums_down_to(row_->starts()[ready_from_]);
}

/// Begins the sums of all blocks from `end` on, in order.
void StepTogether::begin_sums_down_to(std::size_t end) {
  while (begun_ < cuts_.size() && cuts_[begun_] >= end) {
    const std::size_t first = cuts_[begun_], last = begun_ == 0 ? total_.size() : cuts_[begun_ - 1];
    ranks_.communicator().begin_sum(std::span(total_).subspan(first, last - first));
    ++begun_;
  }
  if (begun_ > 0) ranks_.communicator().progress();
}

void StepTogether::sum() {
  if (reproducible_) {
    tree_.sum(ranks_, total_);
    return;
  }
  if (!heard_ && begun_ == 0) row_->write(sum_.gradients(), updates_share_, total_);
  begin_sums_down_to(0);
  ranks_.communicator().finish_sums();
}

void StepTogether::add_result(const TrainingPass& pass, double penalty) {
  results_.put(pass.penalty);
  put_result(results_, pass.loss + penalty, pass.x.shape()[0], pass.y_true, pass.y_pred.value(), pass.weights);
}

StepTogether::Outcome StepTogether::agree(const std::exception_ptr& failure, bool mixes_samples, Index not_finite) {
  outcomes_ = ranks_.of_all(Outcome{failure != nullptr, mixes_samples, not_finite, std::ssize(results_.bytes())});
  Outcome all;
  for (const Outcome& outcome : outcomes_) {
    all.failed = all.failed || outcome.failed;
    all.mixes_samples = all.mixes_samples || outcome.mixes_samples;
    all.not_finite = std::max(all.not_finite, outcome.not_finite);
  }
  if (all.failed && ranks_.alone()) std::rethrow_exception(failure);
  if (all.failed) ranks_.agree(failure);
  return all;
}

double StepTogether::tally_results(Tally& tally, Unpacked results) {
  double loss_of_samples = 0, penalty = 0;
  Index samples = 0;
  for (bool first = true; !results.empty(); first = false) {
    const auto own_penalty = results.get<double>();
    result_.get(results);
    if (first) penalty = own_penalty;
    const double loss = result_.loss + penalty;
    tally.add(loss, result_.samples, result_.y_true, result_.y_pred, result_.weights);
    loss_of_samples += loss * static_cast<double>(result_.samples);
    samples += result_.samples;
  }
  return loss_of_samples / static_cast<double>(samples);
}

double StepTogether::tally(Tally& tally) {
  std::span<const std::byte> results = results_.bytes();
  if (!ranks_.alone()) {
    std::vector<Index> sizes;
    Index size = 0;
    for (const Outcome& outcome : outcomes_) {
      sizes.push_back(outcome.bytes);
      size += outcome.bytes;
    }
    all_results_.resize(ranks_.leads() ? static_cast<std::size_t>(size) : 0);
    ranks_.communicator().gather(results_.bytes(), sizes, all_results_);
    results = all_results_;
  }
  double loss = 0;
  std::exception_ptr failure;
  try {
    if (ranks_.leads()) loss = tally_results(tally, Unpacked(results));
  } catch (...) {
    if (ranks_.alone()) throw;
    failure = std::current_exception();
  }
  struct {
    double loss;
    bool failed;
  } step{loss, failure != nullptr};
  ranks_.share(step);
  if (step.failed) ranks_.agree(failure);
  return step.loss;
}

}  // namespace cornu::detail
