#include "cornu/core/shape.h"

#include <algorithm>
#include <vector>

#include "cornu/core/error.h"

namespace cornu {

std::string to_string(std::span<const Index> indices) {
  std::string result = "(";
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (i > 0) result += ", ";
    result += std::to_string(indices[i]);
  }
  return result + (indices.size() == 1 ? ",)" : ")");
}

std::string to_string(const Shape& shape) { return to_string(shape.dimensions()); }

Shape::Shape(std::initializer_list<Index> dimensions)
    : Shape(std::span<const Index>(dimensions.begin(), dimensions.size())) {}

Shape::Shape(std::span<const Index> dimensions) {
  // Not `require`, which evaluates its arguments before the check: shapes are constructed all the time.
  if (dimensions.size() > max_rank) [[unlikely]]
    throw ShapeError(message("shape {} has {} dimensions; at most {} are possible", to_string(dimensions),
                             dimensions.size(), max_rank));
  Index nonzero = 1;  // product of the nonzero dimensions: (0, huge, huge) is an error like (1, huge, huge)
  for (const Index dimension : dimensions) {
    if (dimension < 0) [[unlikely]]
      throw ShapeError(message("shape {} has a negative dimension", to_string(dimensions)));
    if (dimension != 0 && (__builtin_mul_overflow(nonzero, dimension, &nonzero) || nonzero > max_size)) [[unlikely]]
      throw ShapeError(message("shape {} has more than 2^45 elements", to_string(dimensions)));
  }
  std::copy(dimensions.begin(), dimensions.end(), dimensions_.begin());
  rank_ = static_cast<Index>(dimensions.size());
  size_ = std::find(dimensions.begin(), dimensions.end(), 0) == dimensions.end() ? nonzero : 0;
}

void Shape::throw_no_axis(Index axis) const {
  throw ShapeError(message("axis {} is out of range for shape {} of rank {}", axis, *this, rank_));
}

Shape Shape::with(Index axis, Index dimension) const {
  std::array<Index, max_rank> result = dimensions_;
  result[static_cast<std::size_t>(normalized(axis))] = dimension;
  return Shape(std::span<const Index>(result.data(), static_cast<std::size_t>(rank_)));
}

Shape Shape::without(Index axis) const {
  std::array<Index, max_rank> result{};
  const Index gap = normalized(axis);
  std::copy_n(dimensions_.begin(), gap, result.begin());
  std::copy(dimensions_.begin() + gap + 1, dimensions_.begin() + rank_, result.begin() + gap);
  return Shape(std::span<const Index>(result.data(), static_cast<std::size_t>(rank_ - 1)));
}

Shape Shape::inserted(Index axis, Index dimension) const {
  require(rank_ < max_rank, "shape {} has {} dimensions, the maximum; no dimension can be added", *this, rank_);
  require(axis >= 0 && axis <= rank_, "shape {}: a dimension cannot be inserted at axis {}", *this, axis);
  std::array<Index, max_rank> result{};
  std::copy_n(dimensions_.begin(), axis, result.begin());
  result[static_cast<std::size_t>(axis)] = dimension;
  std::copy(dimensions_.begin() + axis, dimensions_.begin() + rank_, result.begin() + axis + 1);
  return Shape(std::span<const Index>(result.data(), static_cast<std::size_t>(rank_ + 1)));
}

Shape Shape::sub(Index first, Index last) const {
  require(0 <= first && first <= last && last <= rank_, "shape {} has no dimensions [{}, {})", *this, first, last);
  return Shape(dimensions().subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first)));
}

Shape broadcast(const Shape& a, const Shape& b, const char* what) {
  const Index rank = std::max(a.rank(), b.rank());
  std::array<Index, Shape::max_rank> result{};
  for (Index i = 1; i <= rank; ++i) {
    const Index from_a = i <= a.rank() ? a[-i] : 1;
    const Index from_b = i <= b.rank() ? b[-i] : 1;
    require(from_a == from_b || from_a == 1 || from_b == 1,
            "{}: shapes {} and {} do not broadcast: at axis {} from the end, {} and {} differ and neither is 1", what,
            a, b, i, from_a, from_b);
    result[static_cast<std::size_t>(rank - i)] = from_a == 1 ? from_b : from_a;
  }
  return Shape(std::span<const Index>(result.data(), static_cast<std::size_t>(rank)));
}

bool detail::matches(const Shape& pattern, const Shape& shape) {
  return std::equal(pattern.dimensions().begin(), pattern.dimensions().end(), shape.dimensions().begin(),
                    shape.dimensions().end(), [](Index any, Index own) { return any == 0 || any == own; });
}

Shape detail::common_pattern(const Shape& a, const Shape& b) {
  Shape result = a;
  for (Index axis = 0; axis < result.rank(); ++axis) {
    if (a[axis] != b[axis]) result = result.with(axis, 0);
  }
  return result;
}

std::string detail::pattern_text(const Shape& pattern) {
  std::vector<Index> written(pattern.dimensions().begin(), pattern.dimensions().end());
  std::replace(written.begin(), written.end(), Index{0}, Index{-1});
  return to_string(written);
}

bool detail::same_but_for_last_1(const Shape& a, const Shape& b) {
  return a == b || (b.rank() == a.rank() + 1 && b[-1] == 1 && b.without(-1) == a);
}

}  // namespace cornu
