#include <cmath>

#include "cornu/tests/core/ops/op_rows.h"

namespace cornu::testing {

namespace {

/// A row whose result is 1 or 0: it shows no NaN.
OpRow of_truths(OpRow row) {
  row.uses_every_element = false;
  return row;
}

template <class F>
OpRow relation(const std::string& op, const std::string& name, F f, bool (*expected)(long double, long double)) {
  return of_truths(
      pairs(op, name, {around_zero}, f, [=](long double a, long double b) { return expected(a, b) ? 1 : 0; }));
}

/// where(c, x, y), broadcast from the shapes. The condition is c > 0.1, because no input is exactly 0.
Exact where_reference(std::span<const Exact> in) {
  const Exact chosen = pointwise_reference(in[0], [](long double c) { return c > 0.1L ? 1 : 0; });
  // Positions of both values side by side, so that no product of a NaN is needed.
  Exact first = in[1], second = in[2];
  for (std::size_t i = 0; i < first.values.size(); ++i) first.values[i] = static_cast<long double>(i);
  for (std::size_t i = 0; i < second.values.size(); ++i) second.values[i] = static_cast<long double>(i);
  const auto left = [](long double a, long double) { return a; };
  const auto right = [](long double, long double b) { return b; };
  const Exact both = pairwise_reference(first, second, left);  // of the shape of x and y
  const Exact c = pairwise_reference(chosen, both, left), x = pairwise_reference(c, first, right),
              y = pairwise_reference(c, second, right);
  Exact result(c.shape);
  for (std::size_t i = 0; i < result.values.size(); ++i) {
    result.values[i] = c.values[i] != 0 ? in[1].values[static_cast<std::size_t>(x.values[i])]
                                        : in[2].values[static_cast<std::size_t>(y.values[i])];
  }
  return result;
}

OpRow where_row() {
  OpRow row{.op = "where", .name = "Where", .ranges = {around_zero}, .samples = {}};
  const std::vector<std::vector<Shape>> all_shapes = {
      {{}, {}, {}},
      {{7}, {7}, {7}},
      {{3, 5}, {3, 5}, {3, 5}},
      {{3, 1}, {1, 5}, {}},
      {{5}, {3, 5}, {3, 1}},
      {{2, 3, 4}, {4}, {3, 1}},
      {{1, 3, 1}, {2, 1, 1}, {1, 1, 4}},
      {{0}, {1}, {}},
      {{1, 3}, {0, 3}, {3}},
      {{4, 1}, {2, 1, 3}, {2, 4, 3}},
      {{}, {2, 3}, {2, 3}},
      {{37, 3}, {1, 3}, {37, 1}},
  };
  const auto f = [](const auto& c, const auto& x, const auto& y) { return where(ops::greater(c, 0.1), x, y); };
  for (const std::vector<Shape>& shapes : all_shapes) {
    row.samples.push_back({message("where({}, {}, {})", shapes[0], shapes[1], shapes[2]), shapes,
                           [f](std::span<const Var> x) { return f(x[0], x[1], x[2]); },
                           [f](std::span<const Tensor> x) { return f(x[0], x[1], x[2]); }, where_reference});
  }
  row.samples.push_back({"where with a number",
                         {{3, 5}, {3, 5}},
                         [f](std::span<const Var> x) { return f(x[0], x[1], -7); },
                         [f](std::span<const Tensor> x) { return f(x[0], x[1], -7); },
                         [](std::span<const Exact> x) {
                           return pairwise_reference(x[0], x[1],
                                                     [](long double c, long double a) { return c > 0.1L ? a : -7; });
                         }});
  row.parameter_forms = {{{false, true, true}, [f](auto x, auto p) { return f(x[0], p[1], p[2]); }},
                         {{false, true, false}, [f](auto x, auto p) { return f(x[0], p[1], x[2]); }},
                         {{false, true}, [f](auto x, auto p) { return f(x[0], p[1], -7); }}};
  row.errors = {
      {"where: shapes (2, 3) and (2,) do not broadcast: at axis 1 from the end, 3 and 2 differ and neither is 1",
       [](Tape& t) {
         where(of(t, {2, 3}), of(t, {2}), 0);
       }},
      {"where: shapes (2, 3) and (2,) do not broadcast: at axis 1 from the end, 3 and 2 differ and neither is 1",
       [](Tape& t) {
         where(of(t, {2, 3}), 1, of(t, {2}));
       }}};
  return of_truths(row);
}

}  // namespace

std::vector<OpRow> comparison_rows() {
  return {
      relation(
          "equal", "Equal", [](const auto& a, const auto& b) { return equal(a, b); }, [](L a, L b) { return a == b; }),
      relation(
          "not_equal", "NotEqual", [](const auto& a, const auto& b) { return not_equal(a, b); },
          [](L a, L b) { return a != b; }),
      relation(
          "greater", "Greater", [](const auto& a, const auto& b) { return ops::greater(a, b); },
          [](L a, L b) { return a > b; }),
      relation(
          "greater_equal", "GreaterEqual", [](const auto& a, const auto& b) { return ops::greater_equal(a, b); },
          [](L a, L b) { return a >= b; }),
      relation(
          "less", "Less", [](const auto& a, const auto& b) { return ops::less(a, b); }, [](L a, L b) { return a < b; }),
      relation(
          "less_equal", "LessEqual", [](const auto& a, const auto& b) { return ops::less_equal(a, b); },
          [](L a, L b) { return a <= b; }),
      relation(
          "logical_and", "LogicalAnd", [](const auto& a, const auto& b) { return ops::logical_and(a, b); },
          [](L a, L b) { return a != 0 && b != 0; }),
      relation(
          "logical_or", "LogicalOr", [](const auto& a, const auto& b) { return ops::logical_or(a, b); },
          [](L a, L b) { return a != 0 || b != 0; }),
      relation(
          "logical_xor", "LogicalXor", [](const auto& a, const auto& b) { return ops::logical_xor(a, b); },
          [](L a, L b) { return (a != 0) != (b != 0); }),
      of_truths(numbers(
          "logical_not", "LogicalNot", around_zero, [](const auto& x) { return ops::logical_not(x); },
          [](L x) { return x == 0 ? 1 : 0; })),
      of_truths(numbers(
          "isnan", "IsNaN", around_zero, [](const auto& x) { return isnan(x); },
          [](L x) { return std::isnan(x) ? 1 : 0; })),
      of_truths(numbers(
          "isinf", "IsInf", around_zero, [](const auto& x) { return isinf(x); },
          [](L x) { return std::isinf(x) ? 1 : 0; })),
      where_row(),
  };
}

}  // namespace cornu::testing
