#pragma once

#include "cornu/core/compiler.h"

#include <array>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

#include "cornu/core/autodiff/operand.h"

/// Ops that select, repeat, pad, gather and scatter elements. As in ops.h, each is one function with its gradient; a
/// negative axis or position counts from the end. `take` of the rows of a table is in ops.h.
namespace cornu {

// ---- Positions of an axis that do not depend on data (take_axis.cpp) ----

/// y[.., i, ..] = x[.., positions[i], ..] along an axis. Positions may repeat and come in any order. Throws ShapeError
/// for a position outside of the axis.
/// Gradient: each slice of dy is added to the slice of x that it was copied from.
Var take(Var x, std::span<const Index> positions, Index axis);
Var take(Var x, std::initializer_list<Index> positions, Index axis);

/// The positions begin, begin + step, ... of an axis, before `end`. Bounds count from the end if they are negative, and
/// are clamped to the axis, as in Python. By default all positions in the direction of the step.
struct SliceRange {
  std::optional<Index> begin{}, end{};
  Index step = 1;
};

/// Slices the first axes by one range each; all of the other axes: `strided_slice(x, {{}, {.begin = 1}, {.step = -1}})`
/// is x[:, 1:, ::-1] in Python. Throws ShapeError for more ranges than axes, ValueError for a step of 0.
Var strided_slice(Var x, std::span<const SliceRange> ranges);
Var strided_slice(Var x, std::initializer_list<SliceRange> ranges);

/// Values outside a tensor, as in NumPy's `pad`: a number (constant), the mirrored tensor without (reflect) or with
/// (symmetric) the first and last position repeated, the first and last position (edge), or the other end (wrap).
enum class PadMode { constant, reflect, symmetric, edge, wrap };
constexpr std::array<std::string_view, 5> option_names(PadMode) {
  return {"constant", "reflect", "symmetric", "edge", "wrap"};
}

/// Positions to add to one axis. A negative number removes positions.
struct PadWidths {
  Index before = 0, after = 0;
};

struct PaddingOptions {
  PadMode mode = PadMode::constant;
  double value = 0;  ///< of the mode constant
};

/// Pads each axis by its widths; the first axes if fewer are given: `pad(x, {{}, {1, 1}, {1, 1}})` adds a border to a
/// batch of images. A width may be larger than the axis; the pattern is continued. Throws ShapeError for more widths
/// than axes, for widths that remove more positions than there are, and for an empty axis in other modes than constant.
Var pad(Var x, std::span<const PadWidths> widths, const PaddingOptions& options = {});
Var pad(Var x, std::initializer_list<PadWidths> widths, const PaddingOptions& options = {});

/// Repeats x as a whole along each axis: tile([1 2], {3}) is [1 2 1 2 1 2]. The counts are of the last axes if there
/// are fewer than axes; x gets new first axes if there are more, as in NumPy. Throws ShapeError for a negative count.
Var tile(Var x, std::span<const Index> counts);
Var tile(Var x, std::initializer_list<Index> counts);
/// Repeats each position of an axis: repeat([1 2], 3, 0) is [1 1 1 2 2 2]. Throws ShapeError for a negative count.
Var repeat(Var x, Index count, Index axis);
/// Repeats axes of length 1, and adds first axes, as NumPy's broadcasting does. Throws ShapeError for a shape that x
/// does not broadcast to.
Var broadcast_to(Var x, const Shape& shape);

// ---- Joining and dividing (take_axis.cpp) ----

/// Joins values of one shape along a new axis, which is `axis` of the result: stack_axis({a, b}, 0)[0] is a. (Not
/// `stack`, which is ambiguous after `using namespace std`.) Throws ShapeError for no values, or different shapes.
Var stack_axis(std::span<const Var> values, Index axis);
Var stack_axis(std::initializer_list<Var> values, Index axis);

/// The parts of x along an axis, in memory of the tape: equal parts, or parts that end where the next one begins:
/// split(x, {2, 5}, axis) has the positions [0, 2), [2, 5) and [5, end). Throws ShapeError for a number of parts that
/// does not divide the axis, and for positions that decrease or are outside of it.
std::span<const Var> split(Var x, Index parts, Index axis);
std::span<const Var> split(Var x, std::span<const Index> positions, Index axis);
std::span<const Var> split(Var x, std::initializer_list<Index> positions, Index axis);

// ---- Positions that are data: whole numbers, which have no gradient (gather.cpp) ----

/// y[.., i, ..] = x[.., indices[.., i, ..], ..] for each element of `indices`, which has x's shape except along the
/// axis. Throws ShapeError for other shapes; ValueError, naming the position, for an index that is not a whole number
/// in [-n, n), where n is the length of the axis.
/// Gradient: each element of dy is added to the element of x that it was copied from.
Var take_along_axis(Var x, Var indices, Index axis);

/// x with y[.., indices[.., i, ..], ..] += updates[.., i, ..] for each element of `updates`. Indices may repeat.
/// indices and updates have one shape, which is x's except along the axis. Throws as take_along_axis.
/// Gradients: dx = dy, dupdates = take_along_axis(dy, indices).
Var scatter_add(Var x, Var indices, Var updates, Index axis);

/// A new last axis of n elements: 1 at the index, 0 elsewhere. An index that is not a whole number in [0, n) gives
/// zeros, as in Keras; the one_hot of tensors (datasets/one_hot.h), for targets, throws. Throws ShapeError for a
/// negative n. The gradient is 0.
Var one_hot(Var indices, Index n);

struct TopK {
  Var values, indices;
};

/// The k largest elements of each row, (.., k), in decreasing order, and their positions in the last axis. Of equal
/// elements, the first comes first; NaN counts as the largest. Throws ShapeError unless k is between 0 and the length
/// of the last axis. The indices have no gradient; that of the values is take_along_axis's.
TopK top_k(Var x, Index k);

// ---- For other ops and importers ----

namespace detail {

/// As `take`, with positions in [0, n) or -1 for a slice of elements `fill`.
Var take_axis(Var x, Index axis, std::span<const Index> positions, Real fill = 0);
/// The same as an op of another name, whose attributes say all of the positions.
Var take_axis_as(OpDescription&& op, Var x, Index axis, std::span<const Index> positions, Real fill = 0);
/// The positions of the last axis of the k largest elements.
Var top_k_indices(Var x, Index k);

}  // namespace detail

}  // namespace cornu
