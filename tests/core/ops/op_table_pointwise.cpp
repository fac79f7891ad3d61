#include <cmath>

#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

namespace {

const std::vector<Shape>& pointwise_shapes() {
  static const std::vector<Shape> all = {{},      {1},      {0}, {7}, {3, 5}, {0, 4}, {1, 1, 1}, {2, 1, 3, 1, 2},
                                         {17, 3}, {2, 3, 0}};
  return all;
}

/// A row for a unary op.
template <class F, class Reference>
OpRow numbers(const std::string& op, const std::string& name, Range range, F f, Reference expected) {
  OpRow row{.op = op, .name = name, .ranges = {range}, .samples = {}};
  for (const Shape& shape : pointwise_shapes()) {
    row.samples.push_back({message("{} of {}", op, shape),
                           {shape},
                           [f](std::span<const Var> x) { return f(x[0]); },
                           [f](std::span<const Tensor> x) { return f(x[0]); },
                           [expected](std::span<const Exact> x) { return pointwise_reference(x[0], expected); }});
  }
  return row;
}

/// The same with two ranges, below and above a kink at 0.
template <class F, class Reference>
std::vector<OpRow> beside_a_kink(const std::string& op, const std::string& name, F f, Reference expected) {
  return {numbers(op, name + "BelowZero", {-2, Real(-0.05)}, f, expected),
          numbers(op, name + "AboveZero", {Real(0.05), 2}, f, expected)};
}

}  // namespace

std::vector<OpRow> pointwise_rows() {
  using L = long double;
  std::vector<OpRow> rows = {
      numbers(
          "operator-", "Negate", around_zero, [](const auto& x) { return -x; }, [](L x) { return -x; }),
      numbers(
          "exp", "Exp", around_zero, [](const auto& x) { return exp(x); }, [](L x) { return std::exp(x); }),
      numbers(
          "log", "Log", above_zero, [](const auto& x) { return log(x); }, [](L x) { return std::log(x); }),
      numbers(
          "sqrt", "Sqrt", above_zero, [](const auto& x) { return sqrt(x); }, [](L x) { return std::sqrt(x); }),
      numbers(
          "square", "Square", around_zero, [](const auto& x) { return square(x); }, [](L x) { return x * x; }),
      numbers(
          "sigmoid", "Sigmoid", {-6, 6}, [](const auto& x) { return sigmoid(x); },
          [](L x) { return 1 / (1 + std::exp(-x)); }),
      numbers(
          "tanh", "Tanh", {-3, 3}, [](const auto& x) { return tanh(x); }, [](L x) { return std::tanh(x); }),
      numbers(
          "gelu", "Gelu", {-6, 6}, [](const auto& x) { return gelu(x); },
          [](L x) { return x * std::erfc(-x / std::sqrt(2.0L)) / 2; }),
      numbers(
          "gelu", "GeluByTanh", {-6, 6}, [](const auto& x) { return gelu(x, {.approximate = true}); },
          [](L x) { return x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0L)) * (x + 0.044715L * x * x * x))) / 2; }),
      numbers(
          "swish", "Swish", {-6, 6}, [](const auto& x) { return swish(x); },
          [](L x) { return x / (1 + std::exp(-x)); }),
      numbers(
          "silu", "Silu", {-6, 6}, [](const auto& x) { return silu(x); }, [](L x) { return x / (1 + std::exp(-x)); }),
      numbers(
          "softplus", "Softplus", {-20, 20}, [](const auto& x) { return softplus(x); },
          [](L x) { return std::log1p(std::exp(x)); }),
      numbers(
          "linear", "Linear", around_zero, [](const auto& x) { return linear(x); }, [](L x) { return x; }),
  };
  const auto relu_rows = beside_a_kink(
      "relu", "Relu", [](const auto& x) { return relu(x); }, [](L x) { return std::isnan(x) || x > 0 ? x : 0; });
  const auto abs_rows = beside_a_kink(
      "abs", "Abs", [](const auto& x) { return abs(x); }, [](L x) { return x < 0 ? -x : x; });
  const auto leaky_rows = beside_a_kink(
      "leaky_relu", "LeakyRelu", [](const auto& x) { return leaky_relu(x, 0.3); },
      [](L x) { return x > 0 ? x : static_cast<Real>(0.3) * x; });
  const auto elu_rows = beside_a_kink(
      "elu", "Elu", [](const auto& x) { return elu(x, 1.5); }, [](L x) { return x > 0 ? x : 1.5L * std::expm1(x); });
  for (const auto& more : {relu_rows, abs_rows, leaky_rows, elu_rows})
    rows.insert(rows.end(), more.begin(), more.end());
  rows.push_back(numbers(
      "not_equal", "NotEqual", around_zero, [](const auto& x) { return not_equal(x, 0.25); },
      [](L x) { return x != 0.25L ? 1 : 0; }));
  rows.back().uses_every_element = false;  // a NaN differs from every value
  return rows;
}

}  // namespace cornu::testing
