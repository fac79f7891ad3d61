#include "cornu/models/evaluation.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/models/masked_steps.h"

namespace cornu {

detail::Evaluation::Evaluation(const detail::SequentialState& model, DatasetRef data, Index batch_size, Index steps,
                               ConstView sample_weight, const Ranks& ranks, bool in_parts)
    : model_(model),
      data_(data),
      ranks_(ranks),
      batcher_(data, {.batch_size = batch_size}),
      own_steps_(steps == 0 ? batcher_.batch_count() : std::min(steps, batcher_.batch_count())),
      steps_(own_steps_),
      in_parts_(in_parts && !ranks.alone()),
      weights_(sample_weight),
      tape_(model.inference_tapes),
      tally_(model.compiled->metrics, model.compiled->weighted_metrics, model.compiled->loss.logits()) {
  require<ValueError>(steps >= 0, "evaluate: steps is {}; it must not be negative", steps);
  detail::require_sample_weight(sample_weight, data.size());
  if (!in_parts_) return;
  // As many rounds as the rank with the most batches needs.
  const std::vector<Index> all = ranks.of_all(own_steps_);
  steps_ = *std::max_element(all.begin(), all.end()) * ranks.size();
}

namespace {

double penalty_of(const detail::SequentialState& model, Tape& tape) {
  std::vector<const Parameter*> parameters;
  for (const AnyLayer& layer : model.layers) {
    for (const auto& [name, parameter] : layer.parameters()) parameters.push_back(parameter);
  }
  tape.clear();
  const Var penalty = detail::penalty(tape, parameters);
  return penalty ? static_cast<double>(penalty.item()) : 0;
}

}  // namespace

/// Runs a batch of this rank, and keeps its loss and predictions.
void detail::Evaluation::run_batch(const Batch& batch, double penalty) {
  model_.require_compiled();  // again: a callback may have assigned to the model
  data_.gather_into(x_, y_, batch.rows);
  tape_->clear();
  const CountedSteps counted(model_.forward(tape_->input(x_)), y_, weights_.of(batch.rows, y_, weights_memory_));
  const auto& [y_pred, y_true, weights, all_masked] = counted;
  const Var loss =
      detail::with_added(all_masked ? tape_->constant(Real{0}) : model_.compiled->loss(y_pred, y_true, weights));
  tally_.require_logits(y_pred);
  const double total = static_cast<double>(loss.item()) + penalty;
  if (ranks_.alone()) {
    tally_.add(total, batch.size, y_true, y_pred.value(), weights);
  } else {
    put_result(results_, total, batch.size, y_true, y_pred.value(), weights);
  }
}

Logs detail::Evaluation::run(const detail::Callbacks* callbacks, detail::ProgressDisplay* display) {
  const auto call = [&](Hook hook, Index index, Logs& logs) {
    if (callbacks != nullptr) (*callbacks)(hook, index, logs);
  };
  Logs logs, none;
  tally_.reset();
  batcher_.start_epoch(0);
  const auto body = [&] {
    const double penalty = penalty_of(model_, *tape_);  // of the weights as on_test_begin leaves them
    for (Index first = 0; first < steps_; first += ranks_.size()) {
      // One batch for each rank.
      const Index count = std::min(ranks_.size(), steps_ - first);
      for (Index step = first; step < first + count; ++step) {
        none.clear();
        call(Hook::test_batch_begin, step, none);
      }
      results_.clear();
      ranks_.run([&] {
        if (in_parts_) {
          if (first / ranks_.size() < own_steps_) run_batch(*batcher_.next_rows(), penalty);
          return;
        }
        for (Index i = 0; i < count; ++i) {
          const Batch& batch = *batcher_.next_rows();
          if (i == ranks_.rank()) run_batch(batch, penalty);
        }
      });
      tally_batches();
      tally_.write(logs, false);
      if (callbacks != nullptr) share(ranks_, logs);
      for (Index step = first; step < first + count; ++step) call(Hook::test_batch_end, step, logs);
      if (display != nullptr) display->step(first + count, logs);
    }
    if (steps_ > 0) tally_.write(logs);
    share(ranks_, logs);
  };
  if (callbacks != nullptr) {
    callbacks->during(Hook::test_begin, Hook::test_end, logs, body);
  } else {
    body();
  }
  return logs;
}

/// Adds the batches that the ranks have run to the tally of rank 0.
void detail::Evaluation::tally_batches() {
  if (ranks_.alone()) return;
  const std::span<const std::byte> all = ranks_.gathered(results_.bytes(), all_results_);
  ranks_.run([&] {
    for (Unpacked results(all); !results.empty();) {
      result_.get(results);
      tally_.add(result_.loss, result_.samples, result_.y_true, result_.y_pred, result_.weights);
    }
  });
}

namespace {

Logs evaluate_with(const detail::SequentialState& model, DatasetRef data, const EvaluateOptions& options,
                   const detail::Callbacks* callbacks) {
  model.require_compiled();
  model.require_built();
  model.require_fitting(data, "evaluate");
  model.require_targets(data, "evaluate");
  const detail::Ranks ranks(options.distribution);
  detail::Evaluation evaluation(model, data, options.batch_size, options.steps, options.sample_weight, ranks,
                                options.data_in_parts);
  detail::ProgressDisplay display(ranks.leads() ? options.verbose : Verbose::silent, 1, evaluation.steps());
  display.epoch_begin(0);
  Logs logs = evaluation.run(callbacks, &display);
  display.epoch_end(logs);
  return logs;
}

}  // namespace

Logs Sequential::evaluate(DatasetRef data, const EvaluateOptions& options) const {
  return evaluate_with(*state_, data, options, nullptr);
}

Logs Sequential::evaluate(const Tensor& x, const Tensor& y, const EvaluateOptions& options) const {
  const TensorPair data(x, y);
  return evaluate(data, options);
}

Logs Sequential::evaluate(DatasetRef data, const EvaluateOptions& options, std::vector<AnyCallback> callbacks) {
  Run run{*this};
  const detail::Callbacks all(callbacks, run, detail::Ranks(options.distribution));
  return evaluate_with(*state_, data, options, &all);
}

Logs Sequential::test_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight) const {
  require(x.rank() > 0, "{}: test_on_batch of shape {}; the first axis must be the batch", name(), x.shape());
  return evaluate(x, y, {.batch_size = std::max(x.shape()[0], Index{1}), .sample_weight = sample_weight});
}

}  // namespace cornu
