#pragma once

#include <span>

#include "cornu/core/tape.h"

namespace cornu::onnx::detail {

/// Room for so many, fewer than 2^60, in the tape's memory.
template <class T>
std::span<T> tape_memory(Tape& tape, std::size_t count) {
  return {static_cast<T*>(tape.allocate(count * sizeof(T))), count};
}

/// Slices of x along an axis, in any order and any number: y[.., i, ..] = x[.., positions[i], ..], or `fill` where a
/// position is -1. What pads, slices, repeats and picks in ONNX's graphs. Throws ShapeError for a position that the
/// axis does not have. Gradient: each slice of y's is added to the slice of x's that it came from.
Var take(Var x, Index axis, std::span<const Index> positions, Real fill = 0);

/// x stretched to a shape to which it broadcasts.
Var expand(Var x, const Shape& shape);

/// For each number of `shape`, the flat position of the number of `from` that it is when that is broadcast. In the
/// tape's memory.
std::span<Index> broadcast_positions(Tape& tape, const Shape& from, const Shape& shape);

}  // namespace cornu::onnx::detail
