#include <algorithm>
#include <array>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/ops/comparisons.h"
#include "cornu/onnx/broadcast.h"
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

/// x / sqrt(mean(x^2) + epsilon), over all axes from `axis` on.
void run_rms_normalization(Call& call) {
  const Var x = call[0];
  const Index axis = axis_of(call.integer("axis", -1), x.shape());
  const Var rows = cornu::reshape(x, {x.shape().sub(0, axis).size(), x.shape().sub(axis).size()});
  const Var size = sqrt(mean(square(rows), 1, {.keepdims = true}) + call.real("epsilon", 1e-5));
  call.result(cornu::reshape(rows / size, x.shape()) * call[1]);
}

/// x in groups of channels, (batch, groups, elements of a group), each with mean 0 and variance 1, in x's shape.
Var normalized_groups(Var x, Index groups, double epsilon) {
  require<FormatError>(x.rank() > 1, "an input of shape {}; (batch, channels, ...) is required", x.shape());
  const Index batch = x.shape()[0], channels = x.shape()[1];
  require<FormatError>(groups > 0 && channels % groups == 0, "{} channels cannot be divided into {} groups", channels,
                       groups);
  const Index each = channels / groups * x.shape().sub(2).size();
  const Var parts = cornu::reshape(x, Shape{batch, groups, each});
  return cornu::reshape(layer_normalization(parts, 1, 0, {.axes = 1, .epsilon = epsilon}), x.shape());
}

/// A value per channel in the shape that broadcasts to (batch, channels, ...); `groups` values are repeated.
Var per_channel(Var v, const Shape& shape, Index groups) {
  const Index channels = shape[1];
  require(v.shape() == Shape{groups}, "scale or bias of shape {}; ({},) is required", v.shape(), groups);
  const Index each = groups == 0 ? 0 : channels / groups;
  Var y = each == 1 ? v : repeat(v, each, 0);
  Shape wide{channels};
  while (wide.rank() < shape.rank() - 1) wide = wide.inserted(wide.rank(), 1);
  return cornu::reshape(y, wide);
}

void run_instance_normalization(Call& call) {
  const Var x = call[0];
  require<FormatError>(x.rank() > 1, "an input of shape {}; (batch, channels, ...) is required", x.shape());
  const Index channels = x.shape()[1];
  if (channels == 0) return call.result(x);
  const Var y = normalized_groups(x, channels, call.real("epsilon", 1e-5));
  call.result(y * per_channel(call[1], x.shape(), channels) + per_channel(call[2], x.shape(), channels));
}

/// Before opset 21, scale and bias have an element per group; then one per channel.
void run_group_normalization(Call& call) {
  const Var x = call[0];
  const Index groups = call.integer("num_groups");
  const Var y = normalized_groups(x, groups, call.real("epsilon", 1e-5));
  const Index count = call.opset() < 21 ? groups : x.shape()[1];
  call.result(y * per_channel(call[1], x.shape(), count) + per_channel(call[2], x.shape(), count));
}

/// A slice of zeros stays zeros.
void run_lp_normalization(Call& call) {
  const Var x = call[0];
  const Index axis = axis_of(call.integer("axis", -1), x.shape()), p = call.integer("p", 2);
  require<FormatError>(p == 1 || p == 2, "p is {}; 1 and 2 are known", p);
  const Var total = cornu::sum(p == 1 ? abs(x) : square(x), axis, {.keepdims = true});
  const Var divisor = cornu::where(cornu::equal(total, 0), 1, total);
  call.result(x / (p == 1 ? divisor : sqrt(divisor)));
}

void run_mean_variance_normalization(Call& call) {
  static constexpr Index usual[] = {0, 2, 3};
  const std::span<const Index> axes = call.has("axes") ? call.integers("axes") : std::span<const Index>(usual);
  const auto mean_of = [&](Var y) {
    std::array<bool, Shape::max_rank> seen{};
    for (const Index axis : axes) {
      const Index at = axis_of(axis, y.shape());
      if (!std::exchange(seen[static_cast<std::size_t>(at)], true)) y = mean(y, at, {.keepdims = true});
    }
    return y;
  };
  const Var x = call[0], centred = x - mean_of(x);
  call.result(centred / (sqrt(mean_of(square(centred))) + 1e-9));
}

/// x / (bias + alpha / size (sum of x^2 over `size` channels around each one))^beta.
void run_local_response_normalization(Call& call) {
  const Index size = call.integer("size");
  const double alpha = call.real("alpha", 1e-4), beta = call.real("beta", 0.75), bias = call.real("bias", 1);
  require<FormatError>(size > 0, "size is {}; at least 1 is required", size);
  const Var x = call[0];
  require<FormatError>(x.rank() > 1, "an input of shape {}; (batch, channels, ...) is required", x.shape());
  const Index channels = x.shape()[1], before = std::min((size - 1) / 2, channels),
              after = std::min(size / 2, channels);
  const Var squares = square(x);
  Var total = squares;
  for (Index offset = -before; offset <= after; ++offset) {
    if (offset == 0 || std::abs(offset) >= channels) continue;
    const std::span<Index> positions = counted(call.tape(), channels);
    for (Index& at : positions) at = at + offset < 0 || at + offset >= channels ? -1 : at + offset;
    total = total + take(squares, 1, positions);
  }
  call.result(x / pow(bias + alpha / static_cast<double>(size) * total, beta));
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
      {.name = "GroupNormalization",
       .since = 18,
       .inputs = {3, 3},
       .attributes = "epsilon num_groups stash_type ",
       .weights = 0b110,
       .run = run_group_normalization},
      {.name = "InstanceNormalization",
       .since = 6,
       .inputs = {3, 3},
       .attributes = "epsilon ",
       .weights = 0b110,
       .run = run_instance_normalization},
      {.name = "LRN", .attributes = "alpha beta bias size ", .run = run_local_response_normalization},
      {.name = "LpNormalization", .attributes = "axis p ", .run = run_lp_normalization},
      {.name = "MeanVarianceNormalization", .since = 9, .attributes = "axes ", .run = run_mean_variance_normalization},
      {.name = "RMSNormalization",
       .since = 23,
       .inputs = {2, 2},
       .attributes = "axis epsilon stash_type ",
       .weights = 0b10,
       .run = run_rms_normalization},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
