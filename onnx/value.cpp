#include "cornu/onnx/value.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"
#include "cornu/onnx/broadcast.h"

namespace cornu::onnx::detail {

namespace {

std::span<Index> memory_for(Tape& tape, const Shape& shape) {
  return tape_memory<Index>(tape, static_cast<std::size_t>(shape.size()));
}

/// The same whole numbers in another order.
Value moved(const Value& x, const Shape& shape, std::span<const Index> numbers, Var var = {}) {
  Value y = x;
  y.whole = shape;
  y.integers = numbers.data();
  y.source = x.origin();
  y.var = var;
  return y;
}

Index whole_fill(double fill) { return static_cast<Index>(fill); }

}  // namespace

Shape Value::shape() const {
  if (!is_real()) return whole;
  const Shape s = var.shape();
  if (layout != Layout::channels_last) return s;
  return s.rank() == 3 ? Shape{s[0], s[2], s[1]} : Shape{s[0], s[3], s[1], s[2]};
}

Value value_of(Tape& tape, const Elements& elements) {
  if (elements.kind() != Kind::real) return whole_value(elements.type, elements.shape, elements.integers);
  return {.type = elements.type, .var = tape.input(elements.real)};
}

Value whole_value(ElementType type, const Shape& shape, std::span<const Index> numbers, Var source) {
  static constexpr Index none = 0;
  return {.type = type,
          .whole = shape,
          .integers = numbers.data() == nullptr ? &none : numbers.data(),  // not null: the value is computed
          .source = source};
}

Var plain(const Value& x) {
  if (x.layout != Layout::channels_last) return x.var;
  return x.var.rank() == 3 ? cornu::transpose(x.var, {0, 2, 1}) : cornu::transpose(x.var, {0, 3, 1, 2});
}

Var as_real(Tape& tape, const Value& x) {
  if (x.is_real()) return plain(x);
  if (x.var) return x.var;
  const Var source = x.source;
  Var y;
  if (source) {
    y = tape.output(x.whole, {source}).backward([] {});
  } else {
    const View memory = tape.scratch(x.whole);
    y = tape.input(memory);
    for (Index i = 0; i < y.size(); ++i) memory[i] = static_cast<Real>(x.integers[i]);
    return y;
  }
  for (Index i = 0; i < y.size(); ++i) y.out()[i] = static_cast<Real>(x.integers[i]);
  return y;
}

Value reshape(const Value& x, const Shape& shape) {
  if (x.is_real()) return {.type = x.type, .var = cornu::reshape(plain(x), shape)};
  require(shape.size() == x.whole.size(), "reshape: {} has {} elements, {} has {}", x.whole, x.whole.size(), shape,
          shape.size());
  return moved(x, shape, x.numbers(), x.var ? cornu::reshape(x.var, shape) : Var());
}

Value transpose(Tape& tape, const Value& x, std::span<const Index> axes) {
  if (x.is_real()) return {.type = x.type, .var = cornu::transpose(plain(x), axes)};
  const Index rank = x.whole.rank();
  require(std::ssize(axes) == rank, "transpose: {} axes for shape {}", axes.size(), x.whole);
  std::array<Index, Shape::max_rank> lengths{}, strides{};
  std::array<bool, Shape::max_rank> seen{};
  for (Index i = 0; i < rank; ++i) {
    const auto at = static_cast<std::size_t>(i), from = static_cast<std::size_t>(x.whole.normalized(axes[at]));
    require(!std::exchange(seen[from], true), "transpose: axis {} twice", from);
    lengths[at] = x.whole[static_cast<Index>(from)];
    strides[at] = x.whole.sub(static_cast<Index>(from) + 1).size();
  }
  const Shape shape(std::span<const Index>(lengths.data(), static_cast<std::size_t>(rank)));
  const std::span<Index> result = memory_for(tape, shape);
  for (std::size_t i = 0; i < result.size(); ++i) {
    Index rest = static_cast<Index>(i), position = 0;
    for (Index axis = rank - 1; axis >= 0; --axis) {
      const auto at = static_cast<std::size_t>(axis);
      position += rest % lengths[at] * strides[at];
      rest /= lengths[at];
    }
    result[i] = x.integers[position];
  }
  return moved(x, shape, result, x.var ? cornu::transpose(x.var, axes) : Var());
}

Value take(Tape& tape, const Value& x, Index axis, std::span<const Index> positions, double fill) {
  if (x.is_real()) {
    return {.type = x.type, .var = detail::take(plain(x), axis, positions, static_cast<Real>(fill))};
  }
  const Index at = x.whole.normalized(axis);
  const AxisSplit split(x.whole, at);
  const auto n = std::ssize(positions);
  for (const Index position : positions) {
    require(-1 <= position && position < split.n, "position {} is outside of axis {} of {}", position, at, x.whole);
  }
  const Shape shape = x.whole.with(at, n);
  const std::span<Index> result = memory_for(tape, shape);
  Index* to = result.data();
  for (Index o = 0; o < split.outer; ++o) {
    for (const Index position : positions) {
      const Index* const from = x.integers + (o * split.n + std::max(position, Index{0})) * split.inner;
      to = position < 0 ? std::fill_n(to, split.inner, whole_fill(fill)) : std::copy_n(from, split.inner, to);
    }
  }
  return moved(x, shape, result);
}

Value gather(Tape& tape, const Value& x, const Shape& shape, std::span<const Index> positions, double fill) {
  return reshape(take(tape, reshape(x, Shape{x.size()}), 0, positions, fill), shape);
}

Value slice(Tape& tape, const Value& x, Index axis, Index begin, Index end) {
  if (x.is_real()) return {.type = x.type, .var = slice_axis(plain(x), axis, begin, end)};
  const std::span<Index> positions =
      tape_memory<Index>(tape, static_cast<std::size_t>(std::max(Index{0}, end - begin)));
  for (std::size_t i = 0; i < positions.size(); ++i) positions[i] = begin + static_cast<Index>(i);
  return take(tape, x, axis, positions);
}

Value concatenate(Tape& tape, std::span<const Value> values, Index axis) {
  const Value& first = values.front();
  for (const Value& value : values) {
    require<FormatError>(value.kind() == first.kind(), "its inputs are of different types: {} and {}",
                         name_of_element_type(static_cast<std::int64_t>(first.type)),
                         name_of_element_type(static_cast<std::int64_t>(value.type)));
  }
  if (first.is_real()) {
    const std::span<Var> vars = tape_memory<Var>(tape, values.size());
    std::transform(values.begin(), values.end(), vars.begin(), [](const Value& value) { return plain(value); });
    return {.type = first.type, .var = cornu::concatenate(vars, axis)};
  }
  const Index at = first.whole.normalized(axis);
  Index length = 0;
  Var source;
  for (const Value& value : values) {
    require(value.whole.rank() == first.whole.rank() && value.whole.without(at) == first.whole.without(at),
            "shapes {} and {} cannot be joined along axis {}", first.whole, value.whole, axis);
    length += value.whole[at];
    if (!source) source = value.origin();
  }
  const Shape shape = first.whole.with(at, length);
  const std::span<Index> result = memory_for(tape, shape);
  const AxisSplit split(shape, at);
  Index* to = result.data();
  for (Index o = 0; o < split.outer; ++o) {
    for (const Value& value : values) {
      const Index count = value.whole[at] * split.inner;
      to = std::copy_n(value.integers + o * count, count, to);
    }
  }
  return whole_value(first.type, shape, result, source);
}

Value expand(Tape& tape, const Value& x, const Shape& shape) {
  const Shape own = x.shape();
  if (own == shape) return x;
  const Shape result = broadcast(own, shape, "expand");
  return gather(tape, x, result, broadcast_positions(tape, own, result));
}

Index wrapped(ElementType type, Index number) {
  switch (type) {
    case ElementType::uint8:
      return static_cast<std::uint8_t>(number);
    case ElementType::int8:
      return static_cast<std::int8_t>(number);
    case ElementType::uint16:
      return static_cast<std::uint16_t>(number);
    case ElementType::int16:
      return static_cast<std::int16_t>(number);
    case ElementType::uint32:
      return static_cast<std::uint32_t>(number);
    case ElementType::int32:
      return static_cast<std::int32_t>(number);
    case ElementType::boolean:
      return number != 0 ? 1 : 0;
    default:
      return number;
  }
}

std::pair<Index, Index> range_of(ElementType type) {
  const auto of = []<class T>(T) {
    return std::pair<Index, Index>(std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
  };
  switch (type) {
    case ElementType::uint8:
      return of(std::uint8_t{});
    case ElementType::int8:
      return of(std::int8_t{});
    case ElementType::uint16:
      return of(std::uint16_t{});
    case ElementType::int16:
      return of(std::int16_t{});
    case ElementType::uint32:
      return of(std::uint32_t{});
    case ElementType::int32:
      return of(std::int32_t{});
    case ElementType::boolean:
      return {0, 1};
    case ElementType::uint64:
      return {0, std::numeric_limits<Index>::max()};
    default:
      return of(Index{});
  }
}

}  // namespace cornu::onnx::detail
