#include "cornu/core/error.h"
#include "cornu/core/kernels.h"
#include "cornu/onnx/ops.h"

namespace cornu::onnx::detail {

namespace {

/// f along each of the axes, from the last, so that the others keep their numbers.
template <class F>
void reduce(Call& call, std::optional<std::span<const Index>> axes, F f) {
  const Var x = call[0];
  Var y = x;
  const bool keeps = call.integer("keepdims", 1) != 0;
  if (axes && axes->empty() && call.integer("noop_with_empty_axes", 0) != 0) return call.result(x, call.kind(0));
  const bool all = !axes || axes->empty();
  Shape shape;
  for (Index axis = 0; axis < x.rank(); ++axis) {
    bool chosen = all;
    for (std::size_t i = 0; !all && i < axes->size(); ++i) chosen = chosen || x.shape().normalized((*axes)[i]) == axis;
    if (chosen) y = f(y, axis, ReduceOptions{.keepdims = true});
    if (!chosen || keeps) shape = shape.inserted(shape.rank(), y.shape()[axis]);
  }
  call.result(reshape(y, shape), call.kind(0));
}

std::optional<std::span<const Index>> axes_attribute(const Call& call) {
  return call.has("axes") ? std::optional(call.integers("axes")) : std::nullopt;
}

/// The axes are an attribute before opset 13.
void reduce_sum(Call& call) {
  reduce(call, call.integers(1, "axes"),
         [](Var x, Index axis, ReduceOptions options) { return sum(x, axis, options); });
}
void reduce_mean(Call& call) {
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
      if (from[j * split.inner] == from[best * split.inner]) best = j;
    }
    y.out()[slice] = static_cast<Real>(best);
  }
  call.result(call.integer("keepdims", 1) != 0 ? y : reshape(y, x.shape().without(axis)), Kind::integer);
}

/// Before opset 13 the axis, 1 by default, is where all that follows is taken together.
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
      {"ReduceMax", 1, 1, 1, 1, "axes keepdims ", 0, reduce_max},
      {"ReduceMean", 1, 1, 1, 1, "axes keepdims ", 0, reduce_mean},
      {"ReduceSum", 1, 1, 2, 1, "axes keepdims noop_with_empty_axes ", 0, reduce_sum},
      {"Softmax", 1, 1, 1, 1, "axis ", 0, soft<softmax>},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
