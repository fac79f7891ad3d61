#include <algorithm>
#include <array>
#include <memory>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"

namespace cornu {

namespace {

using Axes = std::array<Index, Shape::max_rank>;

std::span<const Index> first(const Axes& axes, Index count) { return {axes.data(), static_cast<std::size_t>(count)}; }

Var permuted(Var x, const Axes& axes) {
  const Index rank = x.rank();
  Axes dimensions{}, inverse{};
  for (Index i = 0; i < rank; ++i) {
    const auto k = static_cast<std::size_t>(i);
    dimensions[k] = x.shape()[axes[k]];
    inverse[static_cast<std::size_t>(axes[k])] = i;
  }
  if (rank > 0 && axes[0] != 0) x.mix_samples();
  Var y = x.tape().output(Shape(first(dimensions, rank)), {x}, {"transpose", {{"axes", first(axes, rank)}}});
  permute(x.value(), first(axes, rank), overwrite(y.out()));
  y.squashed_as(x);
  if (rank > 2 && axes[0] == 0 && axes[1] == 1) y.masked_as(x);
  return y.backward([=] {
    if (Sink dx = x.sink()) permute(y.grad(), first(inverse, rank), dx);
  });
}

/// A block of a row-major matrix: `rows` runs of `width` elements, `stride` apart.
struct Runs {
  Index rows, width, stride;
};

void copy_runs(const Real* from, Index from_stride, const Runs& to_runs, Real* to, bool accumulates) {
  for (Index row = 0; row < to_runs.rows; ++row) {
    const Real* const run = from + row * from_stride;
    assign(to + row * to_runs.stride, to_runs.width, accumulates, [run](Index i) { return run[i]; });
  }
}

/// Gives y, the values concatenated along an axis, a mask. All steps of a value without one count.
void mask_concatenated(Var y, std::span<const Var> values, Index axis) {
  if (axis >= 2) {
    for (const Var value : values) y.masked_as(value);
  }
  if (axis != 1) return;
  Tape& tape = y.tape();
  const std::span<Var> masks = tape.memory<Var>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    Var mask = values[i].carried_mask();
    if (!mask) {
      const View ones = tape.scratch(values[i].shape().sub(0, 2));
      fill(ones, 1);
      mask = tape.input(ones);
    }
    std::construct_at(&masks[i], mask);
  }
  y.set_mask(concatenate(masks, 1));
}

}  // namespace

Var reshape(Var x, std::span<const Index> dimensions) {
  Axes resolved{};
  require(dimensions.size() <= Shape::max_rank, "reshape: {} dimensions; at most {} are possible", dimensions.size(),
          Shape::max_rank);
  Index known = 1, open = -1;
  for (std::size_t i = 0; i < dimensions.size(); ++i) {
    resolved[i] = dimensions[i];
    if (dimensions[i] != -1) {
      require(dimensions[i] >= 0 && !__builtin_mul_overflow(known, dimensions[i], &known),
              "reshape of {}: dimension {} is {}; give -1 or a size that fits", x.shape(), i, dimensions[i]);
    } else {
      require(open < 0, "reshape of {}: only one dimension can be -1", x.shape());
      open = static_cast<Index>(i);
    }
  }
  if (open >= 0) {
    require(known > 0 && x.size() % known == 0, "reshape of {}: its {} elements are not divisible by {}", x.shape(),
            x.size(), known);
    resolved[static_cast<std::size_t>(open)] = x.size() / known;
  }
  return x.tape().alias(x, Shape(first(resolved, static_cast<Index>(dimensions.size()))));
}

Var reshape(Var x, std::initializer_list<Index> dimensions) {
  return reshape(x, std::span<const Index>(dimensions.begin(), dimensions.size()));
}

Var reshape(Var x, const Shape& shape) { return x.tape().alias(x, shape); }

Var steps_as_samples(Var x) {
  const Shape& s = x.shape();
  require(s.rank() > 1, "steps_as_samples: x of shape {}; (batch, steps, ...) is required", s);
  return x.tape().alias_of_rows(x, s.sub(2).batched(s[0] * s[1]));
}

Var transpose(Var x) {
  Axes axes{};
  for (Index i = 0; i < x.rank(); ++i) axes[static_cast<std::size_t>(i)] = x.rank() - 1 - i;
  return permuted(x, axes);
}

Var transpose(Var x, std::span<const Index> order) {
  Axes axes{};
  std::array<bool, Shape::max_rank> seen{};
  require(static_cast<Index>(order.size()) == x.rank(), "transpose of {}: {} axes given; it has {}", x.shape(),
          order.size(), x.rank());
  Index count = 0;
  for (const Index axis : order) {
    const auto k = static_cast<std::size_t>(x.shape().normalized(axis));
    require(!seen[k], "transpose of {}: axis {} is given twice", x.shape(), axis);
    seen[k] = true;
    axes[static_cast<std::size_t>(count++)] = static_cast<Index>(k);
  }
  return permuted(x, axes);
}

Var transpose(Var x, std::initializer_list<Index> order) {
  return transpose(x, std::span<const Index>(order.begin(), order.size()));
}

Var concatenate(std::span<const Var> values, Index axis) {
  require(!values.empty(), "concatenate: there is nothing to concatenate");
  const Shape& like = values[0].shape();
  const Index at = like.normalized(axis);
  Index total = 0;
  for (const Var value : values) {
    require(value.rank() == like.rank() && value.shape().with(at, 0) == like.with(at, 0),
            "concatenate: shapes {} and {} must be equal except along axis {}", like, value.shape(), at);
    total += value.shape()[at];
  }
  Tape& tape = values[0].tape();
  Var y = tape.output(like.with(at, total), values, {"concatenate", {{"axis", at}}});
  // The backward rule needs the operands for the lifetime of the tape, so they are copied into its memory.
  const std::span<Var> kept = tape.memory<Var>(values.size());
  std::uninitialized_copy(values.begin(), values.end(), kept.begin());
  const std::span<const Var> operands = kept;

  const Index outer = like.sub(0, at).size(), inner = like.sub(at + 1).size(), stride = total * inner;
  Index offset = 0;
  for (const Var value : operands) {
    const Index width = value.shape()[at] * inner;
    copy_runs(value.value().data(), width, {outer, width, stride}, y.out().data() + offset, false);
    offset += width;
  }
  if (std::all_of(operands.begin(), operands.end(), [](Var value) { return value.squashed_by() != nullptr; })) {
    y.squashed_as(operands.front());
  }
  if (std::any_of(operands.begin(), operands.end(), [](Var value) { return value.is_masked(); })) {
    mask_concatenated(y, operands, at);
  }
  return y.backward([=] {
    Index from = 0;
    for (const Var value : operands) {
      const Index width = value.shape()[at] * inner;
      if (Sink dv = value.sink()) {
        copy_runs(y.grad().data() + from, stride, {outer, width, width}, dv.data(), dv.accumulates());
      }
      from += width;
    }
  });
}

Var concatenate(std::initializer_list<Var> values, Index axis) {
  return concatenate(std::span<const Var>(values.begin(), values.size()), axis);
}

Var slice_axis(Var x, Index axis, Index begin, Index end) {
  const Index at = x.shape().normalized(axis), extent = x.shape()[at];
  const Index from = begin < 0 ? begin + extent : begin, to = end < 0 ? end + extent : end;
  require(0 <= from && from <= to && to <= extent,
          "slice_axis: [{}, {}) is not a range of the {} positions of axis {} of shape {}", begin, end, extent, axis,
          x.shape());
  const AxisSplit split(x.shape(), at);
  const Index width = (to - from) * split.inner, stride = extent * split.inner;
  const Index offset = x.shape().size() == 0 ? 0 : from * split.inner;  // an empty tensor has no memory to offset into
  Var y =
      x.tape().output(x.shape().with(at, to - from), {x}, {"slice_axis", {{"axis", at}, {"begin", from}, {"end", to}}});
  copy_runs(x.value().data() + offset, stride, {split.outer, width, width}, y.out().data(), false);
  y.squashed_as(x);
  if (at >= 2) y.masked_as(x);
  if (at == 1 && x.is_masked()) y.set_mask(slice_axis(x.carried_mask(), 1, from, to));
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      if (!dx.accumulates()) fill(dx.view(), 0);  // outside the slice the gradient is 0
      copy_runs(y.grad().data(), width, {split.outer, width, stride}, dx.data() + offset, true);
    }
  });
}

Var flip(Var x, Index axis) {
  const Index at = x.shape().normalized(axis), n = x.shape()[at];
  const std::span<Index> positions = x.tape().memory<Index>(static_cast<std::size_t>(n));
  std::iota(positions.rbegin(), positions.rend(), Index{0});
  return detail::take_axis_as({"flip", {{"axis", at}}}, x, at, positions);
}

}  // namespace cornu
