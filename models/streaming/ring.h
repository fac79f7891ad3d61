#pragma once

#include "cornu/core/tensor.h"

namespace cornu::detail {

/// Elements after each value in the memory of a stream: a vector that begins in the value may end there.
inline constexpr Index stream_slack = 64 / static_cast<Index>(sizeof(Real));

/// A ring of rows in the state of a stream. An op writes the rows of a block into it, contiguously from any place:
/// `block` more rows, which repeat the first ones, follow the last. Nothing is moved, and no step takes longer than
/// another. State: the rows, then the place of the next row.
struct StreamRing {
  Index begin = 0, length = 0, width = 0;  // length: rows, and width: their elements
  Index block = 0;                         // most rows of a block

  /// For windows that reach over `reach` rows. Vectors that end beyond a block do not change the rows before it.
  static StreamRing for_windows(Index reach, Index width, Index block) {
    return {.length = reach - 1 + block + (stream_slack + width - 1) / width, .width = width, .block = block};
  }
  Index size() const { return (length + block) * width + stream_slack + 1; }
  Index place_at() const { return begin + size() - 1; }

  Index place(const Real* state) const { return static_cast<Index>(state[place_at()]); }
  Real* row(Index i, Real* state) const { return state + begin + i * width; }
  /// Repeats rows of a block that has been written, so that `block` rows can be read from any place.
  void repeat(Index rows, Real* state) const;
  /// Ends a block.
  void advance(Index rows, Real* state) const;
};

}  // namespace cornu::detail
