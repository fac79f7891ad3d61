#include <cmath>

#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

namespace {

const std::vector<std::pair<Shape, Shape>>& broadcasting_shapes() {
  static const std::vector<std::pair<Shape, Shape>> shapes = {
      {{}, {}},
      {{1}, {1}},
      {{0}, {0}},
      {{7}, {7}},
      {{3, 5}, {3, 5}},
      {{3}, {}},
      {{}, {2, 3}},
      {{0}, {1}},
      {{1, 3}, {0, 3}},
      {{1}, {2, 0, 3}},
      {{2, 3}, {3}},
      {{2, 1}, {1, 3}},
      {{2, 3, 4}, {3, 1}},
      {{1, 3, 1}, {2, 1, 4}},
      {{2, 1, 3}, {2, 1, 1}},
      {{2, 2, 3, 2, 2}, {2, 2, 3, 2, 2}},
      {{2, 1, 2, 1, 3}, {1, 2, 1, 2, 1}},
      {{1, 2, 1, 1, 2}, {3, 1}},
      {{37, 3}, {1, 3}},
      {{3, 1}, {2, 3, 4}},
      {{2, 1, 1}, {2, 1, 3}},
      {{1, 3}, {37, 3}},
  };
  return shapes;
}

/// A row for a binary op: f takes a Var, Parameter, number or Tensor on either side.
template <class F, class Reference>
OpRow pairs(const std::string& op, const std::string& name, const std::vector<Range>& ranges, F f, Reference expected) {
  OpRow row{.op = op, .name = name, .ranges = ranges, .samples = {}};
  for (const auto& [a, b] : broadcasting_shapes()) {
    row.samples.push_back({message("{} {} {}", a, op, b),
                           {a, b},
                           [f](std::span<const Var> x) { return f(x[0], x[1]); },
                           [f](std::span<const Tensor> x) { return f(x[0], x[1]); },
                           [expected](std::span<const Exact> x) { return pairwise_reference(x[0], x[1], expected); }});
  }
  for (const Shape& shape : {Shape{}, Shape{0}, Shape{3, 5}, Shape{2, 1, 3, 1, 2}}) {
    row.samples.push_back({message("{} {} a number", shape, op),
                           {shape},
                           [f](std::span<const Var> x) { return f(x[0], 1.25); },
                           [f](std::span<const Tensor> x) { return f(x[0], 1.25); },
                           [expected](std::span<const Exact> x) {
                             return pointwise_reference(x[0], [expected](long double v) { return expected(v, 1.25L); });
                           }});
    row.samples.push_back({message("a number {} {}", op, shape),
                           {shape},
                           [f](std::span<const Var> x) { return f(3, x[0]); },
                           [f](std::span<const Tensor> x) { return f(3, x[0]); },
                           [expected](std::span<const Exact> x) {
                             return pointwise_reference(x[0], [expected](long double v) { return expected(3.0L, v); });
                           }});
  }
  row.parameter_forms = {{{false, true}, [f](auto x, auto p) { return f(x[0], p[1]); }},
                         {{true, false}, [f](auto x, auto p) { return f(p[0], x[1]); }}};
  row.errors = {
      {op.substr(op.starts_with("operator") ? 8 : 0) +
           ": shapes (2, 3) and (2,) do not broadcast: at axis 1 from the end, 3 and 2 differ and neither is 1",
       [f](Tape& t) {
         f(of(t, {2, 3}), of(t, {2}));
       }}};
  return row;
}

long double or_nan(long double a, long double b, long double otherwise) {
  return std::isnan(a) || std::isnan(b) ? std::nanl("") : otherwise;
}

}  // namespace

std::vector<OpRow> arithmetic_rows() {
  using L = long double;
  return {
      pairs(
          "operator+", "Add", {around_zero}, [](const auto& a, const auto& b) { return a + b; },
          [](L a, L b) { return a + b; }),
      pairs(
          "operator-", "Subtract", {around_zero}, [](const auto& a, const auto& b) { return a - b; },
          [](L a, L b) { return a - b; }),
      pairs(
          "operator*", "Multiply", {around_zero}, [](const auto& a, const auto& b) { return a * b; },
          [](L a, L b) { return a * b; }),
      pairs(
          "operator/", "Divide", {above_zero}, [](const auto& a, const auto& b) { return a / b; },
          [](L a, L b) { return a / b; }),
      pairs(
          "pow", "Pow", {above_zero}, [](const auto& a, const auto& b) { return pow(a, b); },
          [](L a, L b) { return std::pow(a, b); }),
      // The ranges exclude 1.25 and 3, where the constant would tie with an input.
      pairs(
          "maximum", "Maximum", {{Real(-2), Real(1.2)}}, [](const auto& a, const auto& b) { return maximum(a, b); },
          [](L a, L b) { return or_nan(a, b, a > b ? a : b); }),
      pairs(
          "minimum", "Minimum", {{Real(1.3), Real(2.9)}}, [](const auto& a, const auto& b) { return minimum(a, b); },
          [](L a, L b) { return or_nan(a, b, a < b ? a : b); }),
  };
}

}  // namespace cornu::testing
