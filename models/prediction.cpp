#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/eager.h"
#include "cornu/core/shape_hints.h"
#include "cornu/datasets/dataset.h"
#include "cornu/models/distribution/ranks.h"
#include "cornu/models/evaluation.h"
#include "cornu/models/metrics/probabilities.h"

namespace cornu {

namespace {

/// Predicts x batch by batch into `result`, from row `begin`. `samples`: all rows of the result, which is allocated by
/// the batch at row 0.
void predict_into(Tensor& result, Index begin, Index samples, const detail::SequentialState& model, ConstView x,
                  Index batch_size, const detail::Callbacks* callbacks) {
  const Shape in_sample = x.shape().sub(1);
  const auto call = [&](Hook hook, Index index) {
    if (callbacks == nullptr) return;
    Logs none;
    (*callbacks)(hook, index, none);
  };
  const detail::TapePool::Lease tape(model.inference_tapes);
  const auto body = [&] {
    for (Index first = 0; first < x.shape()[0]; first += batch_size) {
      const Index count = std::min(batch_size, x.shape()[0] - first), row = begin + first;
      call(Hook::predict_batch_begin, first / batch_size);
      tape->clear();
      const Var y = model.forward(tape->input({x.data() + first * in_sample.size(), in_sample.batched(count)}));
      if (row == 0) result.resize(y.shape().with(0, samples));
      require(y.shape() == result.shape().with(0, count),
              "{}: predict: outputs are {}; samples of shape {} are expected (did a callback change the model?)",
              model.name, y.shape(), result.shape().sub(1));
      copy(y.value(), overwrite({result.data() + row * (y.size() / count), y.shape()}));
      call(Hook::predict_batch_end, first / batch_size);
    }
  };
  if (callbacks == nullptr) return body();
  Logs none;
  callbacks->during(Hook::predict_begin, Hook::predict_end, none, body);
}

Tensor predict_with(const detail::SequentialState& model, const Tensor& x, const PredictOptions& options,
                    const detail::Callbacks* callbacks) {
  model.require_built();
  require<ValueError>(options.batch_size > 0, "predict: batch_size is {}; it must be positive", options.batch_size);
  if (!model.fits(0, x.shape())) {
    throw ShapeError(
        message("{}: predict got an input of shape {}; its first axis counts the samples, each of shape {}{}",
                model.name, x.shape(), detail::pattern_text(model.pattern(0)),
                detail::sample_hint(x.shape().sub(std::min(x.rank(), Index{1})), model.pattern(0))));
  }
  Tensor result;
  if (x.shape()[0] == 0) result.resize(model.pattern(model.layers.size()).batched(0));
  predict_into(result, 0, x.shape()[0], model, x, options.batch_size, callbacks);
  return result;
}

/// The outputs of all ranks, each of which calls predict_part(first, count) for some of the samples: whole batches, so
/// that the bits are those of one process.
template <class PredictPart>
Tensor predict_together(const Distribution& distribution, Index samples, Index batch_size,
                        const PredictPart& predict_part) {
  require<ValueError>(batch_size > 0, "predict: batch_size is {}; it must be positive", batch_size);
  const detail::Ranks ranks(distribution);
  const Index batches = (samples + batch_size - 1) / batch_size;
  const auto begin = [&](Index rank) { return std::min(samples, batches * rank / ranks.size() * batch_size); };
  const Index first = begin(ranks.rank()), count = begin(ranks.rank() + 1) - first;
  Tensor own;
  ranks.run([&] { own = predict_part(first, count); });
  std::vector<Index> sizes;
  Shape shape = own.shape();
  for (const Shape& each : ranks.of_all(own.shape())) {
    sizes.push_back(each.size() * static_cast<Index>(sizeof(Real)));
    if (each[0] > 0) shape = each;
  }
  Tensor result(shape.with(0, samples));
  const auto bytes = [](Tensor& x) {
    return std::as_writable_bytes(std::span(x.data(), static_cast<std::size_t>(x.size())));
  };
  ranks.communicator().gather(bytes(own), sizes, ranks.leads() ? bytes(result) : std::span<std::byte>());
  ranks.share(bytes(result));
  return result;
}

/// The options for one rank.
PredictOptions alone(PredictOptions options) {
  options.distribution = {};
  return options;
}

}  // namespace

Tensor Sequential::predict(const Tensor& x, const PredictOptions& options) const {
  if (options.distribution.size() == 1) return predict_with(*state_, x, options, nullptr);
  require(x.rank() > 0, "{}: predict got a scalar; its first axis must count the samples", name());
  const Index size = x.shape()[0] == 0 ? 0 : x.size() / x.shape()[0];
  return predict_together(options.distribution, x.shape()[0], options.batch_size, [&](Index first, Index count) {
    return predict(Tensor(ConstView(x.data() + first * size, x.shape().with(0, count))), alone(options));
  });
}

Tensor Sequential::predict(const Tensor& x, const PredictOptions& options, std::vector<AnyCallback> callbacks) {
  require<ValueError>(options.distribution.size() == 1, "{}: predict with callbacks cannot be distributed", name());
  Run run{*this};
  const detail::Callbacks all(callbacks, run);
  return predict_with(*state_, x, options, &all);
}

Tensor Sequential::predict(DatasetRef data, const PredictOptions& options) const {
  state_->require_built();
  state_->require_fitting(data, "predict");
  if (options.distribution.size() > 1) {
    return predict_together(options.distribution, data.size(), options.batch_size, [&](Index first, Index count) {
      const DatasetSlice part(data, first, count);
      return predict(part, alone(options));
    });
  }
  Tensor result;
  result.resize(output_shape().batched(0));
  if (data.size() == 0) return result;
  Batcher batcher(data, {.batch_size = options.batch_size});
  while (const Batch* batch = batcher.next()) {
    predict_into(result, batch->first, data.size(), *state_, batch->x, batch->size, nullptr);
  }
  return result;
}

Tensor Sequential::predict_on_batch(const Tensor& x) const {
  require(x.rank() > 0, "{}: predict_on_batch of shape {}; the first axis must be the batch", name(), x.shape());
  return predict(x, {.batch_size = std::max(x.shape()[0], Index{1})});
}

namespace {

/// The index of the largest output or, for a single output, 1 if its probability is above 0.5.
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
