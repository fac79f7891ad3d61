#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// The reduced axes. `kept`: the shape with reduced axes of size 1. `result`: the output shape, after keepdims.
struct Reduced {
  Shape kept, result;
  std::array<bool, Shape::max_rank> has{};

  Reduced(const Call& call, const std::optional<std::span<const Index>>& axes) {
    const Var x = call[0];
    const Shape shape = x.shape();
    const bool all = !axes || axes->empty(), keeps = call.integer("keepdims", 1) != 0;
    for (std::size_t i = 0; !all && i < axes->size(); ++i) {
      has[static_cast<std::size_t>(shape.normalized((*axes)[i]))] = true;
    }
    for (Index axis = 0; axis < shape.rank(); ++axis) {
      const auto at = static_cast<std::size_t>(axis);
      has[at] = has[at] || all;
      if (has[at]) x.along(axis);  // reducing the batch axis mixes samples
      kept = kept.inserted(axis, has[at] ? 1 : shape[axis]);
      if (!has[at] || keeps) result = result.inserted(result.rank(), kept[axis]);
    }
  }
};

bool is_identity(const Call& call, const std::optional<std::span<const Index>>& axes) {
  return (!axes || axes->empty()) && call.integer("noop_with_empty_axes", 0) != 0;
}

/// Applies f along each of the axes; keepdims preserves the numbering of the others.
template <class F>
void reduce(Call& call, const std::optional<std::span<const Index>>& axes, F f) {
  if (is_identity(call, axes)) return call.result(0, call.value(0));
  const Reduced reduced(call, axes);
  Var y = call[0];
  for (Index axis = 0; axis < y.rank(); ++axis) {
    if (reduced.has[static_cast<std::size_t>(axis)]) y = f(y, axis, ReduceOptions{.keepdims = true});
  }
  call.result(reshape(y, reduced.result), call.kind(0));
}

/// Exact sums of integers. Means are truncated, like all quotients of integers.
void reduce_integers(Call& call, const std::optional<std::span<const Index>>& axes, bool to_mean) {
  if (is_identity(call, axes)) return call.result(0, call.value(0));
  const Reduced reduced(call, axes);
  const Var x = call[0];
  const std::span<const Index> numbers = call.integers(0);
  const std::span<Index> sums = call.memory<Index>(static_cast<std::size_t>(reduced.kept.size()));
  std::fill(sums.begin(), sums.end(), Index{0});
  const std::span<const Index> positions = broadcast_positions(call.tape(), reduced.kept, x.shape());
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    Index& sum = sums[static_cast<std::size_t>(positions[i])];
    require<ValueError>(!__builtin_add_overflow(sum, numbers[i], &sum), "its integers overflow 64 bits");
  }
  if (to_mean) {
    require<ValueError>(x.size() > 0 || sums.empty(), "it computes the mean of an empty set of integers");
    for (Index& sum : sums) sum /= x.size() / std::ssize(sums);
  }
  call.integer_result(reduced.result, sums, {x});
}

std::optional<std::span<const Index>> axes_attribute(const Call& call) {
  return call.has("axes") ? std::optional(call.integers("axes")) : std::nullopt;
}

/// Before opset 13, the axes are an attribute.
void reduce_sum(Call& call) {
  const auto axes = call.integers(1, "axes");
  if (call.kind(0) != Kind::real) return reduce_integers(call, axes, false);
  reduce(call, axes, [](Var x, Index axis, ReduceOptions options) { return sum(x, axis, options); });
}
void reduce_mean(Call& call) {
  if (call.kind(0) != Kind::real) return reduce_integers(call, axes_attribute(call), true);
  reduce(call, axes_attribute(call), [](Var x, Index axis, ReduceOptions options) { return mean(x, axis, options); });
}
void reduce_max(Call& call) {
  reduce(call, axes_attribute(call), [](Var x, Index axis, ReduceOptions options) { return max(x, axis, options); });
}

void argmax(Call& call) {
  const Var x = call[0];
  const Index axis = x.along(call.integer("axis", 0));
  require<FormatError>(x.shape()[axis] > 0, "axis {} of {} is empty", axis, x.shape());
  const bool last = call.integer("select_last_index", 0) != 0;
  const AxisSplit split(x.shape(), axis);
  const Var y = without_gradient(x, x.shape().with(axis, 1));
  for (Index slice = 0; slice < split.slices(); ++slice) {
    const Real* const from = x.value().data() + slice / split.inner * split.n * split.inner + slice % split.inner;
    Index best = position_of_max(from, split.n, split.inner);
    for (Index j = best + 1; last && j < split.n; ++j) {
      const Real other = from[j * split.inner], most = from[best * split.inner];
      if (other == most || (std::isnan(other) && std::isnan(most))) best = j;
    }
    y.out()[slice] = static_cast<Real>(best);
  }
  call.result(call.integer("keepdims", 1) != 0 ? y : reshape(y, x.shape().without(axis)), Kind::integer);
}

/// Before opset 13, f is applied over all axes from `axis` (default 1) on, flattened.
template <Var (*f)(Var, Index)>
void soft(Call& call) {
  const Var x = call[0];
  if (call.opset() >= 13) return call.result(f(x, call.integer("axis", -1)));
  const Index axis = call.integer("axis", 1), at = axis < 0 ? axis + x.rank() : axis;
  require<FormatError>(0 <= at && at <= x.rank(), "axis is {}, the input has shape {}", axis, x.shape());
  if (at + 1 == x.rank()) return call.result(f(x, -1));
  const Shape flat{x.shape().sub(0, at).size(), x.shape().sub(at).size()};
  call.result(reshape(f(reshape(x, flat), 1), x.shape()));
}

}  // namespace

std::span<const Op> reduction_ops() {
  static constexpr Op ops[] = {
      {"ArgMax", 1, 1, 1, 1, "axis keepdims select_last_index ", 0, argmax},
      {"LogSoftmax", 1, 1, 1, 1, "axis ", 0, soft<log_softmax>},
      {"ReduceMax", 1, 1, 1, 1, "axes keepdims ", 0, reduce_max, 0b1},
      {"ReduceMean", 1, 1, 1, 1, "axes keepdims ", 0, reduce_mean, 0b1},
      {"ReduceSum", 1, 1, 2, 1, "axes keepdims noop_with_empty_axes ", 0, reduce_sum, 0b11},
      {"Softmax", 1, 1, 1, 1, "axis ", 0, soft<softmax>},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
