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

/// `kept`: the shape with reduced axes of size 1. `result`: the output shape, after keepdims. Without axes, all are
/// reduced, or none if noop_with_empty_axes is set.
struct Reduced {
  Shape kept, result;
  std::array<bool, Shape::max_rank> has{};
  Index count = 1;  // of the elements that give one result

  explicit Reduced(const Call& call) {
    const auto axes = axes_of(call);
    const Shape shape = call.shape(0);
    const bool is_open = !axes || axes->empty(), keeps = call.integer("keepdims", 1) != 0;
    const bool all = is_open && call.integer("noop_with_empty_axes", 0) == 0;
    for (std::size_t i = 0; !is_open && i < axes->size(); ++i) {
      has[static_cast<std::size_t>(shape.normalized((*axes)[i]))] = true;
    }
    for (Index axis = 0; axis < shape.rank(); ++axis) {
      const auto at = static_cast<std::size_t>(axis);
      has[at] = has[at] || all;
      kept = kept.inserted(axis, has[at] ? 1 : shape[axis]);
      if (has[at]) count *= shape[axis];
      if (!has[at] || keeps) result = result.inserted(result.rank(), kept[axis]);
    }
  }
};

// ---- Floats ----

using OfAxis = Var (*)(Var, Index, const ReduceOptions&);

/// before: applied to each element, also if there are no axes to reduce; after: to each result. Null: the identity.
struct Reduction {
  OfAxis reals;
  Var (*before)(Var) = nullptr;
  Var (*after)(Var) = nullptr;
};

/// Reduces one axis after the other; keepdims preserves the numbering of the others.
void reduce(Call& call, const Reduction& how) {
  const Reduced reduced(call);
  Var y = call[0];
  if (how.before != nullptr) y = how.before(y);
  for (Index axis = 0; axis < y.rank(); ++axis) {
    if (reduced.has[static_cast<std::size_t>(axis)]) y = how.reals(y, axis, {.keepdims = true});
  }
  if (how.after != nullptr) y = how.after(y);
  call.result(cornu::reshape(y, reduced.result));
}

/// The extremes of no elements are infinite.
template <OfAxis f, int sign>
void reduce_to_extreme(Call& call) {
  if (call.shape(0).size() > 0) return reduce(call, {f});
  const Var y = without_gradient(call[0], Reduced(call).result);
  fill(y.out(), sign > 0 ? -std::numeric_limits<Real>::infinity() : std::numeric_limits<Real>::infinity());
  call.result(y);
}

// ---- Whole numbers ----

/// f(so far, number), computed with 64 bits, from `first` on, and `after` of each result.
template <class F, class G>
void reduce_integers(Call& call, Index first, F f, G after) {
  const Reduced reduced(call);
  const Value& x = call.value(0);
  const std::span<Index> results = call.memory<Index>(static_cast<std::size_t>(reduced.kept.size()));
  std::fill(results.begin(), results.end(), first);
  const std::span<const Index> positions = broadcast_positions(call.tape(), reduced.kept, x.whole);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    Index& result = results[static_cast<std::size_t>(positions[i])];
    result = f(result, x.integers[i]);
  }
  for (Index& result : results) result = wrapped(x.type, after(result));
  call.integer_result(0, x.type, reduced.result, results);
}

template <class F>
void reduce_integers(Call& call, Index first, F f) {
  reduce_integers(call, first, f, [](Index y) { return y; });
}

void require_no_overflow(bool overflows) { require<ValueError>(!overflows, "its integers overflow 64 bits"); }

Index sum_of(Index a, Index b) {
  Index sum = 0;
  require_no_overflow(__builtin_add_overflow(a, b, &sum));
  return sum;
}
Index product_of(Index a, Index b) {
  Index product = 0;
  require_no_overflow(__builtin_mul_overflow(a, b, &product));
  return product;
}
Index magnitude(Index a) { return a < 0 ? product_of(a, -1) : a; }
Index plus_size(Index a, Index b) { return sum_of(a, magnitude(b)); }
Index plus_square(Index a, Index b) { return sum_of(a, product_of(b, b)); }

/// Floor of the square root. The root of a double may be off by one for numbers above 2^53.
Index root(Index number) {
  auto y = static_cast<Index>(std::sqrt(static_cast<double>(number)));
  while (y > 0 && y > number / y) --y;
  while (y + 1 <= number / (y + 1)) ++y;
  return y;
}

/// Logarithms of whole numbers are truncated, like all their results.
Index logarithm(Index number) {
  require<ValueError>(number > 0, "the logarithm of {} is no integer", number);
  return static_cast<Index>(std::log(static_cast<double>(number)));
}

void reduce_sum(Call& call) { call.is_real() ? reduce(call, {sum}) : reduce_integers(call, 0, sum_of); }
void reduce_product(Call& call) { call.is_real() ? reduce(call, {prod}) : reduce_integers(call, 1, product_of); }
void reduce_l1(Call& call) { call.is_real() ? reduce(call, {sum, abs}) : reduce_integers(call, 0, plus_size); }
void reduce_l2(Call& call) {
  call.is_real() ? reduce(call, {sum, square, sqrt}) : reduce_integers(call, 0, plus_square, root);
}
void reduce_sum_of_squares(Call& call) {
  call.is_real() ? reduce(call, {sum, square}) : reduce_integers(call, 0, plus_square);
}
void reduce_log_sum(Call& call) {
  call.is_real() ? reduce(call, {sum, nullptr, log}) : reduce_integers(call, 0, sum_of, logarithm);
}

void reduce_mean(Call& call) {
  if (call.is_real()) return reduce(call, {mean});
  const Index count = Reduced(call).count;
  require<ValueError>(count > 0 || Reduced(call).kept.size() == 0, "it computes the mean of an empty set of integers");
  reduce_integers(call, 0, sum_of, [=](Index total) { return total / count; });
}

void reduce_max(Call& call) {
  if (call.is_real()) return reduce_to_extreme<cornu::max, 1>(call);
  reduce_integers(call, range_of(call.type(0)).first, [](Index a, Index b) { return std::max(a, b); });
}
void reduce_min(Call& call) {
  if (call.is_real()) return reduce_to_extreme<cornu::min, -1>(call);
  reduce_integers(call, range_of(call.type(0)).second, [](Index a, Index b) { return std::min(a, b); });
}

/// Of whole numbers: log(sum of e^(x - most)) + most, where `most` is the largest x.
void reduce_log_sum_exp(Call& call) {
  if (call.is_real()) return reduce(call, {logsumexp});
  const Value x = call.value(0);
  const Reduced reduced(call);
  require<ValueError>(reduced.count > 0 || reduced.kept.size() == 0,
                      "it computes the logarithm of an empty set of integers");
  reduce_max(call);
  if (!call.wants(0)) return;
  const std::span<const Index> most = call.made(0).numbers();
  const std::span<double> sums = call.memory<double>(most.size());
  std::fill(sums.begin(), sums.end(), 0.0);
  const std::span<const Index> positions = broadcast_positions(call.tape(), reduced.kept, x.whole);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const auto at = static_cast<std::size_t>(positions[i]);
    sums[at] += std::exp(static_cast<double>(x.integers[i]) - static_cast<double>(most[at]));
  }
  const std::span<Index> results = call.memory<Index>(most.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    // The logarithm is 0 or more. A negative sum is truncated upwards.
    const double rest = std::log(sums[i]), whole = std::floor(rest);
    const Index y = sum_of(most[i], static_cast<Index>(whole));
    results[i] = wrapped(x.type, y < 0 && rest > whole ? y + 1 : y);
  }
  call.integer_result(0, x.type, reduced.result, results);
}

}  // namespace

std::span<const Op> reduction_ops() {
  constexpr std::string_view axes = "axes keepdims noop_with_empty_axes ";
  constexpr Op::Range one_or_two{1, 2};
  static constexpr Op ops[] = {
      {.name = "ReduceL1", .inputs = one_or_two, .attributes = axes, .takes = numbers, .run = reduce_l1},
      {.name = "ReduceL2", .inputs = one_or_two, .attributes = axes, .takes = numbers, .run = reduce_l2},
      {.name = "ReduceLogSum", .inputs = one_or_two, .attributes = axes, .takes = numbers, .run = reduce_log_sum},
      {.name = "ReduceLogSumExp",
       .inputs = one_or_two,
       .attributes = axes,
       .takes = numbers,
       .run = reduce_log_sum_exp},
      {.name = "ReduceMax", .inputs = one_or_two, .attributes = axes, .takes = anything, .run = reduce_max},
      {.name = "ReduceMean", .inputs = one_or_two, .attributes = axes, .takes = numbers, .run = reduce_mean},
      {.name = "ReduceMin", .inputs = one_or_two, .attributes = axes, .takes = anything, .run = reduce_min},
      {.name = "ReduceProd", .inputs = one_or_two, .attributes = axes, .takes = numbers, .run = reduce_product},
      {.name = "ReduceSum", .inputs = one_or_two, .attributes = axes, .takes = numbers, .run = reduce_sum},
      {.name = "ReduceSumSquare",
       .inputs = one_or_two,
       .attributes = axes,
       .takes = numbers,
       .run = reduce_sum_of_squares},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
