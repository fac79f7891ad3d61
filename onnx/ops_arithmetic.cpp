#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/onnx/ops.h"

namespace cornu::onnx::detail {

namespace {

struct Operands {
  Var a, b;
  Layout layout;
};

/// Before opset 7 operands broadcast only where it was asked for, and then along axes named by their first.
Var stretched_as_of_old(const Call& call, Var a, Var b) {
  if (call.opset() >= 7 || a.shape() == b.shape()) return b;
  require<FormatError>(call.integer("broadcast", 0) != 0, "operands of shapes {} and {}, and no attribute 'broadcast'",
                       a.shape(), b.shape());
  const Index first = call.integer("axis", a.rank() - b.rank());
  Shape shape = b.shape();
  while (shape.rank() + first < a.rank()) shape = shape.inserted(shape.rank(), 1);
  return reshape(b, shape);
}

/// The two operands with their axes alike: in the order of the one that comes from a convolution, if there is one.
Operands operands(const Call& call) {
  const Value &a = call.value(0), &b = call.value(1);
  const bool any_last = a.layout == Layout::channels_last || b.layout == Layout::channels_last;
  if (any_last && a.var.rank() == b.var.rank()) {
    return {call.channels_last(0), call.channels_last(1), Layout::channels_last};
  }
  if (any_last && b.var.rank() == 0) return {a.var, b.var, a.layout};
  return {call[0], stretched_as_of_old(call, call[0], call[1]), Layout::plain};
}

/// Throws unless all results of whole numbers are exact. The very largest stand for "no limit".
void require_exact(Var y) {
  constexpr auto exact = static_cast<Real>(Index{1} << std::numeric_limits<Real>::digits);
  for (const Real number : y.value()) {
    require<ValueError>(std::abs(number) <= exact || std::abs(number) >= static_cast<Real>(Index{1} << 62),
                        "the whole number {} is larger than Cornu can hold exactly", number);
  }
}

template <class F>
void arithmetic(Call& call, F f) {
  const auto [a, b, layout] = operands(call);
  const Var y = f(a, b);
  if (call.kind(0) != Kind::real) require_exact(y);
  call.result(y, call.kind(0), layout);
}

void add(Call& call) {
  arithmetic(call, [](Var a, Var b) { return a + b; });
}
void subtract(Call& call) {
  arithmetic(call, [](Var a, Var b) { return a - b; });
}
void multiply(Call& call) {
  arithmetic(call, [](Var a, Var b) { return a * b; });
}
void divide(Call& call) {
  arithmetic(call, [&](Var a, Var b) {
    if (call.kind(0) == Kind::real) return a / b;
    for (const Real number : b.value()) require<ValueError>(number != 0, "a whole number is divided by 0");
    const Var quotient = a / b;
    const Var y = without_gradient(quotient, quotient.shape());
    for (Index i = 0; i < y.size(); ++i) y.out()[i] = std::trunc(quotient.value()[i]);
    return y;
  });
}
void power(Call& call) {
  arithmetic(call, [](Var a, Var b) { return pow(a, b); });
}

void equal(Call& call) {
  const Var a = call[0], b = call[1], difference = a - b;
  const Var y = without_gradient(difference, difference.shape());
  for (Index i = 0; i < y.size(); ++i) y.out()[i] = difference.value()[i] == 0 ? Real{1} : Real{0};
  call.result(y, Kind::boolean);
}

/// f of the first two, of that and the third, and so on.
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
  fold(call, [](Var a, Var b) { return a + b; });
}
}  // namespace

std::span<const Op> arithmetic_ops() {
  static constexpr Op ops[] = {
      {"Add", 1, 2, 2, 1, "axis broadcast ", 0b11, add},
      {"Sub", 1, 2, 2, 1, "axis broadcast ", 0b11, subtract},
      {"Mul", 1, 2, 2, 1, "axis broadcast ", 0b11, multiply},
      {"Div", 1, 2, 2, 1, "axis broadcast ", 0b11, divide},
      {"Pow", 1, 2, 2, 1, "axis broadcast ", 0, power},
      {"Equal", 1, 2, 2, 1, "", 0, equal},
      {"Max", 1, 1, many, 1, "", 0, largest},
      {"Min", 1, 1, many, 1, "", 0, smallest},
      {"Sum", 1, 1, many, 1, "", 0, total},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
