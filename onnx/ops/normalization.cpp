#include "cornu/core/error.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// Normalizes by the given moving mean and variance. In training_mode (opset 14), normalizes by those of the batch and
/// outputs the updated moving statistics. Training a graph in Cornu keeps the moving statistics, as is usual in
/// fine-tuning.
void run_batch_normalization(Call& call) {
  require<FormatError>(call.integer("spatial", 1) != 0, "spatial is 0; only 1, a mean per channel, is supported");
  require<FormatError>(call.opset() >= 7 || call.integer("is_test", 0) != 0,
                       "is_test is 0 (the model was exported in training mode)");
  const double epsilon = call.real("epsilon", 1e-5);
  const bool training = call.integer("training_mode", 0) != 0, last = call.value(0).layout == Layout::channels_last;
  const Var x = last ? call.value(0).var : call[0];
  require<FormatError>(x.rank() > 1, "an input of shape {}; (batch, channels, ...) is required", x.shape());
  if (!training && (last || x.rank() == 2)) {
    require<FormatError>(!call.wants(1), "it has training outputs but is not in training_mode");
    return call.result(0, batch_normalization(x, call[3], call[4], call[1], call[2], epsilon), call.value(0).layout);
  }
  // The shape in which a value per channel broadcasts to x.
  const Index channels = x.shape()[last ? -1 : 1];
  Shape shape{channels};
  while (!last && shape.rank() < x.rank() - 1) shape = shape.inserted(shape.rank(), 1);
  const auto of_channels = [&](Var v) { return cornu::reshape(v, shape); };

  Var mean_of = of_channels(call[3]), variance = of_channels(call[4]);
  if (training) {
    // (batch, channels, ...) to (channels, all other axes).
    const Var p = call[0];
    Var rows = cornu::reshape(p, {p.shape()[0], channels, -1});
    rows = cornu::reshape(cornu::transpose(rows, {1, 0, 2}), {channels, -1});
    const Var batch_mean = mean(rows, 1),
              batch_variance = mean(square(rows - cornu::reshape(batch_mean, {channels, 1})), 1);
    const double momentum = call.real("momentum", 0.9);
    call.result(1, momentum * call[3] + (1 - momentum) * batch_mean);
    call.result(2, momentum * call[4] + (1 - momentum) * batch_variance);
    mean_of = of_channels(batch_mean);
    variance = of_channels(batch_variance);
  } else {
    require<FormatError>(!call.wants(1), "it has training outputs but is not in training_mode");
  }
  const Var scale = of_channels(call[1]) / sqrt(variance + epsilon);
  call.result(0, (x - mean_of) * scale + of_channels(call[2]), call.value(0).layout);
}

/// Normalizes over all axes from `axis` on.
void run_layer_normalization(Call& call) {
  const Var x = call[0];
  const Index axis = x.shape().normalized(call.integer("axis", -1));
  const double epsilon = call.real("epsilon", 1e-5);
  if (!call.wants(1) && !call.wants(2)) {
    const Operand offset = call.has(2) ? Operand(call[2]) : Operand(0);
    return call.result(layer_normalization(x, call[1], offset, {.axes = x.rank() - axis, .epsilon = epsilon}));
  }
  const Var rows = cornu::reshape(x, {x.shape().sub(0, axis).size(), x.shape().sub(axis).size()});
  const Var mean_of = mean(rows, 1, {.keepdims = true}), centred = rows - mean_of;
  const Var deviation = sqrt(mean(square(centred), 1, {.keepdims = true}) + epsilon);
  Var y = cornu::reshape(centred / deviation, x.shape()) * call[1];
  if (call.has(2)) y = y + call[2];
  call.result(y);
  Shape reduced = x.shape();
  for (Index i = axis; i < x.rank(); ++i) reduced = reduced.with(i, 1);
  if (call.wants(1)) call.result(1, cornu::reshape(mean_of, reduced));
  if (call.wants(2)) call.result(2, cornu::reshape(1 / deviation, reduced));
}

}  // namespace

std::span<const Op> normalization_ops() {
  static constexpr Op ops[] = {
      {.name = "BatchNormalization",
       .since = 6,
       .inputs = {5, 5},
       .outputs = 5,
       .attributes = "epsilon is_test momentum spatial training_mode ",
       .weights = 0b110,
       .run = run_batch_normalization},
      {.name = "LayerNormalization",
       .since = 17,
       .inputs = {2, 3},
       .outputs = 3,
       .attributes = "axis epsilon stash_type ",
       .weights = 0b110,
       .run = run_layer_normalization},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
