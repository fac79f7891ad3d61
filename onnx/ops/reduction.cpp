#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// The reduced axes: an input as of opset 18 (13 for ReduceSum), an attribute before.
std::optional<std::span<const Index>> axes_of(const Call& call) { return call.integers(1, "axes"); }

/// `kept`: the shape with reduced axes of size 1. `result`: the output shape, after keepdims.
struct Reduced {
  Shape kept, result;
  std::array<bool, Shape::max_rank> has{};

  explicit Reduced(const Call& call) {
    const auto axes = axes_of(call);
    const Shape shape = call.shape(0);
    const bool all = !axes || axes->empty(), keeps = call.integer("keepdims", 1) != 0;
    for (std::size_t i = 0; !all && i < axes->size(); ++i) {
      has[static_cast<std::size_t>(shape.normalized((*axes)[i]))] = true;
    }
    for (Index axis = 0; axis < shape.rank(); ++axis) {
      const auto at = static_cast<std::size_t>(axis);
      has[at] = has[at] || all;
      kept = kept.inserted(axis, has[at] ? 1 : shape[axis]);
      if (!has[at] || keeps) result = result.inserted(result.rank(), kept[axis]);
    }
  }
};

bool is_identity(const Call& call) {
  const auto axes = axes_of(call);
  return (!axes || axes->empty()) && call.integer("noop_with_empty_axes", 0) != 0;
}

using OfAxis = Var (*)(Var, Index, const ReduceOptions&);

/// Applies f along each of the axes; keepdims preserves the numbering of the others.
Var along_axes(const Call& call, Var y, OfAxis f) {
  const Reduced reduced(call);
  for (Index axis = 0; axis < y.rank(); ++axis) {
    if (reduced.has[static_cast<std::size_t>(axis)]) y = f(y, y.along(axis), {.keepdims = true});
  }
  return cornu::reshape(y, reduced.result);
}

/// before: applied to each element, also if there are no axes to reduce; after: to each result. Null: the identity.
struct Reduction {
  OfAxis reals;
  Var (*before)(Var) = nullptr;
  Var (*after)(Var) = nullptr;
};

void reduce(Call& call, const Reduction& how) {
  Var x = call[0];
  if (how.before != nullptr) x = how.before(x);
  if (is_identity(call))
    return how.before == nullptr ? call.result(0, call.value(0)) : call.result(how.after == nullptr ? x : how.after(x));
  Var y = along_axes(call, x, how.reals);
  if (how.after != nullptr) y = how.after(y);
  call.result(y);
}

/// f(so far, number), computed with 64 bits, from `first` on.
template <class F>
void reduce_integers(Call& call, Index first, F f) {
  if (is_identity(call)) return call.result(0, call.value(0));
  const Reduced reduced(call);
  const Value& x = call.value(0);
  const std::span<Index> results = call.memory<Index>(static_cast<std::size_t>(reduced.kept.size()));
  std::fill(results.begin(), results.end(), first);
  const std::span<const Index> positions = broadcast_positions(call.tape(), reduced.kept, x.whole);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    Index& result = results[static_cast<std::size_t>(positions[i])];
    result = f(result, x.integers[i]);
  }
  for (Index& result : results) result = wrapped(x.type, result);
  call.integer_result(0, x.type, reduced.result, results);
}

Index sum_of(Index a, Index b) {
  Index sum = 0;
  require<ValueError>(!__builtin_add_overflow(a, b, &sum), "its integers overflow 64 bits");
  return sum;
}
void reduce_sum(Call& call) { call.is_real() ? reduce(call, {sum}) : reduce_integers(call, 0, sum_of); }

/// Means of whole numbers are truncated, like all their quotients.
void reduce_mean(Call& call) {
  if (call.is_real()) return reduce(call, {mean});
  if (is_identity(call)) return call.result(0, call.value(0));
  const Index results = Reduced(call).kept.size(), count = results == 0 ? 1 : call.value(0).size() / results;
  require<ValueError>(count > 0, "it computes the mean of an empty set of integers");
  reduce_integers(call, 0, sum_of);
  const Value sums = call.made(0);
  const std::span<Index> means = call.memory<Index>(sums.numbers().size());
  std::transform(sums.numbers().begin(), sums.numbers().end(), means.begin(),
                 [&](Index total) { return total / count; });
  call.integer_result(0, sums.type, sums.whole, means);
}

void reduce_max(Call& call) {
  if (call.is_real()) return reduce(call, {max});
  reduce_integers(call, range_of(call.type(0)).first, [](Index a, Index b) { return std::max(a, b); });
}

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

}  // namespace

std::span<const Op> reduction_ops() {
  constexpr std::string_view axes = "axes keepdims noop_with_empty_axes ";
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
      {.name = "LogSoftmax", .attributes = "axis ", .run = soft<log_softmax>},
      {.name = "ReduceL1",
       .inputs = {1, 2},
       .attributes = axes,
       .run =
           [](Call& call) {
             reduce(call, {sum, abs});
           }},
      {.name = "ReduceL2",
       .inputs = {1, 2},
       .attributes = axes,
       .run =
           [](Call& call) {
             reduce(call, {sum, square, sqrt});
           }},
      {.name = "ReduceLogSum",
       .inputs = {1, 2},
       .attributes = axes,
       .run =
           [](Call& call) {
             reduce(call, {sum, nullptr, log});
           }},
      {.name = "ReduceMax", .inputs = {1, 2}, .attributes = axes, .takes = anything, .run = reduce_max},
      {.name = "ReduceMean", .inputs = {1, 2}, .attributes = axes, .takes = numbers, .run = reduce_mean},
      {.name = "ReduceSum", .inputs = {1, 2}, .attributes = axes, .takes = numbers, .run = reduce_sum},
      {.name = "ReduceSumSquare",
       .inputs = {1, 2},
       .attributes = axes,
       .run =
           [](Call& call) {
             reduce(call, {sum, square});
           }},
      {.name = "Softmax", .attributes = "axis ", .run = soft<softmax>},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
