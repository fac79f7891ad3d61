#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/onnx/ops/ops.h"

/// ArgMax, ArgMin and the functions of the softmax family, along one axis.
namespace cornu::onnx::detail {

namespace {

/// The position of the largest or, with the sign -1, the smallest element along an axis.
template <int sign>
void position_of_extreme(Call& call) {
  const Shape s = call.shape(0);
  const Index axis = axis_of(call.integer("axis", 0), s);
  require<FormatError>(s[axis] > 0, "axis {} of {} is empty", axis, s);
  const bool last = call.integer("select_last_index", 0) != 0;
  const AxisSplit split(s, axis);
  const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(split.slices()));
  const auto find = [&](const auto* elements) {
    for (Index slice = 0; slice < split.slices(); ++slice) {
      const auto* const from = elements + slice / split.inner * split.n * split.inner + slice % split.inner;
      Index best = 0;
      for (Index j = 1; j < split.n; ++j) {
        const auto other = from[j * split.inner], most = from[best * split.inner];
        // NaN counts as the extreme, as in NumPy.
        const bool is_nan = other != other, was_nan = most != most;
        const bool better = was_nan ? false : is_nan || (sign > 0 ? other > most : other < most);
        if (better || (last && (other == most || (is_nan && was_nan)))) best = j;
      }
      result[static_cast<std::size_t>(slice)] = best;
    }
  };
  call.is_real() ? find(call[0].value().data()) : find(call.integers(0).data());
  const Shape shape = call.integer("keepdims", 1) != 0 ? s.with(axis, 1) : s.without(axis);
  call.integer_result(0, ElementType::int64, shape, result);
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
  call.result(cornu::reshape(f(cornu::reshape(x, flat), 1), x.shape()));
}

/// 1 at the first maximum along the axis, elsewhere 0.
Var hardmax(Var x, Index axis) {
  const Var y = without_gradient(x, x.shape());
  fill(y.out(), 0);
  const AxisSplit split(x.shape(), x.along(axis));
  for (Index slice = 0; split.n > 0 && slice < split.slices(); ++slice) {
    const Index first = slice / split.inner * split.n * split.inner + slice % split.inner;
    y.out()[first + position_of_max(x.value().data() + first, split.n, split.inner) * split.inner] = 1;
  }
  return y;
}

}  // namespace

std::span<const Op> extreme_ops() {
  static constexpr Op ops[] = {
      {.name = "ArgMax",
       .attributes = "axis keepdims select_last_index ",
       .takes = numbers,
       .gradient = Gradient::zero,
       .run = position_of_extreme<1>},
      {.name = "ArgMin",
       .attributes = "axis keepdims select_last_index ",
       .takes = numbers,
       .gradient = Gradient::zero,
       .run = position_of_extreme<-1>},
      {.name = "Hardmax", .attributes = "axis ", .gradient = Gradient::zero, .run = soft<hardmax>},
      {.name = "LogSoftmax", .attributes = "axis ", .run = soft<log_softmax>},
      {.name = "Softmax", .attributes = "axis ", .run = soft<softmax>},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
