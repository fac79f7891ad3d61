#include <algorithm>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

/// Ops whose positions follow from the elements: TopK, Unique, NonZero, Compress; and ReverseSequence.
namespace cornu::onnx::detail {

namespace {

/// Calls f with a pointer to the elements, in ONNX's order.
template <class F>
void with_elements(const Value& x, F f) {
  x.is_real() ? f(plain(x).value().data()) : f(x.integers);
}

/// -1, 0 or 1 where a is less than, equal to, or greater than b. NaN is equal to itself and greater than all others.
template <class T>
int order_of(T a, T b) {
  const bool a_is_nan = a != a, b_is_nan = b != b;
  if (a_is_nan || b_is_nan) return int{a_is_nan} - int{b_is_nan};
  return int{a > b} - int{a < b};
}

/// Before opset 10, k is an attribute. Of equal elements, the first comes first; NaN counts as the largest. The result
/// is sorted even if `sorted` is 0, which leaves the order open.
void run_top_k(Call& call) {
  const Value& x = call.value(0);
  const Shape s = x.shape();
  const Index axis = axis_of(call.integer("axis", -1), s);
  const auto given = call.integers(1, "");
  require<FormatError>(!given || given->size() == 1, "k has shape {}; one number is required",
                       call.has(1) ? call.shape(1) : Shape{});
  const Index k = given ? (*given)[0] : call.integer("k");
  require<ValueError>(0 <= k && k <= s[axis], "k is {}, the axis has {} elements", k, s[axis]);
  const bool largest = call.integer("largest", 1) != 0;
  const AxisSplit split(s, axis);
  const Shape shape = s.with(axis, k);
  const auto count = static_cast<std::size_t>(shape.size());
  const std::span<Index> along = call.memory<Index>(count), flat = call.memory<Index>(count);
  const std::span<Index> order = counted(call.tape(), split.n);
  with_elements(x, [&](const auto* elements) {
    for (Index slice = 0; slice < split.slices() && k > 0; ++slice) {
      const Index outer = slice / split.inner, i = slice % split.inner, first = outer * split.n * split.inner + i;
      std::iota(order.begin(), order.end(), Index{0});
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](Index a, Index b) {
        const int compared = order_of(elements[first + a * split.inner], elements[first + b * split.inner]);
        return compared == 0 ? a < b : largest ? compared > 0 : compared < 0;
      });
      for (Index j = 0; j < k; ++j) {
        const auto at = static_cast<std::size_t>((outer * k + j) * split.inner + i);
        along[at] = order[static_cast<std::size_t>(j)];
        flat[at] = first + along[at] * split.inner;
      }
    }
  });
  if (call.wants(0)) call.result(0, gather(call.tape(), x, shape, flat));
  call.integer_result(1, ElementType::int64, shape, along);
}

/// The different slices along an axis, or elements without one: sorted, or in the order in which they come first.
void unique(Call& call) {
  const bool is_flat = !call.has("axis");
  const Value x = is_flat ? reshape(call.value(0), Shape{call.value(0).size()}) : call.value(0);
  const Index axis = is_flat ? 0 : axis_of(call.integer("axis"), x.shape());
  const AxisSplit split(x.shape(), axis);
  const auto n = static_cast<std::size_t>(split.n);
  const std::span<Index> order = counted(call.tape(), split.n);
  const std::span<Index> first = call.memory<Index>(n), inverse = call.memory<Index>(n), counts = call.memory<Index>(n);
  std::size_t groups = 0;
  with_elements(x, [&](const auto* elements) {
    const auto compare = [&](Index a, Index b) {
      for (Index o = 0; o < split.outer; ++o) {
        const auto* const of_a = elements + (o * split.n + a) * split.inner;
        const auto* const of_b = elements + (o * split.n + b) * split.inner;
        for (Index i = 0; i < split.inner; ++i) {
          if (const int compared = order_of(of_a[i], of_b[i]); compared != 0) return compared;
        }
      }
      return 0;
    };
    std::sort(order.begin(), order.end(), [&](Index a, Index b) {
      const int compared = compare(a, b);
      return compared == 0 ? a < b : compared < 0;
    });
    for (std::size_t i = 0; i < n; ++i) {
      if (i == 0 || compare(order[i - 1], order[i]) != 0) {
        first[groups] = order[i];
        counts[groups++] = 0;
      }
      ++counts[groups - 1];
      inverse[static_cast<std::size_t>(order[i])] = static_cast<Index>(groups) - 1;
    }
  });
  if (call.integer("sorted", 1) == 0) {
    const std::span<Index> by_first = counted(call.tape(), static_cast<Index>(groups)),
                           rank = call.memory<Index>(groups), was_first = call.memory<Index>(groups),
                           had = call.memory<Index>(groups);
    std::copy_n(first.begin(), groups, was_first.begin());
    std::copy_n(counts.begin(), groups, had.begin());
    std::sort(by_first.begin(), by_first.end(), [&](Index a, Index b) {
      return was_first[static_cast<std::size_t>(a)] < was_first[static_cast<std::size_t>(b)];
    });
    for (std::size_t i = 0; i < groups; ++i) {
      const auto group = static_cast<std::size_t>(by_first[i]);
      first[i] = was_first[group];
      counts[i] = had[group];
      rank[group] = static_cast<Index>(i);
    }
    for (Index& group : inverse) group = rank[static_cast<std::size_t>(group)];
  }
  const Shape of_groups{static_cast<Index>(groups)};
  if (call.wants(0)) call.result(0, take(call.tape(), x, axis, first.first(groups)));
  call.integer_result(1, ElementType::int64, of_groups, first.first(groups));
  call.integer_result(2, ElementType::int64, Shape{split.n}, inverse);
  call.integer_result(3, ElementType::int64, of_groups, counts.first(groups));
}

/// The positions of the elements other than 0: (axes, count).
void non_zero(Call& call) {
  const Value& x = call.value(0);
  const Shape s = x.shape();
  with_elements(x, [&](const auto* elements) {
    const Index count = x.size() - std::count(elements, elements + x.size(), std::decay_t<decltype(*elements)>{0});
    const Shape shape{s.rank(), count};
    const std::span<Index> positions = call.memory<Index>(static_cast<std::size_t>(shape.size()));
    Index column = 0;
    for (Index i = 0; i < x.size(); ++i) {
      if (elements[i] == 0) continue;
      for (Index d = s.rank() - 1, rest = i; d >= 0; rest /= s[d--]) {
        positions[static_cast<std::size_t>(d * count + column)] = rest % s[d];
      }
      ++column;
    }
    call.integer_result(0, ElementType::int64, shape, positions);
  });
}

/// The slices along an axis, or elements without one, whose condition is true. Conditions that are missing are false.
void compress(Call& call) {
  const bool is_flat = !call.has("axis");
  const Value x = is_flat ? reshape(call.value(0), Shape{call.value(0).size()}) : call.value(0);
  const Index axis = is_flat ? 0 : axis_of(call.integer("axis"), x.shape()), n = x.shape()[axis];
  require<FormatError>(call.kind(1) == Kind::boolean, "its condition must be booleans");
  const std::span<const Index> condition = call.integers(1);
  require<ShapeError>(call.shape(1).rank() == 1 && std::ssize(condition) <= n,
                      "a condition of shape {} for an axis of {}", call.shape(1), n);
  const std::span<Index> chosen = call.memory<Index>(condition.size());
  std::size_t count = 0;
  for (std::size_t i = 0; i < condition.size(); ++i) {
    if (condition[i] != 0) chosen[count++] = static_cast<Index>(i);
  }
  call.result(0, take(call.tape(), x, axis, chosen.first(count)));
}

/// Reverses the first steps of each sequence.
void reverse_sequence(Call& call) {
  const Value& x = call.value(0);
  const Shape s = x.shape();
  const Index batch_axis = call.integer("batch_axis", 1), time_axis = call.integer("time_axis", 0);
  require<FormatError>(s.rank() >= 2 && batch_axis + time_axis == 1 && (batch_axis == 0 || batch_axis == 1),
                       "batch_axis {} and time_axis {} of {}; 0 and 1 are required", batch_axis, time_axis, s);
  const std::span<const Index> lengths = call.integers(1);
  const Index batch = s[batch_axis], steps = s[time_axis], inner = s.sub(2).size();
  require<ShapeError>(std::ssize(lengths) == batch, "{} lengths for {} sequences", lengths.size(), batch);
  const std::span<Index> positions = counted(call.tape(), s.size());
  const Index per_step = time_axis == 0 ? batch : 1, per_sequence = time_axis == 0 ? 1 : steps;
  for (Index b = 0; b < batch; ++b) {
    const Index length = lengths[static_cast<std::size_t>(b)];
    require<ValueError>(0 <= length && length <= steps, "a length of {}, there are {} steps", length, steps);
    for (Index t = 0; t < length && inner > 0; ++t) {
      const auto to = positions.begin() + (b * per_sequence + t * per_step) * inner;
      std::iota(to, to + inner, (b * per_sequence + (length - 1 - t) * per_step) * inner);
    }
  }
  call.result(0, gather(call.tape(), x, s, positions));
}

}  // namespace

std::span<const Op> sorting_ops() {
  static constexpr Op ops[] = {
      {.name = "Compress", .since = 9, .inputs = {2, 2}, .attributes = "axis ", .takes = anything, .run = compress},
      {.name = "NonZero", .since = 9, .takes = anything, .gradient = Gradient::zero, .run = non_zero},
      {.name = "ReverseSequence",
       .since = 10,
       .inputs = {2, 2},
       .attributes = "batch_axis time_axis ",
       .takes = anything,
       .run = reverse_sequence},
      {.name = "TopK",
       .inputs = {1, 2},
       .outputs = 2,
       .attributes = "axis k largest sorted ",
       .takes = numbers,
       .run = run_top_k},
      {.name = "Unique", .since = 11, .outputs = 4, .attributes = "axis sorted ", .takes = anything, .run = unique},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
