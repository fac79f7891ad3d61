#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"
#include "cornu/core/ops.h"

namespace cornu {

namespace {

/// An operation on pairs: its value of (a, b), and its slopes in a and in b, given (a, b, value).
struct Add {
  static constexpr const char* name = "+";
  static Real value(Real a, Real b) { return a + b; }
  static Real slope_a(Real, Real, Real) { return 1; }
  static Real slope_b(Real, Real, Real) { return 1; }
};

struct Subtract {
  static constexpr const char* name = "-";
  static Real value(Real a, Real b) { return a - b; }
  static Real slope_a(Real, Real, Real) { return 1; }
  static Real slope_b(Real, Real, Real) { return -1; }
};

struct Multiply {
  static constexpr const char* name = "*";
  static Real value(Real a, Real b) { return a * b; }
  static Real slope_a(Real, Real b, Real) { return b; }
  static Real slope_b(Real a, Real, Real) { return a; }
};

struct Divide {
  static constexpr const char* name = "/";
  static Real value(Real a, Real b) { return a / b; }
  static Real slope_a(Real, Real b, Real) { return 1 / b; }
  static Real slope_b(Real, Real b, Real y) { return -y / b; }
};

struct Power {
  static constexpr const char* name = "pow";
  static Real value(Real a, Real b) { return std::pow(a, b); }
  static Real slope_a(Real a, Real b, Real) { return b == 0 ? 0 : b * std::pow(a, b - 1); }
  static Real slope_b(Real a, Real b, Real y) { return a == 0 && b >= 0 ? 0 : y * std::log(a); }
};

Real half_if(bool equal, bool ahead) { return equal ? Real(0.5) : ahead ? Real{1} : Real{0}; }

struct Maximum {
  static constexpr const char* name = "maximum";
  static Real value(Real a, Real b) { return a > b || a != a ? a : b; }  // a NaN on either side stays
  static Real slope_a(Real a, Real b, Real) { return half_if(a == b, a > b); }
  static Real slope_b(Real a, Real b, Real) { return half_if(a == b, a < b); }
};

struct Minimum {
  static constexpr const char* name = "minimum";
  static Real value(Real a, Real b) { return a < b || a != a ? a : b; }
  static Real slope_a(Real a, Real b, Real) { return half_if(a == b, a < b); }
  static Real slope_b(Real a, Real b, Real) { return half_if(a == b, a > b); }
};

/// Sends slope x gradient to one operand, summed over the axes along which it was stretched.
template <class Slope>
void contribute(Var operand, Var y, const Broadcast& pairs, Slope slope) {
  const Sink sink = operand.sink();
  if (!sink) return;
  const Real* const g = y.grad().data();
  const auto write = [&](const Sink& out) {
    Real* const to = out.data();
    if (out.accumulates()) {
      pairs.each([=](Index i, Index ia, Index ib) { to[i] += g[i] * slope(i, ia, ib); });
    } else {
      pairs.each([=](Index i, Index ia, Index ib) { to[i] = g[i] * slope(i, ia, ib); });
    }
  };
  if (operand.shape() == y.shape()) return write(sink);
  Tape& tape = y.tape();
  const View whole = tape.scratch(y.shape());
  write(overwrite(whole));
  sum_to_shape(whole, sink, [&](Index n) { return tape.scratch({n}).data(); });
}

template <class Op>
Var pairwise(const Operand& left, const Operand& right) {
  Tape& tape = left.tape() != nullptr ? *left.tape() : *right.tape();
  const Var a = left.on(tape), b = right.on(tape);
  const Shape shape = broadcast(a.shape(), b.shape(), Op::name);
  const Broadcast pairs(a.shape(), b.shape(), shape);
  // Stretched over new leading axes, the first axis of an operand does not stay the first.
  if (a.rank() < shape.rank()) a.mix_samples();
  if (b.rank() < shape.rank()) b.mix_samples();
  Var y = tape.output(shape, {a, b});
  pairs.each([to = y.out().data(), from_a = a.value().data(), from_b = b.value().data()](Index i, Index ia, Index ib) {
    to[i] = Op::value(from_a[ia], from_b[ib]);
  });
  return y.backward([=] {
    const Real *const va = a.value().data(), *const vb = b.value().data(), *const vy = y.value().data();
    contribute(a, y, pairs, [=](Index i, Index ia, Index ib) { return Op::slope_a(va[ia], vb[ib], vy[i]); });
    contribute(b, y, pairs, [=](Index i, Index ia, Index ib) { return Op::slope_b(va[ia], vb[ib], vy[i]); });
  });
}

}  // namespace

namespace detail {

Var add(const Operand& a, const Operand& b) { return pairwise<Add>(a, b); }
Var subtract(const Operand& a, const Operand& b) { return pairwise<Subtract>(a, b); }
Var multiply(const Operand& a, const Operand& b) { return pairwise<Multiply>(a, b); }
Var divide(const Operand& a, const Operand& b) { return pairwise<Divide>(a, b); }
Var power(const Operand& base, const Operand& exponent) { return pairwise<Power>(base, exponent); }
Var maximum(const Operand& a, const Operand& b) { return pairwise<Maximum>(a, b); }
Var minimum(const Operand& a, const Operand& b) { return pairwise<Minimum>(a, b); }

}  // namespace detail

}  // namespace cornu
