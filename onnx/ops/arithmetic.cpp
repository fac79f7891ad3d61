#include <bit>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/comparisons.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

struct Operands {
  Var a, b;
  Layout layout;
};

/// Before opset 7, operands broadcast only if attribute `broadcast` is set, and then b's axes start at attribute
/// `axis`. The shape in which b broadcasts to a.
Shape shape_as_of_old(const Call& call) {
  const Shape a = call.shape(0);
  Shape b = call.shape(1);
  if (call.opset() >= 7 || a == b) return b;
  require<FormatError>(call.integer("broadcast", 0) != 0, "operands of shapes {} and {} without attribute 'broadcast'",
                       a, b);
  const Index first = call.integer("axis", a.rank() - b.rank());
  while (b.rank() + first < a.rank()) b = b.inserted(b.rank(), 1);
  return b;
}

/// The two operands, floats, in a common layout: channels last if one has it and the other can follow, otherwise
/// ONNX's.
Operands operands(const Call& call) {
  const Value &a = call.value(0), &b = call.value(1);
  require<FormatError>(b.is_real(), "its operands are of different types");
  const bool any_last = a.layout == Layout::channels_last || b.layout == Layout::channels_last;
  if (any_last && a.var.rank() == b.var.rank()) {
    return {call.channels_last(0), call.channels_last(1), Layout::channels_last};
  }
  if (any_last && b.var.rank() == 0) return {a.var, b.var, a.layout};
  const Shape shape = shape_as_of_old(call);
  return {call[0], call[1].shape() == shape ? call[1] : cornu::reshape(call[1], shape), Layout::plain};
}

template <class F>
void arithmetic(Call& call, F f) {
  const auto [a, b, layout] = operands(call);
  call.result(0, f(a, b), layout);
}

/// Calls f(i, position in a, position in b) for each element of the result.
template <class F>
Shape each_pair(const Call& call, F prepare_and_take) {
  const Shape a = call.shape(0), b = shape_as_of_old(call);
  const Shape shape = broadcast(a, b, call.node().op->name.data());
  prepare_and_take(Broadcast(a, b, shape), shape);
  return shape;
}

/// Whole numbers computed from two of them; f computes with 64 bits, and the result is stored as in the type.
template <class F>
void integer_arithmetic(Call& call, ElementType type, F f) {
  const std::span<const Index> x = call.integers(0), y = call.integers(1);
  std::span<Index> result;
  const Shape shape = each_pair(call, [&](const Broadcast& pairs, const Shape& of_result) {
    result = call.memory<Index>(static_cast<std::size_t>(of_result.size()));
    pairs.each([&](Index i, Index of_x, Index of_y) {
      const Index number = f(x[static_cast<std::size_t>(of_x)], y[static_cast<std::size_t>(of_y)]);
      result[static_cast<std::size_t>(i)] = wrapped(type, number);
    });
  });
  call.integer_result(0, type, shape, result);
}

void require_no_overflow(bool overflows) { require<ValueError>(!overflows, "its integers overflow 64 bits"); }

void add(Call& call) {
  if (call.is_real()) return arithmetic(call, [](Var a, Var b) { return a + b; });
  integer_arithmetic(call, call.type(0), [](Index a, Index b) {
    Index sum = 0;
    require_no_overflow(__builtin_add_overflow(a, b, &sum));
    return sum;
  });
}
void subtract(Call& call) {
  if (call.is_real()) return arithmetic(call, [](Var a, Var b) { return a - b; });
  integer_arithmetic(call, call.type(0), [&](Index a, Index b) {
    Index difference = 0;
    require_no_overflow(__builtin_sub_overflow(a, b, &difference) ||
                        (call.type(0) == ElementType::uint64 && difference < 0));
    return difference;
  });
}
void multiply(Call& call) {
  if (call.is_real()) return arithmetic(call, [](Var a, Var b) { return a * b; });
  integer_arithmetic(call, call.type(0), [](Index a, Index b) {
    Index product = 0;
    require_no_overflow(__builtin_mul_overflow(a, b, &product));
    return product;
  });
}
void divide(Call& call) {
  if (call.is_real()) return arithmetic(call, [](Var a, Var b) { return a / b; });
  integer_arithmetic(call, call.type(0), [](Index a, Index b) {
    require<ValueError>(b != 0, "an integer is divided by 0");
    require_no_overflow(b == -1 && a == std::numeric_limits<Index>::min());
    return a / b;
  });
}

/// The remainder has the sign of the divisor or, with fmod, of the dividend. Floats require fmod.
void remainder(Call& call) {
  const bool of_dividend = call.integer("fmod", 0) != 0;
  if (call.is_real()) {
    require<FormatError>(of_dividend, "fmod is 0; floats require 1");
    return arithmetic(call, [](Var a, Var b) {
      const Var sign_of_a = cornu::where(ops::less(a, 0), -1, 1);
      return sign_of_a * mod(sign_of_a * a, abs(b));
    });
  }
  integer_arithmetic(call, call.type(0), [=](Index a, Index b) {
    require<ValueError>(b != 0, "an integer is divided by 0");
    const Index rest = b == -1 ? 0 : a % b;
    return !of_dividend && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  });
}

/// The result has the type of the base: powers of integers are truncated.
void power(Call& call) {
  if (call.is_real()) {
    if (call.is_real(1)) return arithmetic(call, [](Var a, Var b) { return pow(a, b); });
    return call.result(pow(call[0], call.as_real(1)));
  }
  const Value &a = call.value(0), &b = call.value(1);
  const ElementType type = call.type(0);
  std::span<Index> result;
  const Shape shape = each_pair(call, [&](const Broadcast& pairs, const Shape& of_result) {
    result = call.memory<Index>(static_cast<std::size_t>(of_result.size()));
    const Var exponents = b.is_real() ? plain(b) : Var();
    pairs.each([&](Index i, Index of_a, Index of_b) {
      const auto base = static_cast<double>(a.integers[of_a]);
      const double exponent =
          b.is_real() ? static_cast<double>(exponents.value()[of_b]) : static_cast<double>(b.integers[of_b]);
      const double number = std::trunc(std::pow(base, exponent));
      require<ValueError>(std::abs(number) <= 0x1p53,
                          "{} to the power of {} is not an integer that can be represented exactly", base, exponent);
      result[static_cast<std::size_t>(i)] = wrapped(type, static_cast<Index>(number));
    });
  });
  call.integer_result(0, type, shape, result);
}

/// Booleans from comparing. Floats are compared, not subtracted: inf - inf is NaN.
template <class F>
void compare(Call& call, F f) {
  if (!call.is_real()) {
    return integer_arithmetic(call, ElementType::boolean, [&](Index a, Index b) { return f(a, b) ? 1 : 0; });
  }
  const Var a = call[0], b = call[1];
  std::span<Index> result;
  const Shape shape = each_pair(call, [&](const Broadcast& pairs, const Shape& of_result) {
    result = call.memory<Index>(static_cast<std::size_t>(of_result.size()));
    pairs.each([&](Index i, Index of_a, Index of_b) {
      result[static_cast<std::size_t>(i)] = f(a.value()[of_a], b.value()[of_b]) ? 1 : 0;
    });
  });
  call.integer_result(0, ElementType::boolean, shape, result);
}

void equal(Call& call) {
  compare(call, [](auto a, auto b) { return a == b; });
}
void greater(Call& call) {
  compare(call, [](auto a, auto b) { return a > b; });
}
void greater_or_equal(Call& call) {
  compare(call, [](auto a, auto b) { return a >= b; });
}
void less(Call& call) {
  compare(call, [](auto a, auto b) { return a < b; });
}
void less_or_equal(Call& call) {
  compare(call, [](auto a, auto b) { return a <= b; });
}

template <class F>
void logical(Call& call, F f) {
  require<FormatError>(call.kind(1) == Kind::boolean, "its operands must be booleans");
  integer_arithmetic(call, ElementType::boolean, f);
}
void logical_and(Call& call) {
  logical(call, [](Index a, Index b) { return a & b; });
}
void logical_or(Call& call) {
  logical(call, [](Index a, Index b) { return a | b; });
}
void logical_xor(Call& call) {
  logical(call, [](Index a, Index b) { return a ^ b; });
}

void bitwise_and(Call& call) {
  integer_arithmetic(call, call.type(0), [](Index a, Index b) { return a & b; });
}
void bitwise_or(Call& call) {
  integer_arithmetic(call, call.type(0), [](Index a, Index b) { return a | b; });
}
void bitwise_xor(Call& call) {
  integer_arithmetic(call, call.type(0), [](Index a, Index b) { return a ^ b; });
}
void bit_shift(Call& call) {
  const std::string_view way = call.text("direction", "");
  require<FormatError>(way == "LEFT" || way == "RIGHT", "direction is '{}'; LEFT and RIGHT are known", way);
  integer_arithmetic(call, call.type(0), [&](Index a, Index b) {
    require<ValueError>(b >= 0, "it shifts by {} bits", b);
    if (b > 63) return Index{0};
    return way == "LEFT" ? static_cast<Index>(static_cast<std::uint64_t>(a) << b) : a >> b;
  });
}

/// Left fold: f(f(input 0, input 1), input 2) and so on.
template <class F, class G>
void fold(Call& call, F of_reals, G of_integers) {
  if (call.is_real()) {
    Var y = call[0];
    for (std::size_t i = 1; i < call.input_count(); ++i) y = of_reals(y, call[i]);
    return call.result(y);
  }
  Value y = call.value(0);
  for (std::size_t i = 1; i < call.input_count(); ++i) {
    const std::span<const Index> x = y.numbers(), z = call.integers(i);
    const Shape shape = broadcast(y.whole, call.shape(i), call.node().op->name.data());
    const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(shape.size()));
    Broadcast(y.whole, call.shape(i), shape).each([&](Index k, Index a, Index b) {
      result[static_cast<std::size_t>(k)] = of_integers(x[static_cast<std::size_t>(a)], z[static_cast<std::size_t>(b)]);
    });
    y = whole_value(y.type, shape, result, call.source());
  }
  call.result(0, y);
}

void largest(Call& call) {
  fold(
      call, [](Var a, Var b) { return maximum(a, b); }, [](Index a, Index b) { return std::max(a, b); });
}
void smallest(Call& call) {
  fold(
      call, [](Var a, Var b) { return minimum(a, b); }, [](Index a, Index b) { return std::min(a, b); });
}
Index no_integers(Index, Index) { throw FormatError("it takes floats, whole numbers were given"); }
void total(Call& call) {
  fold(
      call, [](Var a, Var b) { return a + b; }, no_integers);
}
void average(Call& call) {
  Var sum = call[0];
  for (std::size_t i = 1; i < call.input_count(); ++i) sum = sum + call[i];
  call.result(sum / static_cast<double>(call.input_count()));
}
}  // namespace

std::span<const Op> arithmetic_ops() {
  constexpr std::string_view old = "axis broadcast ";
  constexpr Gradient zero = Gradient::zero;
  static constexpr Op ops[] = {
      {.name = "Add", .inputs = {2, 2}, .attributes = old, .takes = numbers, .weights = 0b11, .run = add},
      {.name = "Sub", .inputs = {2, 2}, .attributes = old, .takes = numbers, .weights = 0b11, .run = subtract},
      {.name = "Mul", .inputs = {2, 2}, .attributes = old, .takes = numbers, .weights = 0b11, .run = multiply},
      {.name = "Div", .inputs = {2, 2}, .attributes = old, .takes = numbers, .weights = 0b11, .run = divide},
      {.name = "Pow", .inputs = {2, 2}, .attributes = old, .takes = numbers, .run = power},
      {.name = "Mod", .since = 10, .inputs = {2, 2}, .attributes = "fmod ", .takes = numbers, .run = remainder},
      {.name = "Max", .inputs = {1, many}, .takes = numbers, .run = largest},
      {.name = "Min", .inputs = {1, many}, .takes = numbers, .run = smallest},
      {.name = "Sum", .inputs = {1, many}, .run = total},
      {.name = "Mean", .inputs = {1, many}, .run = average},
      {.name = "Equal", .inputs = {2, 2}, .attributes = old, .takes = anything, .gradient = zero, .run = equal},
      {.name = "Greater", .inputs = {2, 2}, .attributes = old, .takes = numbers, .gradient = zero, .run = greater},
      {.name = "GreaterOrEqual",
       .since = 12,
       .inputs = {2, 2},
       .takes = numbers,
       .gradient = zero,
       .run = greater_or_equal},
      {.name = "Less", .inputs = {2, 2}, .attributes = old, .takes = numbers, .gradient = zero, .run = less},
      {.name = "LessOrEqual", .since = 12, .inputs = {2, 2}, .takes = numbers, .gradient = zero, .run = less_or_equal},
      {.name = "And", .inputs = {2, 2}, .attributes = old, .takes = booleans, .gradient = zero, .run = logical_and},
      {.name = "Or", .inputs = {2, 2}, .attributes = old, .takes = booleans, .gradient = zero, .run = logical_or},
      {.name = "Xor", .inputs = {2, 2}, .attributes = old, .takes = booleans, .gradient = zero, .run = logical_xor},
      {.name = "BitwiseAnd", .since = 18, .inputs = {2, 2}, .takes = integers, .gradient = zero, .run = bitwise_and},
      {.name = "BitwiseOr", .since = 18, .inputs = {2, 2}, .takes = integers, .gradient = zero, .run = bitwise_or},
      {.name = "BitwiseXor", .since = 18, .inputs = {2, 2}, .takes = integers, .gradient = zero, .run = bitwise_xor},
      {.name = "BitShift",
       .since = 11,
       .inputs = {2, 2},
       .attributes = "direction ",
       .takes = integers,
       .gradient = zero,
       .run = bit_shift},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
