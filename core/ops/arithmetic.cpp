#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/loops.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/pairs.h"

namespace cornu {

namespace {

// Slopes: partial derivatives of y = value(a, b). Ops that share a slope share the compiled loops.
Real one(Real, Real, Real) { return 1; }
Real minus_one(Real, Real, Real) { return -1; }
Real other_a(Real a, Real, Real) { return a; }
Real other_b(Real, Real b, Real) { return b; }
Real half_if(bool equal, bool ahead) { return equal ? Real(0.5) : ahead ? Real{1} : Real{0}; }
Real where_a_is_larger(Real a, Real b, Real) { return half_if(a == b, a > b); }
Real where_b_is_larger(Real a, Real b, Real) { return half_if(a == b, a < b); }

/// A binary op: its name in traces and in errors, value(a, b), and its slopes with respect to a and b, given (a, b,
/// value).
struct Add {
  static constexpr const char* op = "add";
  static constexpr const char* name = "+";
  static Real value(Real a, Real b) { return a + b; }
  static constexpr auto slope_a = one, slope_b = one;
};

struct Subtract {
  static constexpr const char* op = "subtract";
  static constexpr const char* name = "-";
  static Real value(Real a, Real b) { return a - b; }
  static constexpr auto slope_a = one, slope_b = minus_one;
};

struct Multiply {
  static constexpr const char* op = "multiply";
  static constexpr const char* name = "*";
  static Real value(Real a, Real b) { return a * b; }
  static constexpr auto slope_a = other_b, slope_b = other_a;
};

struct Divide {
  static constexpr const char* op = "divide";
  static constexpr const char* name = "/";
  static Real value(Real a, Real b) { return a / b; }
  static Real slope_a(Real, Real b, Real) { return 1 / b; }
  static Real slope_b(Real, Real b, Real y) { return -y / b; }
};

struct Power {
  static constexpr const char *op = "pow", *name = op;
  static Real value(Real a, Real b) { return std::pow(a, b); }
  static Real slope_a(Real a, Real b, Real) { return b == 0 ? 0 : b * std::pow(a, b - 1); }
  static Real slope_b(Real a, Real b, Real y) { return a == 0 && b >= 0 ? 0 : y * std::log(a); }
};

struct Maximum {
  static constexpr const char *op = "maximum", *name = op;
  static Real value(Real a, Real b) { return a > b || a != a ? a : b; }  // a NaN on either side propagates
  static constexpr auto slope_a = where_a_is_larger, slope_b = where_b_is_larger;
};

struct Minimum {
  static constexpr const char *op = "minimum", *name = op;
  static Real value(Real a, Real b) { return a < b || a != a ? a : b; }
  static constexpr auto slope_a = where_b_is_larger, slope_b = where_a_is_larger;
};

/// a - b floor(a / b), which has the sign of b.
struct Mod {
  static constexpr const char *op = "mod", *name = op;
  static Real value(Real a, Real b) {
    const Real rest = std::fmod(a, b);  // has the sign of a
    return rest == 0 ? std::copysign(rest, b) : (rest < 0) != (b < 0) ? rest + b : rest;
  }
  static constexpr auto slope_a = one;
  static Real slope_b(Real a, Real b, Real y) { return std::nearbyint((y - a) / b); }  // -floor(a / b)
};

/// Adds slope(a, b, y) * gradient to `operand`, which is a or b, summed over the axes along which it was broadcast.
template <Real (*slope)(Real a, Real b, Real y)>
[[gnu::noinline]] void contribute(Var operand, Var a, Var b, Var y, const Broadcast& pairs) {
  const Sink sink = operand.sink();
  if (!sink) return;
  const auto write = [&, g = y.grad().data(), va = a.value().data(), vb = b.value().data(),
                      vy = y.value().data()](const Sink& out) {
    Real* const to = out.data();
    if (!out.accumulates()) {
      // For an expensive slope, zeroing first and accumulating costs little and halves the number of compiled loops.
      constexpr bool quick = slope == one || slope == minus_one || slope == other_a || slope == other_b;
      if constexpr (quick) {
        return pairs.each_number([=](Index i, Index ia, Index ib) { to[i] = g[i] * slope(va[ia], vb[ib], vy[i]); });
      }
      std::fill_n(to, out.size(), Real{0});
    }
    pairs.each_number([=](Index i, Index ia, Index ib) { to[i] += g[i] * slope(va[ia], vb[ib], vy[i]); });
  };
  if (operand.shape() == y.shape()) return write(sink);
  Tape& tape = y.tape();
  const View whole = tape.scratch(y.shape());
  write(overwrite(whole));
  sum_to_shape(whole, sink, [&](Index n) { return tape.scratch({n}).data(); });
}

template <class Pair>
Var pairwise(const Operand& left, const Operand& right) {
  const detail::OperandPair pair(left, right, Pair::name);
  const Var a = pair.a, b = pair.b, y = pair.output(Pair::op);
  pair.positions.each_number([to = y.out().data(), from_a = a.value().data(), from_b = b.value().data()](
                                 Index i, Index ia, Index ib) { to[i] = Pair::value(from_a[ia], from_b[ib]); });
  return y.backward([a, b, y, pairs = pair.positions] {
    contribute<Pair::slope_a>(a, a, b, y, pairs);
    contribute<Pair::slope_b>(b, a, b, y, pairs);
  });
}

}  // namespace

namespace detail {

BinaryLoop binary_loop(std::string_view op) {
  constexpr std::array<std::pair<std::string_view, BinaryLoop>, 6> loops{{{Add::op, rows_loop<Add>},
                                                                          {Subtract::op, rows_loop<Subtract>},
                                                                          {Multiply::op, rows_loop<Multiply>},
                                                                          {Divide::op, rows_loop<Divide>},
                                                                          {Maximum::op, rows_loop<Maximum>},
                                                                          {Minimum::op, rows_loop<Minimum>}}};
  const auto* const found = std::find_if(loops.begin(), loops.end(), [&](const auto& row) { return row.first == op; });
  return found == loops.end() ? comparison_loop(op) : found->second;
}

Var add(const Operand& a, const Operand& b) { return pairwise<Add>(a, b); }
Var subtract(const Operand& a, const Operand& b) { return pairwise<Subtract>(a, b); }
Var multiply(const Operand& a, const Operand& b) { return pairwise<Multiply>(a, b); }
Var divide(const Operand& a, const Operand& b) { return pairwise<Divide>(a, b); }
Var power(const Operand& base, const Operand& exponent) { return pairwise<Power>(base, exponent); }
Var maximum(const Operand& a, const Operand& b) { return pairwise<Maximum>(a, b); }
Var minimum(const Operand& a, const Operand& b) { return pairwise<Minimum>(a, b); }
Var mod(const Operand& a, const Operand& b) { return pairwise<Mod>(a, b); }

}  // namespace detail

}  // namespace cornu
