#pragma once

#include <span>

#include "cornu/core/autodiff/tape.h"

namespace cornu::onnx::detail {

/// Memory for `count` elements from the tape's arena; count is below 2^60.
template <class T>
std::span<T> tape_memory(Tape& tape, std::size_t count) {
  return {static_cast<T*>(tape.allocate(count * sizeof(T))), count};
}

/// y[.., i, ..] = x[.., positions[i], ..] along an axis, or `fill` where positions[i] is -1. Positions may repeat and
/// come in any order. Used for Slice, Expand, Gather and the padding of windows. Throws ShapeError for a position out
/// of range.
/// Gradient: each slice of dy is added to the slice of x that it was copied from.
Var take(Var x, Index axis, std::span<const Index> positions, Real fill = 0);

/// x broadcast to `shape`.
Var expand(Var x, const Shape& shape);

/// For each element of `shape`, the flat position of the element of `from` that broadcasting assigns to it. Allocated
/// from the tape.
std::span<Index> broadcast_positions(Tape& tape, const Shape& from, const Shape& shape);

}  // namespace cornu::onnx::detail
