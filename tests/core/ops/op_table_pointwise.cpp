#include <cmath>

#include "cornu/tests/core/ops/op_rows.h"

namespace cornu::testing {

std::vector<OpRow> pointwise_rows() {
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
  return rows;
}

}  // namespace cornu::testing
