#include "cornu/models/evaluation.h"

#include <algorithm>

#include "cornu/core/eager.h"
#include "cornu/core/error.h"
#include "cornu/core/kernels.h"

namespace cornu {

Evaluation::Evaluation(const detail::SequentialState& model, DatasetRef data, Index batch_size, Index steps,
                       const Tensor& sample_weight)
    : model_(model),
      batcher_(data, {.batch_size = batch_size}),
      steps_(steps == 0 ? batcher_.batch_count() : std::min(steps, batcher_.batch_count())),
      weights_(sample_weight, no_class_weight_, data.size()),
      tape_(model.inference_tapes),
      tally_(model.compiled->metrics) {
  require<ValueError>(steps >= 0, "evaluate: steps is {}; it must not be negative", steps);
}

Logs Evaluation::run(std::string_view prefix, const Callbacks* callbacks, ProgressDisplay* display) {
  const auto call = [&](Hook hook, Index index, Logs& logs) {
    if (callbacks != nullptr) (*callbacks)(hook, index, logs);
  };
  Logs logs;
  tally_.reset();
  batcher_.start_epoch(0);
  call(Hook::test_begin, 0, logs);
  for (Index step = 0; step < steps_; ++step) {
    call(Hook::test_batch_begin, step, logs);
    const Batch& batch = *batcher_.next();
    tape_->clear();
    const Var y_pred = model_.forward(tape_->input(batch.x));
    const Var loss = model_.compiled->loss(y_pred, batch.y, weights_.of(batch));
    tally_.add(static_cast<double>(loss.item()), batch.y, y_pred.value());
    tally_.write(logs, prefix);
    call(Hook::test_batch_end, step, logs);
    if (display != nullptr) display->step(step + 1, logs);
  }
  call(Hook::test_end, 0, logs);
  return logs;
}

namespace {

Logs evaluate_with(const detail::SequentialState& model, DatasetRef data, const EvaluateOptions& options,
                   const Callbacks* callbacks) {
  model.require_compiled();
  model.require_built();
  model.require_fitting(data, "evaluate");
  Evaluation evaluation(model, data, options.batch_size, options.steps, options.sample_weight);
  ProgressDisplay display(options.verbose, 1, evaluation.steps());
  display.epoch_begin(0);
  Logs logs = evaluation.run("", callbacks, &display);
  display.epoch_end(logs);
  return logs;
}

/// Predicts x batch by batch into a new tensor.
Tensor predict_with(const detail::SequentialState& model, ConstView x, Index batch_size, const Callbacks* callbacks) {
  model.require_built();
  const Shape &in = model.shapes.front(), &out = model.shapes.back();
  require<ValueError>(batch_size > 0, "predict: batch_size is {}; it must be positive", batch_size);
  require(x.shape().rank() > 0 && x.shape().sub(1) == in, "{}: predict of shape {}; (samples, then {}) is required",
          model.options.name, x.shape(), in);
  const auto call = [&](Hook hook, Index index) {
    if (callbacks == nullptr) return;
    Logs none;
    (*callbacks)(hook, index, none);
  };
  const Index samples = x.shape()[0];
  Tensor result;
  result.resize(out.batched(samples));
  const TapePool::Lease tape(model.inference_tapes);
  call(Hook::predict_begin, 0);
  for (Index first = 0; first < samples; first += batch_size) {
    const Index count = std::min(batch_size, samples - first);
    call(Hook::predict_batch_begin, first / batch_size);
    tape->clear();
    const Var y = model.forward(tape->input({x.data() + first * in.size(), in.batched(count)}));
    copy(y.value(), overwrite({result.data() + first * out.size(), out.batched(count)}));
    call(Hook::predict_batch_end, first / batch_size);
  }
  call(Hook::predict_end, 0);
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
  return predict_with(*state_, x, options.batch_size, nullptr);
}

Tensor Sequential::predict(const Tensor& x, const PredictOptions& options, std::vector<AnyCallback> callbacks) {
  Run run{*this};
  const Callbacks all{callbacks, run};
  return predict_with(*state_, x, options.batch_size, &all);
}

Tensor Sequential::predict(DatasetRef data, const PredictOptions& options) const {
  state_->require_built();
  state_->require_fitting(data, "predict");
  Batcher batcher(data, {.batch_size = options.batch_size});
  const Index width = output_shape().size();
  Tensor result;
  result.resize(output_shape().batched(data.size()));
  while (const Batch* batch = batcher.next()) {
    const Tensor y = predict_with(*state_, batch->x, batch->size, nullptr);
    std::copy(y.begin(), y.end(), result.data() + batch->first * width);
  }
  return result;
}

Tensor Sequential::predict_on_batch(const Tensor& x) const {
  require(x.rank() > 0, "{}: predict_on_batch of shape {}; the first axis must be the batch", name(), x.shape());
  return predict(x, {.batch_size = std::max(x.shape()[0], Index{1})});
}

namespace {

/// The position of the largest output, or output > 0.5 where there is only one.
Tensor classes_of(const Tensor& y) {
  require(y.rank() == 2, "predict_classes: outputs are {}; (samples, classes) is required", y.shape());
  if (y.shape()[1] != 1) return argmax(y, -1);
  Tensor result(Shape{y.size()});
  for (Index i = 0; i < y.size(); ++i) result[i] = y[i] > Real(0.5) ? Real{1} : Real{0};
  return result;
}

}  // namespace

Tensor Sequential::predict_classes(const Tensor& x, const PredictOptions& options) const {
  return classes_of(predict(x, options));
}

Tensor Sequential::predict_classes(DatasetRef data, const PredictOptions& options) const {
  return classes_of(predict(data, options));
}

}  // namespace cornu
