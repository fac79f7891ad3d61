#include <algorithm>
#include <memory>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

/// Calls f(slice of y, slice of x) with the offsets of each slice of `inner` elements; -1 for a fill.
template <class F>
void each_slice(const AxisSplit& x, std::span<const Index> positions, F f) {
  Index to = 0;
  for (Index o = 0; o < x.outer; ++o) {
    for (const Index position : positions) {
      f(to, position < 0 ? -1 : (o * x.n + position) * x.inner);
      to += x.inner;
    }
  }
}

/// Positions of an axis, in memory of the tape: f(i) for i from 0 to count - 1.
template <class F>
std::span<const Index> positions_by(Tape& tape, Index count, F f) {
  const std::span<Index> positions = tape.memory<Index>(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) positions[static_cast<std::size_t>(i)] = f(i);
  return positions;
}

/// The position of an axis of n > 0 elements that stands at `at` in the padding; -1 for the constant.
Index padded_position(Index at, Index n, PadMode mode) {
  if (0 <= at && at < n) return at;
  const auto modulo = [at](Index period) { return (at % period + period) % period; };
  switch (mode) {
    case PadMode::constant:
      break;
    case PadMode::edge:
      return at < 0 ? 0 : n - 1;
    case PadMode::wrap:
      return modulo(n);
    case PadMode::symmetric:
      return std::min(modulo(2 * n), 2 * n - 1 - modulo(2 * n));
    case PadMode::reflect:
      if (n == 1) return 0;
      return std::min(modulo(2 * n - 2), 2 * n - 2 - modulo(2 * n - 2));
  }
  return -1;
}

Var sliced(Var x, Index axis, const SliceRange& range) {
  require<ValueError>(range.step != 0, "strided_slice: the step of axis {} is 0", axis);
  const Index n = x.shape()[axis], step = std::clamp(range.step, -n - 1, n + 1);  // of one position, at most
  const Index first = step > 0 ? 0 : -1, last = step > 0 ? n : n - 1;
  const auto inside = [&](Index at) { return std::clamp(at < 0 ? at + n : at, first, last); };
  const Index begin = range.begin ? inside(*range.begin)
                      : step > 0  ? first
                                  : last,
              end = range.end  ? inside(*range.end)
                    : step > 0 ? last
                               : first;
  if (step == 1) return begin == 0 && end == n ? x : slice_axis(x, axis, begin, std::max(begin, end));
  const Index count = std::max(Index{0}, (end - begin + (step > 0 ? step - 1 : step + 1)) / step);
  return detail::take_axis(x, axis, positions_by(x.tape(), count, [=](Index i) { return begin + i * step; }));
}

}  // namespace

Var detail::take_axis_as(OpDescription&& op, Var x, Index axis, std::span<const Index> positions, Real fill) {
  const Index at = x.along(axis);
  const AxisSplit split(x.shape(), at);
  bool fills = false;
  for (const Index position : positions) {
    require(-1 <= position && position < split.n, "position {} is outside of axis {} of {}", position, at, x.shape());
    fills = fills || position < 0;
  }
  const auto n = static_cast<Index>(positions.size());
  Var y = x.tape().output(x.shape().with(at, n), {x}, std::move(op));
  // The backward rule reads the positions later: keep them in the tape's memory.
  const std::span<Index> kept = x.tape().memory<Index>(positions.size());
  std::copy(positions.begin(), positions.end(), kept.begin());
  each_slice(split, kept, [=, in = x.value().data(), out = y.out().data(), inner = split.inner](Index to, Index from) {
    from < 0 ? std::fill_n(out + to, inner, fill) : std::copy_n(in + from, inner, out + to);
  });
  if (!fills) {
    y.squashed_as(x);
    if (at == 1 && x.is_masked()) y.set_mask(take_axis(x.carried_mask(), 1, kept));
  }
  if (at >= 2) y.masked_as(x);
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      if (split.n == 1 && !fills) return sum_axis(y.grad().data(), {split.outer, n, split.inner}, 1, dx);
      if (!dx.accumulates()) cornu::fill(dx.view(), 0);
      each_slice(split, kept, [g = y.grad().data(), to = dx.data(), inner = split.inner](Index from, Index at_x) {
        if (at_x >= 0) assign(to + at_x, inner, true, [g, from](Index j) { return g[from + j]; });
      });
    }
  });
}

Var detail::take_axis(Var x, Index axis, std::span<const Index> positions, Real fill) {
  return take_axis_as({"take_axis", {{"axis", x.shape().normalized(axis)}, {"positions", positions}, {"fill", fill}}},
                      x, axis, positions, fill);
}

Var take(Var x, std::span<const Index> positions, Index axis) {
  const Index n = x.shape()[axis];
  return detail::take_axis(x, axis, positions_by(x.tape(), std::ssize(positions), [&](Index i) {
                             const Index given = positions[static_cast<std::size_t>(i)];
                             require(-n <= given && given < n, "take: position {} is outside of axis {} of shape {}",
                                     given, axis, x.shape());
                             return given < 0 ? given + n : given;
                           }));
}

Var take(Var x, std::initializer_list<Index> positions, Index axis) {
  return take(x, std::span<const Index>(positions.begin(), positions.size()), axis);
}

Var strided_slice(Var x, std::span<const SliceRange> ranges) {
  require(std::ssize(ranges) <= x.rank(), "strided_slice: {} ranges for shape {}", ranges.size(), x.shape());
  for (std::size_t axis = 0; axis < ranges.size(); ++axis) x = sliced(x, static_cast<Index>(axis), ranges[axis]);
  return x;
}

Var strided_slice(Var x, std::initializer_list<SliceRange> ranges) {
  return strided_slice(x, std::span<const SliceRange>(ranges.begin(), ranges.size()));
}

Var pad(Var x, std::span<const PadWidths> widths, const PaddingOptions& options) {
  require(std::ssize(widths) <= x.rank(), "pad: {} pairs of widths for shape {}", widths.size(), x.shape());
  const Shape shape = x.shape();
  for (Index axis = 0; axis < std::ssize(widths); ++axis) {
    const Index before = widths[static_cast<std::size_t>(axis)].before,
                after = widths[static_cast<std::size_t>(axis)].after;
    if (before == 0 && after == 0) continue;
    const Index n = shape[axis];
    constexpr Index most = Shape::max_size;
    require(-n <= before && -n <= after && before <= most && after <= most && n + before + after >= 0,
            "pad: widths {} and {} of axis {} of shape {}, which has {} positions", before, after, axis, shape, n);
    require(n > 0 || options.mode == PadMode::constant, "pad: axis {} of shape {} is empty; only a constant can pad it",
            axis, shape);
    const Shape result = x.shape().with(axis, n + before + after);
    x = detail::take_axis(
        x, axis,
        positions_by(x.tape(), result[axis], [&](Index i) { return padded_position(i - before, n, options.mode); }),
        static_cast<Real>(options.value));
  }
  return x;
}

Var pad(Var x, std::initializer_list<PadWidths> widths, const PaddingOptions& options) {
  return pad(x, std::span<const PadWidths>(widths.begin(), widths.size()), options);
}

Var tile(Var x, std::span<const Index> counts) {
  Shape shape = x.shape();
  while (shape.rank() < std::ssize(counts)) shape = shape.inserted(0, 1);
  if (shape.rank() > x.rank()) x = reshape(x, shape);
  for (Index i = 1; i <= std::ssize(counts); ++i) {
    const Index count = counts[counts.size() - static_cast<std::size_t>(i)], n = shape[-i];
    require(count >= 0, "tile: {} repetitions of axis {} of shape {}", count, shape.rank() - i, shape);
    if (count == 1) continue;
    Index total = 0;
    require(!__builtin_mul_overflow(n, count, &total) && total <= Shape::max_size,
            "tile: {} repetitions of axis {} of shape {} are too many", count, shape.rank() - i, shape);
    x = detail::take_axis(x, -i, positions_by(x.tape(), total, [=](Index at) { return at % n; }));
  }
  return x;
}

Var tile(Var x, std::initializer_list<Index> counts) {
  return tile(x, std::span<const Index>(counts.begin(), counts.size()));
}

Var repeat(Var x, Index count, Index axis) {
  Index total = 0;
  require(count >= 0, "repeat: {} repetitions of axis {} of shape {}", count, axis, x.shape());
  require(!__builtin_mul_overflow(x.shape()[axis], count, &total) && total <= Shape::max_size,
          "repeat: {} repetitions of axis {} of shape {} are too many", count, axis, x.shape());
  return detail::take_axis(x, axis, positions_by(x.tape(), total, [=](Index at) { return at / count; }));
}

Var broadcast_to(Var x, const Shape& shape) {
  const Shape given = x.shape();
  const Index lead = shape.rank() - given.rank();
  bool fits = lead >= 0;
  for (Index axis = 0; fits && axis < given.rank(); ++axis) {
    fits = given[axis] == 1 || given[axis] == shape[axis + lead];
  }
  require(fits, "broadcast_to: shape {} does not broadcast to {}", given, shape);
  if (lead > 0) {
    Shape longer = given;
    while (longer.rank() < shape.rank()) longer = longer.inserted(0, 1);
    x = reshape(x, longer);
  }
  for (Index axis = shape.rank() - 1; axis >= 0; --axis) {  // the last first: longer slices are copied faster
    if (x.shape()[axis] == shape[axis]) continue;
    x = detail::take_axis(x, axis, positions_by(x.tape(), shape[axis], [](Index) { return Index{0}; }));
  }
  return x;
}

Var stack_axis(std::span<const Var> values, Index axis) {
  require(!values.empty(), "stack_axis: there is nothing to stack");
  const Shape& like = values[0].shape();
  const Index rank = like.rank(), at = axis < 0 ? axis + rank + 1 : axis;
  require(0 <= at && at <= rank, "stack_axis: axis {} is out of range for values of shape {}", axis, like);
  const std::span<Var> longer = values[0].tape().memory<Var>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    require(values[i].shape() == like, "stack_axis: shapes {} and {} must be equal", like, values[i].shape());
    std::construct_at(&longer[i], reshape(values[i], like.inserted(at, 1)));
  }
  return concatenate(longer, at);
}

Var stack_axis(std::initializer_list<Var> values, Index axis) {
  return stack_axis(std::span<const Var>(values.begin(), values.size()), axis);
}

std::span<const Var> split(Var x, std::span<const Index> positions, Index axis) {
  const Index n = x.shape()[axis];
  const std::span<Var> parts = x.tape().memory<Var>(positions.size() + 1);
  Index begin = 0;
  for (std::size_t i = 0; i <= positions.size(); ++i) {
    const Index given = i < positions.size() ? positions[i] : n, end = given < 0 ? given + n : given;
    require(begin <= end && end <= n, "split: position {} of axis {} of shape {}; {} to {} is required", given, axis,
            x.shape(), begin, n);
    std::construct_at(&parts[i], slice_axis(x, axis, begin, end));
    begin = end;
  }
  return parts;
}

std::span<const Var> split(Var x, std::initializer_list<Index> positions, Index axis) {
  return split(x, std::span<const Index>(positions.begin(), positions.size()), axis);
}

std::span<const Var> split(Var x, Index parts, Index axis) {
  const Index n = x.shape()[axis];
  require(parts > 0 && n % parts == 0, "split: {} equal parts of axis {} of shape {}, which has {} positions", parts,
          axis, x.shape(), n);
  return split(x, positions_by(x.tape(), parts - 1, [=](Index i) { return (i + 1) * (n / parts); }), axis);
}

}  // namespace cornu
