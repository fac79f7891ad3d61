#include "cornu/core/ops/comparisons.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/loops.h"
#include "cornu/core/ops/pairs.h"

namespace cornu {

namespace {

Real truth(bool is_true) { return is_true ? Real{1} : Real{0}; }

struct Equal {
  static constexpr const char* name = "equal";
  static Real value(Real a, Real b) { return truth(a == b); }
};
struct NotEqual {
  static constexpr const char* name = "not_equal";
  static Real value(Real a, Real b) { return truth(a != b); }
};
struct Greater {
  static constexpr const char* name = "greater";
  static Real value(Real a, Real b) { return truth(a > b); }
};
struct GreaterEqual {
  static constexpr const char* name = "greater_equal";
  static Real value(Real a, Real b) { return truth(a >= b); }
};
struct Less {
  static constexpr const char* name = "less";
  static Real value(Real a, Real b) { return truth(a < b); }
};
struct LessEqual {
  static constexpr const char* name = "less_equal";
  static Real value(Real a, Real b) { return truth(a <= b); }
};
struct And {
  static constexpr const char* name = "logical_and";
  static Real value(Real a, Real b) { return truth(a != 0 && b != 0); }
};
struct Or {
  static constexpr const char* name = "logical_or";
  static Real value(Real a, Real b) { return truth(a != 0 || b != 0); }
};
struct Xor {
  static constexpr const char* name = "logical_xor";
  static Real value(Real a, Real b) { return truth((a != 0) != (b != 0)); }
};

template <class Relation>
Var compared(const Operand& left, const Operand& right) {
  const detail::OperandPair pair(left, right, Relation::name);
  const Var y = pair.output(Relation::name);
  pair.positions.each_number([to = y.out().data(), a = pair.a.value().data(), b = pair.b.value().data()](
                                 Index i, Index ia, Index ib) { to[i] = Relation::value(a[ia], b[ib]); });
  return y.backward([a = pair.a, b = pair.b] {
    detail::add_zero_gradient(a);
    detail::add_zero_gradient(b);
  });
}

/// The elements of x, broadcast to `shape`.
const Real* stretched(Var x, const Shape& shape) {
  if (x.shape() == shape) return x.value().data();
  const View whole = x.tape().scratch(shape);
  Broadcast(x.shape(), shape, shape)
      .each_number([to = whole.data(), from = x.value().data()](Index i, Index ix, Index) { to[i] = from[ix]; });
  return whole.data();
}

/// Adds the gradient of y to that of an operand of `where`, at the elements at which it was selected.
void contribute_selected(Var operand, Var y, const Real* condition, bool selected) {
  const Sink sink = operand.sink();
  if (!sink) return;
  const auto write = [=, g = y.grad().data()](const Sink& out) {
    assign(out, [=](Index i) { return (condition[i] != 0) == selected ? g[i] : Real{0}; });
  };
  if (operand.shape() == y.shape()) return write(sink);
  Tape& tape = y.tape();
  const View whole = tape.scratch(y.shape());
  write(overwrite(whole));
  sum_to_shape(whole, sink, [&](Index n) { return tape.scratch({n}).data(); });
}

}  // namespace

namespace detail {

Var equal(const Operand& a, const Operand& b) { return compared<Equal>(a, b); }
Var not_equal(const Operand& a, const Operand& b) { return compared<NotEqual>(a, b); }
Var greater(const Operand& a, const Operand& b) { return compared<Greater>(a, b); }
Var greater_equal(const Operand& a, const Operand& b) { return compared<GreaterEqual>(a, b); }
Var less(const Operand& a, const Operand& b) { return compared<Less>(a, b); }
Var less_equal(const Operand& a, const Operand& b) { return compared<LessEqual>(a, b); }
Var logical_and(const Operand& a, const Operand& b) { return compared<And>(a, b); }
Var logical_or(const Operand& a, const Operand& b) { return compared<Or>(a, b); }
Var logical_xor(const Operand& a, const Operand& b) { return compared<Xor>(a, b); }

Var where(const Operand& condition, const Operand& x, const Operand& y) {
  Tape& tape = condition.tape() != nullptr ? *condition.tape() : x.tape() != nullptr ? *x.tape() : *y.tape();
  const std::array<Var, 3> operands{condition.on(tape), x.on(tape), y.on(tape)};
  const auto [c, a, b] = operands;
  const Shape shape = broadcast(broadcast(c.shape(), a.shape(), "where"), b.shape(), "where");
  for (const Var operand : operands) {
    if (operand.rank() < shape.rank()) operand.mix_samples();
  }
  Var result = tape.output(shape, operands, "where");
  for (const Var operand : operands) {
    if (operand.rank() == shape.rank()) result.masked_as(operand);
  }
  const Real* const chosen = stretched(c, shape);
  assign(result.out(), [chosen, from_a = stretched(a, shape), from_b = stretched(b, shape)](Index i) {
    const Real of_a = from_a[i], of_b = from_b[i];  // both are read: a selection without a branch
    return chosen[i] != 0 ? of_a : of_b;
  });
  return result.backward([c = c, a = a, b = b, result, chosen] {
    add_zero_gradient(c);
    contribute_selected(a, result, chosen, true);
    contribute_selected(b, result, chosen, false);
  });
}

BinaryLoop comparison_loop(std::string_view op) {
  constexpr std::array<std::pair<std::string_view, BinaryLoop>, 9> loops{{{Equal::name, rows_loop<Equal>},
                                                                          {NotEqual::name, rows_loop<NotEqual>},
                                                                          {Greater::name, rows_loop<Greater>},
                                                                          {GreaterEqual::name, rows_loop<GreaterEqual>},
                                                                          {Less::name, rows_loop<Less>},
                                                                          {LessEqual::name, rows_loop<LessEqual>},
                                                                          {And::name, rows_loop<And>},
                                                                          {Or::name, rows_loop<Or>},
                                                                          {Xor::name, rows_loop<Xor>}}};
  const auto* const found = std::find_if(loops.begin(), loops.end(), [&](const auto& row) { return row.first == op; });
  return found == loops.end() ? nullptr : found->second;
}

}  // namespace detail

Var isnan(Var x) { return not_equal(x, x); }
Var isinf(Var x) { return equal(abs(x), std::numeric_limits<Real>::infinity()); }
Var ops::logical_not(Var x) { return equal(x, 0); }

}  // namespace cornu
