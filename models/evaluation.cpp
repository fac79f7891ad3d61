#include "cornu/models/evaluation.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/models/masked_steps.h"

namespace cornu {

detail::Evaluation::Evaluation(const detail::SequentialState& model, DatasetRef data, Index batch_size, Index steps,
                               ConstView sample_weight)
    : model_(model),
      batcher_(data, {.batch_size = batch_size}),
      steps_(steps == 0 ? batcher_.batch_count() : std::min(steps, batcher_.batch_count())),
      weights_(sample_weight),
      tape_(model.inference_tapes),
      tally_(model.compiled->metrics, model.compiled->weighted_metrics, model.compiled->loss.logits()) {
  require<ValueError>(steps >= 0, "evaluate: steps is {}; it must not be negative", steps);
  detail::require_sample_weight(sample_weight, data.size());
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

Logs detail::Evaluation::run(const detail::Callbacks* callbacks, detail::ProgressDisplay* display) {
  const auto call = [&](Hook hook, Index index, Logs& logs) {
    if (callbacks != nullptr) (*callbacks)(hook, index, logs);
  };
  Logs logs, none;
  tally_.reset();
  batcher_.start_epoch(0);
  const auto body = [&] {
    const double penalty = penalty_of(model_, *tape_);  // of the weights as on_test_begin leaves them
    for (Index step = 0; step < steps_; ++step) {
      none.clear();
      call(Hook::test_batch_begin, step, none);
      model_.require_compiled();  // again: a callback may have assigned to the model
      const Batch& batch = *batcher_.next();
      tape_->clear();
      const CountedSteps counted(model_.forward(tape_->input(batch.x)), batch.y,
                                 weights_.of(batch.rows, batch.y, weights_memory_));
      const auto& [y_pred, y_true, weights, all_masked] = counted;
      const Var loss =
          detail::with_added(all_masked ? tape_->constant(Real{0}) : model_.compiled->loss(y_pred, y_true, weights));
      tally_.require_logits(y_pred);
      tally_.add(static_cast<double>(loss.item()) + penalty, batch.size, y_true, y_pred.value(), weights);
      tally_.write(logs, false);
      call(Hook::test_batch_end, step, logs);
      if (display != nullptr) display->step(step + 1, logs);
    }
    if (steps_ > 0) tally_.write(logs);
  };
  if (callbacks != nullptr) {
    callbacks->during(Hook::test_begin, Hook::test_end, logs, body);
  } else {
    body();
  }
  return logs;
}

namespace {

Logs evaluate_with(const detail::SequentialState& model, DatasetRef data, const EvaluateOptions& options,
                   const detail::Callbacks* callbacks) {
  model.require_compiled();
  model.require_built();
  model.require_fitting(data, "evaluate");
  model.require_targets(data, "evaluate");
  detail::Evaluation evaluation(model, data, options.batch_size, options.steps, options.sample_weight);
  detail::ProgressDisplay display(options.verbose, 1, evaluation.steps());
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
  const detail::Callbacks all{callbacks, run};
  return evaluate_with(*state_, data, options, &all);
}

Logs Sequential::test_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight) const {
  require(x.rank() > 0, "{}: test_on_batch of shape {}; the first axis must be the batch", name(), x.shape());
  return evaluate(x, y, {.batch_size = std::max(x.shape()[0], Index{1}), .sample_weight = sample_weight});
}

}  // namespace cornu
