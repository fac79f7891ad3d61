#pragma once

#include "cornu/core/compiler.h"

#include "cornu/core/ops/ops.h"

/// Comparisons, logic and selection by element. Truth is 1 or 0; as an operand, every element but 0 is true, also NaN.
/// Operands broadcast as in NumPy, and the shape errors are those of the arithmetic (ops.h). Functions whose names
/// `std` has as class templates are in namespace `ops`, so that a program can use both namespaces:
///
///     Var y = where(ops::greater(x, 0), x, 0.1 * x);
namespace cornu {

namespace detail {
Var equal(const Operand& a, const Operand& b);
Var not_equal(const Operand& a, const Operand& b);
Var greater(const Operand& a, const Operand& b);
Var greater_equal(const Operand& a, const Operand& b);
Var less(const Operand& a, const Operand& b);
Var less_equal(const Operand& a, const Operand& b);
Var logical_and(const Operand& a, const Operand& b);
Var logical_or(const Operand& a, const Operand& b);
Var logical_xor(const Operand& a, const Operand& b);
Var where(const Operand& condition, const Operand& x, const Operand& y);

/// Operands of `where`: at least one is a Var, the others may be Parameters or numbers.
template <class A, class B, class C>
concept ThreeOperands = std::convertible_to<const A&, Operand> && std::convertible_to<const B&, Operand> &&
    std::convertible_to<const C&, Operand> &&(std::same_as<A, Var> || std::same_as<B, Var> || std::same_as<C, Var>);
}  // namespace detail

// ---- Comparisons: 1 where true, else 0. The gradients are 0. Comparisons with NaN are false, but not_equal is true.
// ----

template <class A, class B>
requires detail::Operands<A, B> Var equal(const A& a, const B& b) { return detail::equal(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var not_equal(const A& a, const B& b) { return detail::not_equal(a, b); }
/// 1 where x is NaN, else 0.
Var isnan(Var x);
/// 1 where x is +inf or -inf, else 0.
Var isinf(Var x);

namespace ops {

template <class A, class B>
requires detail::Operands<A, B> Var greater(const A& a, const B& b) { return detail::greater(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var greater_equal(const A& a, const B& b) { return detail::greater_equal(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var less(const A& a, const B& b) { return detail::less(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var less_equal(const A& a, const B& b) { return detail::less_equal(a, b); }

// ---- Logic: 1 or 0. The gradients are 0. ----

template <class A, class B>
requires detail::Operands<A, B> Var logical_and(const A& a, const B& b) { return detail::logical_and(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var logical_or(const A& a, const B& b) { return detail::logical_or(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var logical_xor(const A& a, const B& b) { return detail::logical_xor(a, b); }
/// 1 where x is 0, else 0.
Var logical_not(Var x);

using cornu::equal;
using cornu::not_equal;

}  // namespace ops

// ---- Selection ----

/// x where the condition is true, else y; all three broadcast. The gradient goes to the operand that is selected and is
/// 0 for the other one and for the condition. So a NaN or infinity that is not selected reaches neither the result nor
/// these gradients. But the op that computed it may: the gradient of log(x) at 0 is 0 times infinity, NaN. Select its
/// operand as well: `where(ops::greater(x, 0), log(where(ops::greater(x, 0), x, 1)), -1)`.
template <class A, class B, class C>
requires detail::ThreeOperands<A, B, C> Var where(const A& condition, const B& x, const C& y) {
  return detail::where(condition, x, y);
}

}  // namespace cornu
