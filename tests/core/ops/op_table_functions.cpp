#include <cmath>

#include "cornu/tests/core/ops/op_rows.h"

namespace cornu::testing {

namespace {

L clipped(L x, L least, L most) { return x < least ? least : x > most ? most : x; }
L exact_elu(L x, L alpha) { return x > 0 ? x : alpha * std::expm1(x); }

/// Rows for the ranges between the kinks.
template <class F, class Reference>
void add_pieces(std::vector<OpRow>& rows, const std::string& op, const std::string& name,
                const std::vector<std::pair<std::string, Range>>& pieces, F f, Reference expected) {
  for (const auto& [piece, range] : pieces) rows.push_back(numbers(op, name + piece, range, f, expected));
}

}  // namespace

std::vector<OpRow> function_rows() {
  std::vector<OpRow> rows = {
      numbers(
          "sin", "Sin", {-6, 6}, [](const auto& x) { return sin(x); }, [](L x) { return std::sin(x); }),
      numbers(
          "cos", "Cos", {-6, 6}, [](const auto& x) { return cos(x); }, [](L x) { return std::cos(x); }),
      numbers(
          "erf", "Erf", {-3, 3}, [](const auto& x) { return erf(x); }, [](L x) { return std::erf(x); }),
      numbers(
          "log1p", "Log1p", {Real(-0.6), 2}, [](const auto& x) { return log1p(x); }, [](L x) { return std::log1p(x); }),
      numbers(
          "expm1", "Expm1", around_zero, [](const auto& x) { return expm1(x); }, [](L x) { return std::expm1(x); }),
      numbers(
          "mish", "Mish", {-6, 6}, [](const auto& x) { return mish(x); },
          [](L x) { return x * std::tanh(std::log1p(std::exp(x))); }),
      numbers(
          "log_sigmoid", "LogSigmoid", {-20, 20}, [](const auto& x) { return log_sigmoid(x); },
          [](L x) { return -std::log1p(std::exp(-x)); }),
      // Between two whole numbers, because the gradient is 0 only there.
      numbers(
          "floor", "Floor", {Real(-1.9), Real(-1.1)}, [](const auto& x) { return floor(x); },
          [](L x) { return std::floor(x); }),
      numbers(
          "ceil", "Ceil", {Real(-1.9), Real(-1.1)}, [](const auto& x) { return ceil(x); },
          [](L x) { return std::ceil(x); }),
      numbers(
          "round", "Round", {Real(1.6), Real(2.4)}, [](const auto& x) { return round(x); },
          [](L x) { return std::nearbyint(x); }),
  };
  const std::vector<std::pair<std::string, Range>> around_0{{"BelowZero", {-2, Real(-0.05)}},
                                                            {"AboveZero", {Real(0.05), 2}}},
      around_3{{"Low", {-6, Real(-3.1)}}, {"Inside", {Real(-2.9), Real(2.9)}}, {"High", {Real(3.1), 6}}},
      around_6{{"Low", {-4, Real(-0.1)}}, {"Inside", {Real(0.1), Real(5.9)}}, {"High", {Real(6.1), 9}}},
      around_1{{"Low", {-3, Real(-0.6)}}, {"Inside", {Real(-0.4), Real(0.9)}}, {"High", {Real(1.1), 3}}};
  add_pieces(
      rows, "sign", "Sign", around_0, [](const auto& x) { return sign(x); },
      [](L x) { return std::isnan(x) ? x : (x > 0) - (x < 0); });
  add_pieces(
      rows, "softsign", "Softsign", around_0, [](const auto& x) { return softsign(x); },
      [](L x) { return x / (1 + std::abs(x)); });
  add_pieces(
      rows, "selu", "Selu", around_0, [](const auto& x) { return selu(x); },
      [](L x) { return 1.0507009873554804934193349852946L * exact_elu(x, 1.6732632423543772848170429916717L); });
  add_pieces(
      rows, "celu", "Celu", around_0, [](const auto& x) { return celu(x); }, [](L x) { return exact_elu(x, 1); });
  add_pieces(
      rows, "celu", "CeluWithAlpha", around_0, [](const auto& x) { return celu(x, 2.5); },
      [](L x) { return x > 0 ? x : 2.5L * std::expm1(x / 2.5L); });
  add_pieces(
      rows, "hard_sigmoid", "HardSigmoid", around_3, [](const auto& x) { return hard_sigmoid(x); },
      [](L x) { return clipped(x / 6 + 0.5L, 0, 1); });
  for (const char* const op : {"hard_silu", "hard_swish"}) {
    const bool is_silu = std::string(op) == "hard_silu";
    add_pieces(
        rows, op, is_silu ? "HardSilu" : "HardSwish", around_3,
        [=](const auto& x) { return is_silu ? hard_silu(x) : hard_swish(x); },
        [](L x) { return x * clipped(x / 6 + 0.5L, 0, 1); });
  }
  add_pieces(
      rows, "relu6", "Relu6", around_6, [](const auto& x) { return relu6(x); }, [](L x) { return clipped(x, 0, 6); });
  add_pieces(
      rows, "clip", "Clip", around_1, [](const auto& x) { return clip(x, -0.5, 1); },
      [](L x) { return clipped(x, -0.5L, 1); });
  // Where a function is constant, its gradient is 0 but a NaN stays.
  return rows;
}

}  // namespace cornu::testing
