#pragma once

#include <span>

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/ops/indexing.h"

namespace cornu::onnx::detail {

/// Memory for `count` elements from the tape's arena; count is below 2^60.
template <class T>
std::span<T> tape_memory(Tape& tape, std::size_t count) {
  return tape.memory<T>(count);
}

/// cornu::detail::take_axis: position -1 is a slice of elements `fill`. Used for Slice, Gather and the padding of
/// windows.
inline Var take(Var x, Index axis, std::span<const Index> positions, Real fill = 0) {
  return cornu::detail::take_axis(x, axis, positions, fill);
}

/// x and `shape` broadcast.
Var expand(Var x, const Shape& shape);

/// For each element of `shape`, the flat position of the element of `from` that broadcasting assigns to it. Allocated
/// from the tape.
std::span<Index> broadcast_positions(Tape& tape, const Shape& from, const Shape& shape);

}  // namespace cornu::onnx::detail
