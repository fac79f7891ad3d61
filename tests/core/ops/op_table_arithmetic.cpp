#include <cmath>

#include "cornu/tests/core/ops/op_rows.h"

namespace cornu::testing {

namespace {

long double or_nan(long double a, long double b, long double otherwise) {
  return std::isnan(a) || std::isnan(b) ? std::nanl("") : otherwise;
}

}  // namespace

std::vector<OpRow> arithmetic_rows() {
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
      // Ranges in which a quotient with an input, with 1.25 and of 3 crosses no whole number.
      pairs(
          "mod", "Mod", {{Real(1.55), Real(2.4)}, {Real(-1.5), Real(-1.3)}},
          [](const auto& a, const auto& b) { return mod(a, b); }, [](L a, L b) { return a - b * std::floor(a / b); }),
  };
}

}  // namespace cornu::testing
