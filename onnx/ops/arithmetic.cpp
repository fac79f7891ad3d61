#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

struct Operands {
  Var a, b;
  Layout layout;
};

/// Before opset 7, operands broadcast only if attribute `broadcast` is set, and then b's axes start at attribute
/// `axis`.
Var stretched_as_of_old(const Call& call, Var a, Var b) {
  if (call.opset() >= 7 || a.shape() == b.shape()) return b;
  require<FormatError>(call.integer("broadcast", 0) != 0, "operands of shapes {} and {} without attribute 'broadcast'",
                       a.shape(), b.shape());
  const Index first = call.integer("axis", a.rank() - b.rank());
  Shape shape = b.shape();
  while (shape.rank() + first < a.rank()) shape = shape.inserted(shape.rank(), 1);
  return reshape(b, shape);
}

/// The two operands in a common layout: channels last if one has it and the other can follow, otherwise ONNX's.
Operands operands(const Call& call) {
  const Value &a = call.value(0), &b = call.value(1);
  const bool any_last = a.layout == Layout::channels_last || b.layout == Layout::channels_last;
  if (any_last && a.var.rank() == b.var.rank()) {
    return {call.channels_last(0), call.channels_last(1), Layout::channels_last};
  }
  if (any_last && b.var.rank() == 0) return {a.var, b.var, a.layout};
  return {call[0], stretched_as_of_old(call, call[0], call[1]), Layout::plain};
}

template <class F>
void arithmetic(Call& call, F f) {
  const auto [a, b, layout] = operands(call);
  call.result(0, f(a, b), call.kind(0), layout);
}

/// The same for integers, which f computes exactly.
template <class F>
void integer_arithmetic(Call& call, F f) {
  const Var a = call[0], b = stretched_as_of_old(call, a, call[1]);
  const Shape shape = broadcast(a.shape(), b.shape(), call.node().op->name.data());
  const std::span<const Index> x = call.integers(0), y = call.integers(1);
  const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(shape.size()));
  Broadcast(a.shape(), b.shape(), shape).each([&](Index i, Index of_x, Index of_y) {
    result[static_cast<std::size_t>(i)] = f(x[static_cast<std::size_t>(of_x)], y[static_cast<std::size_t>(of_y)]);
  });
  call.integer_result(shape, result, {a, b});
}

void require_no_overflow(bool overflows) { require<ValueError>(!overflows, "its integers overflow 64 bits"); }

void add(Call& call) {
  if (call.kind(0) == Kind::real) return arithmetic(call, [](Var a, Var b) { return a + b; });
  integer_arithmetic(call, [](Index a, Index b) {
    Index sum = 0;
    require_no_overflow(__builtin_add_overflow(a, b, &sum));
    return sum;
  });
}
void subtract(Call& call) {
  if (call.kind(0) == Kind::real) return arithmetic(call, [](Var a, Var b) { return a - b; });
  integer_arithmetic(call, [](Index a, Index b) {
    Index difference = 0;
    require_no_overflow(__builtin_sub_overflow(a, b, &difference));
    return difference;
  });
}
void multiply(Call& call) {
  if (call.kind(0) == Kind::real) return arithmetic(call, [](Var a, Var b) { return a * b; });
  integer_arithmetic(call, [](Index a, Index b) {
    Index product = 0;
    require_no_overflow(__builtin_mul_overflow(a, b, &product));
    return product;
  });
}
void divide(Call& call) {
  if (call.kind(0) == Kind::real) return arithmetic(call, [](Var a, Var b) { return a / b; });
  integer_arithmetic(call, [](Index a, Index b) {
    require<ValueError>(b != 0, "an integer is divided by 0");
    require_no_overflow(b == -1 && a == std::numeric_limits<Index>::min());
    return a / b;
  });
}

/// The result has the type of the base: powers of integers are truncated.
void power(Call& call) {
  if (call.kind(0) == Kind::real) return arithmetic(call, [](Var a, Var b) { return pow(a, b); });
  const Var a = call[0], b = call[1];
  const Shape shape = broadcast(a.shape(), b.shape(), "Pow");
  const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(shape.size()));
  Broadcast(a.shape(), b.shape(), shape).each([&](Index i, Index of_a, Index of_b) {
    const auto base = static_cast<double>(a.value()[of_a]), exponent = static_cast<double>(b.value()[of_b]);
    const double number = std::trunc(std::pow(base, exponent));
    require<ValueError>(std::abs(number) <= 0x1p53,
                        "{} to the power of {} is not an integer that can be represented exactly", base, exponent);
    result[static_cast<std::size_t>(i)] = static_cast<Index>(number);
  });
  call.integer_result(shape, result, {a, b});
}

/// Compares instead of subtracting: inf - inf is NaN.
void equal(Call& call) {
  const Var a = call[0], b = stretched_as_of_old(call, a, call[1]);
  const Shape shape = broadcast(a.shape(), b.shape(), "Equal");
  const Var y = call.tape().output(shape, {a, b}).backward([] {});
  const auto compare = [&](const auto& x, const auto& z, auto at) {
    Broadcast(a.shape(), b.shape(), shape).each([&](Index i, Index of_a, Index of_b) {
      y.out()[i] = x[at(of_a)] == z[at(of_b)] ? Real{1} : Real{0};
    });
  };
  if (call.kind(0) == Kind::integer) {
    compare(call.integers(0), call.integers(1), [](Index i) { return static_cast<std::size_t>(i); });
  } else {
    compare(a.value(), b.value(), [](Index i) { return i; });
  }
  call.result(y, Kind::boolean);
}

/// Left fold: f(f(input 0, input 1), input 2) and so on.
template <class F>
void fold(Call& call, F f) {
  Var y = call[0];
  for (std::size_t i = 1; i < call.input_count(); ++i) y = f(y, call[i]);
  call.result(y, call.kind(0));
}

void largest(Call& call) {
  fold(call, [](Var a, Var b) { return maximum(a, b); });
}
void smallest(Call& call) {
  fold(call, [](Var a, Var b) { return minimum(a, b); });
}
void total(Call& call) {
  require<FormatError>(call.kind(0) == Kind::real, "it takes floats, integers were given");
  fold(call, [](Var a, Var b) { return a + b; });
}
}  // namespace

std::span<const Op> arithmetic_ops() {
  static constexpr Op ops[] = {
      {"Add", 1, 2, 2, 1, "axis broadcast ", 0b11, add, 0b11},
      {"Sub", 1, 2, 2, 1, "axis broadcast ", 0b11, subtract, 0b11},
      {"Mul", 1, 2, 2, 1, "axis broadcast ", 0b11, multiply, 0b11},
      {"Div", 1, 2, 2, 1, "axis broadcast ", 0b11, divide, 0b11},
      {"Pow", 1, 2, 2, 1, "axis broadcast ", 0, power},
      {"Equal", 1, 2, 2, 1, "axis broadcast ", 0, equal, 0b11},
      {"Max", 1, 1, many, 1, "", 0, largest, ~0U},
      {"Min", 1, 1, many, 1, "", 0, smallest, ~0U},
      {"Sum", 1, 1, many, 1, "", 0, total},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
