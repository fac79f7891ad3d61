#pragma once

#include "cornu/core/compiler.h"

#include <array>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <string>

namespace cornu {

/// Sizes, counts and positions. Signed, so that differences and -1 ("the last axis") work.
using Index = std::ptrdiff_t;

/// The dimensions of a tensor, outermost first, stored inline. Rank 0 (a scalar, one element) to rank 8.
/// Every Shape is valid: no dimension is negative, and there are at most max_size elements.
class Shape {
 public:
  static constexpr Index max_rank = 8;
  /// Larger than any memory, and small enough that sums of sizes and sizes in bytes do not overflow.
  static constexpr Index max_size = Index{1} << 45;

  /// The shape of a scalar.
  Shape() = default;
  /// Throws ShapeError for more than max_rank dimensions, a negative dimension, or more than max_size elements.
  Shape(std::initializer_list<Index> dimensions);
  explicit Shape(std::span<const Index> dimensions);

  Index rank() const { return rank_; }
  Index size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Dimension `axis`, counted from the end if negative: shape[-1] is the last one. Throws ShapeError if there is no
  /// such axis.
  Index operator[](Index axis) const { return dimensions_[static_cast<std::size_t>(normalized(axis))]; }

  /// `axis` in [0, rank): counted from the end if negative. Throws ShapeError if there is no such axis.
  Index normalized(Index axis) const {
    const Index result = axis < 0 ? axis + rank_ : axis;
    if (result < 0 || result >= rank_) [[unlikely]]
      throw_no_axis(axis);
    return result;
  }

  /// This shape with dimension `axis` replaced, removed, or a new one inserted before it.
  Shape with(Index axis, Index dimension) const;
  Shape without(Index axis) const;
  Shape inserted(Index axis, Index dimension) const;
  /// Dimensions [first, last), by default to the end.
  Shape sub(Index first, Index last) const;
  Shape sub(Index first) const { return sub(first, rank_); }

  /// This shape with a batch axis: (28, 28) becomes (batch, 28, 28).
  Shape batched(Index batch) const { return inserted(0, batch); }

  /// The dimensions as a range. (A Shape is not a range, because its `size` counts elements.)
  std::span<const Index> dimensions() const& { return {dimensions_.data(), static_cast<std::size_t>(rank_)}; }
  std::span<const Index> dimensions() const&& = delete;  // the span of a temporary would dangle

  friend bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && a.dimensions_ == b.dimensions_;
  }

 private:
  [[noreturn]] void throw_no_axis(Index axis) const;

  std::array<Index, max_rank> dimensions_{};
  Index rank_ = 0;
  Index size_ = 1;
};

/// As in Python: "(32, 784)", "(10,)", "()".
std::string to_string(const Shape& shape);
/// The same for indices that are not a valid Shape: an index tuple, a target with a -1, too many dimensions.
std::string to_string(std::span<const Index> indices);

/// The shape to which `a` and `b` broadcast by NumPy's rule: aligned at the last axis, axes of size 1 are repeated.
/// Throws ShapeError, naming `what` and both shapes, if they do not broadcast.
Shape broadcast(const Shape& a, const Shape& b, const char* what = "broadcast");

namespace detail {
/// True if `shape` is one that `pattern` describes: a 0 in the pattern is an axis of any length.
bool matches(const Shape& pattern, const Shape& shape);
/// The pattern of two shapes of the same rank: 0 where they differ.
Shape common_pattern(const Shape& a, const Shape& b);
/// A pattern as it is written in an Input: "(-1, 8)".
std::string pattern_text(const Shape& pattern);
/// True if `b` equals `a`, or `a` with a last axis of size 1 appended: labels of shape (batch) or (batch, 1).
bool same_but_for_last_1(const Shape& a, const Shape& b);
}  // namespace detail

}  // namespace cornu
