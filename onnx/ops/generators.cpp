#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

/// Ops that generate tensors or repeat and mask elements: EyeLike, OneHot, Range, Tile, Trilu.
namespace cornu::onnx::detail {

namespace {

/// start, start + delta, ..., before limit.
void range(Call& call) {
  if (call.is_real()) {
    const double start = call.number(0), delta = call.number(2);
    const double count = std::max(std::ceil((call.number(1) - start) / delta), 0.0);  // keeps a NaN
    require<ValueError>(count <= static_cast<double>(Shape::max_size), "{} steps of {} from {} on", count, delta,
                        start);
    const View numbers = call.tape().scratch({static_cast<Index>(count)});
    for (Index i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<Real>(i);
    const auto scalar = [&](std::size_t input) { return cornu::reshape(call.as_real(input), Shape{}); };
    return call.result(scalar(0) + call.tape().input(numbers) * scalar(2));
  }
  const auto scalar = [&](std::size_t input) {
    const std::span<const Index> given = call.integers(input);
    require<FormatError>(given.size() == 1, "input {} has shape {}; one number is required", input, call.shape(input));
    return given[0];
  };
  const Index start = scalar(0), limit = scalar(1), delta = scalar(2);
  require<ValueError>(delta != 0, "its delta is 0");
  // Unsigned: a difference may be up to 2^64 - 1.
  const auto bits = [](Index number) { return static_cast<std::uint64_t>(number); };
  const bool is_empty = delta > 0 ? start >= limit : start <= limit;
  const std::uint64_t span = delta > 0 ? bits(limit) - bits(start) : bits(start) - bits(limit);
  const std::uint64_t step = delta > 0 ? bits(delta) : 0 - bits(delta), count = is_empty ? 0 : (span - 1) / step + 1;
  require<ValueError>(count <= bits(Shape::max_size), "{} steps of {} from {} on", count, delta, start);
  const std::span<Index> numbers = call.memory<Index>(count);
  for (std::uint64_t i = 0; i < count; ++i) numbers[i] = static_cast<Index>(bits(start) + i * bits(delta));
  call.integer_result(0, call.type(0), {static_cast<Index>(count)}, numbers);
}

/// Before opset 6, Tile repeats one axis only.
void run_tile(Call& call) {
  Value y = call.value(0);
  const std::span<const Index> repeats = call.integers(1);
  const Index rank = y.shape().rank();
  require<FormatError>(std::ssize(repeats) == rank, "{} repeats for {}", repeats.size(), y.shape());
  for (Index axis = 0; axis < rank; ++axis) {
    const Index n = y.shape()[axis], count = repeats[static_cast<std::size_t>(axis)];
    if (count == 1) continue;
    Index length = 0;
    require<ShapeError>(count >= 0 && !__builtin_mul_overflow(n, count, &length), "axis {} of {} is repeated {} times",
                        axis, y.shape(), count);
    (void)y.shape().with(axis, length);  // throws if there are too many elements
    const std::span<Index> positions = counted(call.tape(), length);
    for (Index& position : positions) position %= n;
    y = take(call.tape(), y, axis, positions);
  }
  call.result(0, y);
}

/// The elements on and above (upper) or below the diagonal k of each matrix; the others become 0.
void trilu(Call& call) {
  const Value& x = call.value(0);
  const Shape s = x.shape();
  require<FormatError>(s.rank() >= 2, "an input of shape {}; matrices are required", s);
  Index k = 0;
  if (call.has(1)) {
    require<FormatError>(call.integers(1).size() == 1, "k has shape {}; one number is required", call.shape(1));
    k = std::clamp(call.integers(1)[0], -s[-2] - 1, s[-1] + 1);
  }
  const bool upper = call.integer("upper", 1) != 0;
  const std::span<Index> positions = counted(call.tape(), s.size());
  for (Index& position : positions) {
    const Index column = position % s[-1], row = position / s[-1] % s[-2];
    if (upper ? column < row + k : column > row + k) position = -1;
  }
  call.result(0, gather(call.tape(), x, s, positions));
}

/// on_value at the index, off_value elsewhere. As of opset 11, negative indices count from the end.
void run_one_hot(Call& call) {
  const Value &at = call.value(0), &values = call.value(2);
  require<FormatError>(values.size() == 2, "values of shape {}; off_value and on_value are required", values.shape());
  const double given = call.number(1);
  require<ValueError>(given >= 0 && given <= static_cast<double>(Shape::max_size), "a depth of {}", given);
  const auto depth = static_cast<Index>(given);
  const Shape s = at.shape();
  const Index rank = s.rank() + 1, wanted = call.integer("axis", -1), axis = wanted < 0 ? wanted + rank : wanted;
  require<FormatError>(0 <= axis && axis < rank, "axis is {}, the result has {} axes", wanted, rank);
  const Shape shape = s.inserted(axis, depth);
  const std::span<Index> chosen = call.memory<Index>(static_cast<std::size_t>(shape.size()));
  std::fill(chosen.begin(), chosen.end(), Index{0});
  const Var reals = at.is_real() ? plain(at) : Var();
  const Index inner = s.sub(axis).size();
  for (Index i = 0; i < at.size() && depth > 0; ++i) {
    const double index =
        at.is_real() ? std::trunc(static_cast<double>(reals.value()[i])) : static_cast<double>(at.integers[i]);
    const double from = call.opset() >= 11 && index < 0 ? index + given : index;
    if (!(0 <= from && from < given)) continue;
    chosen[static_cast<std::size_t>((i / inner * depth + static_cast<Index>(from)) * inner + i % inner)] = 1;
  }
  call.result(0, gather(call.tape(), reshape(values, Shape{2}), shape, chosen));
}

/// 1 on the diagonal k, elsewhere 0, in the shape of the input.
void eye_like(Call& call) {
  const Shape s = call.shape(0);
  require<FormatError>(s.rank() == 2, "an input of shape {}; a matrix is required", s);
  const ElementType type = call.has("dtype") ? supported_type(call.integer("dtype")) : call.type(0);
  const Index k = std::clamp(call.integer("k", 0), -s[0] - 1, s[1] + 1);
  const std::span<Index> ones = call.memory<Index>(static_cast<std::size_t>(s.size()));
  for (Index i = 0; i < s.size(); ++i) ones[static_cast<std::size_t>(i)] = i % s[1] == i / s[1] + k ? 1 : 0;
  const Value y = whole_value(type, s, ones);
  if (kind_of(type) != Kind::real) return call.result(0, y);
  call.result(0, {.type = type, .var = as_real(call.tape(), whole_value(ElementType::int64, s, ones))});
}

}  // namespace

std::span<const Op> generator_ops() {
  static constexpr Op ops[] = {
      {.name = "EyeLike",
       .since = 9,
       .attributes = "dtype k ",
       .takes = anything,
       .gradient = Gradient::zero,
       .run = eye_like},
      {.name = "OneHot",
       .since = 9,
       .inputs = {3, 3},
       .attributes = "axis ",
       .takes = anything,
       .data = 2,
       .run = run_one_hot},
      {.name = "Range", .since = 11, .inputs = {3, 3}, .takes = numbers, .run = range},
      {.name = "Tile", .since = 6, .inputs = {2, 2}, .takes = anything, .run = run_tile},
      {.name = "Trilu", .since = 14, .inputs = {1, 2}, .attributes = "upper ", .takes = anything, .run = trilu},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
