#include "cornu/models/evaluation.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/eager.h"
#include "cornu/core/shape_hints.h"
#include "cornu/models/metrics/probabilities.h"

namespace cornu {

Evaluation::Evaluation(const detail::SequentialState& model, DatasetRef data, Index batch_size, Index steps,
                       ConstView sample_weight)
    : model_(model),
      batcher_(data, {.batch_size = batch_size}),
      steps_(steps == 0 ? batcher_.batch_count() : std::min(steps, batcher_.batch_count())),
      weights_(sample_weight),
      tape_(model.inference_tapes),
      tally_(model.compiled->metrics, model.compiled->loss.logits()) {
  require<ValueError>(steps >= 0, "evaluate: steps is {}; it must not be negative", steps);
  require_sample_weight(sample_weight, data.size());
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

Logs Evaluation::run(const Callbacks* callbacks, ProgressDisplay* display) {
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
      model_.require_compiled();  // still: a callback may have assigned to the model
      const Batch& batch = *batcher_.next();
      tape_->clear();
      const Var y_pred = model_.forward(tape_->input(batch.x));
      const Var loss =
          detail::with_added(model_.compiled->loss(y_pred, batch.y, weights_.of(batch.rows, batch.y, weights_memory_)));
      tally_.require_logits(y_pred);
      tally_.add(static_cast<double>(loss.item()) + penalty, batch.y, y_pred.value());
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
                   const Callbacks* callbacks) {
  model.require_compiled();
  model.require_built();
  model.require_fitting(data, "evaluate");
  model.require_targets(data, "evaluate");
  Evaluation evaluation(model, data, options.batch_size, options.steps, options.sample_weight);
  ProgressDisplay display(options.verbose, 1, evaluation.steps());
  display.epoch_begin(0);
  Logs logs = evaluation.run(callbacks, &display);
  display.epoch_end(logs);
  return logs;
}

/// Predicts x batch by batch into `out`, which has room for as many samples.
void predict_into(View out, const detail::SequentialState& model, ConstView x, Index batch_size,
                  const Callbacks* callbacks) {
  const Shape in_sample = x.shape().sub(1), out_sample = out.shape().sub(1);
  const auto call = [&](Hook hook, Index index) {
    if (callbacks == nullptr) return;
    Logs none;
    (*callbacks)(hook, index, none);
  };
  const Index samples = x.shape()[0];
  const TapePool::Lease tape(model.inference_tapes);
  const auto body = [&] {
    for (Index first = 0; first < samples; first += batch_size) {
      const Index count = std::min(batch_size, samples - first);
      call(Hook::predict_batch_begin, first / batch_size);
      tape->clear();
      const Var y = model.forward(tape->input({x.data() + first * in_sample.size(), in_sample.batched(count)}));
      require(y.shape() == out_sample.batched(count), "{}: predict made outputs {} where it began with samples of {}",
              model.name, y.shape(), out_sample);  // a callback may have changed the model
      copy(y.value(), overwrite({out.data() + first * out_sample.size(), y.shape()}));
      call(Hook::predict_batch_end, first / batch_size);
    }
  };
  if (callbacks == nullptr) return body();
  Logs none;
  callbacks->during(Hook::predict_begin, Hook::predict_end, none, body);
}

Tensor predict_with(const detail::SequentialState& model, const Tensor& x, const PredictOptions& options,
                    const Callbacks* callbacks) {
  model.require_built();
  require<ValueError>(options.batch_size > 0, "predict: batch_size is {}; it must be positive", options.batch_size);
  require(x.rank() > 0 && x.shape().sub(1) == model.shapes.front(),
          "{}: predict got an input of shape {}; its first axis counts the samples, each of shape {}{}", model.name,
          x.shape(), model.shapes.front(),
          detail::sample_hint(x.shape().sub(std::min(x.rank(), Index{1})), model.shapes.front()));
  Tensor result;
  result.resize(model.shapes.back().batched(x.shape()[0]));
  predict_into(result, model, x, options.batch_size, callbacks);
  return result;
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
  const Callbacks all{callbacks, run};
  return evaluate_with(*state_, data, options, &all);
}

Logs Sequential::test_on_batch(const Tensor& x, const Tensor& y, const Tensor& sample_weight) const {
  require(x.rank() > 0, "{}: test_on_batch of shape {}; the first axis must be the batch", name(), x.shape());
  return evaluate(x, y, {.batch_size = std::max(x.shape()[0], Index{1}), .sample_weight = sample_weight});
}

Tensor Sequential::predict(const Tensor& x, const PredictOptions& options) const {
  return predict_with(*state_, x, options, nullptr);
}

Tensor Sequential::predict(const Tensor& x, const PredictOptions& options, std::vector<AnyCallback> callbacks) {
  Run run{*this};
  const Callbacks all{callbacks, run};
  return predict_with(*state_, x, options, &all);
}

Tensor Sequential::predict(DatasetRef data, const PredictOptions& options) const {
  state_->require_built();
  state_->require_fitting(data, "predict");
  const Shape sample = output_shape();
  Tensor result;
  result.resize(sample.batched(data.size()));
  if (data.size() == 0) return result;
  Batcher batcher(data, {.batch_size = options.batch_size});
  while (const Batch* batch = batcher.next()) {
    predict_into({result.data() + batch->first * sample.size(), sample.batched(batch->size)}, *state_, batch->x,
                 batch->size, nullptr);
  }
  return result;
}

Tensor Sequential::predict_on_batch(const Tensor& x) const {
  require(x.rank() > 0, "{}: predict_on_batch of shape {}; the first axis must be the batch", name(), x.shape());
  return predict(x, {.batch_size = std::max(x.shape()[0], Index{1})});
}

namespace {

/// The position of the largest output, or the probability > 0.5 where there is only one output.
Tensor classes_of(const Tensor& y, const detail::SequentialState& model) {
  require(y.rank() == 2, "predict_classes: outputs are {}; (samples, classes) is required{}", y.shape(),
          y.rank() > 2 ? " (is a Flatten missing?)" : "");
  if (y.shape()[1] != 1) return argmax(y, -1);
  const Logits logits = model.compiled ? model.compiled->loss.logits() : Logits::none;
  Tensor memory, result(Shape{y.size()});
  const ConstView p = detail::probabilities(logits, y, memory);
  for (Index i = 0; i < y.size(); ++i) result[i] = p[i] > Real(0.5) ? Real{1} : Real{0};
  return result;
}

}  // namespace

Tensor Sequential::predict_classes(const Tensor& x, const PredictOptions& options) const {
  return classes_of(predict(x, options), *state_);
}

Tensor Sequential::predict_classes(DatasetRef data, const PredictOptions& options) const {
  return classes_of(predict(data, options), *state_);
}

}  // namespace cornu
