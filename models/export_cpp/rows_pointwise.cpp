#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "cornu/models/export_cpp/rows.h"

namespace cornu::detail {

namespace {

// ---- Functions of one value, v ----

constexpr const char *swish_text = "v / (1.0f + std::exp(-v))",
                     *gelu_text = "0.5f * v * std::erfc(-0.70710678f * v)",
                     // v times a sigmoid. For v < -30 the sigmoid is 0 while v^2 is still finite.
                         *approximate_gelu_text =
                             "v < -30.0f ? -0.0f : v / (1.0f + std::exp(-1.5957691f * (v + 0.044715f * v * v * v)))",
                     *hard_sigmoid_text = "v <= -3.0f ? 0.0f : v >= 3.0f ? 1.0f : v / 6.0f + 0.5f",
                     *hard_silu_text = "v <= -3.0f ? 0.0f : v >= 3.0f ? v : v * (v / 6.0f + 0.5f)",
                     *selu_text = "1.0507010f * (v > 0.0f ? v : 1.6732632f * std::expm1(v))",
                     *log_sigmoid_text = "(v < 0.0f ? v : 0.0f) - std::log1p(std::exp(-std::fabs(v)))",
                     // The rest of a division, with the sign of the divisor.
                         *mod_text =
                             "[](float r, float d) { return r == 0.0f ? std::copysign(r, d) : (r < 0.0f) != (d < 0.0f) "
                             "? r + d : r; }(std::fmod(a, b), b)";

std::string leaky_relu_text(const std::string& slope) { return "v > 0.0f ? v : " + slope + " * v"; }
std::string elu_text(const std::string& alpha) { return "v > 0.0f ? v : " + alpha + " * std::expm1(v)"; }

/// A bound that is infinite limits nothing.
std::string clip_text(const CppOpWriter& to) {
  std::string text;
  for (const auto& [name, sign] : {std::pair("min", '<'), std::pair("max", '>')}) {
    if (std::isinf(to.op().real(name))) continue;
    const std::string bound = to.number_of(name);
    text += fmt::format("v {} {} ? {} : ", sign, bound, bound);
  }
  return text + "v";
}

/// Ops without attributes.
constexpr std::array<std::pair<const char*, const char*>, 24> unary_functions{{
    {"negate", "-v"},
    {"exp", "std::exp(v)"},
    {"log", "std::log(v)"},
    {"sqrt", "std::sqrt(v)"},
    {"square", "v * v"},
    {"abs", "std::fabs(v)"},
    {"relu", "v < 0.0f ? 0.0f : v"},
    {"sigmoid", "1.0f / (1.0f + std::exp(-v))"},
    {"tanh", "std::tanh(v)"},
    {"softplus", "(v > 0.0f ? v : 0.0f) + std::log1p(std::exp(-std::fabs(v)))"},
    {"swish", swish_text},
    {"hard_sigmoid", hard_sigmoid_text},
    {"hard_silu", hard_silu_text},
    {"softsign", "v / (1.0f + std::fabs(v))"},
    {"mish", "v * std::tanh((v > 0.0f ? v : 0.0f) + std::log1p(std::exp(-std::fabs(v))))"},
    {"sin", "std::sin(v)"},
    {"cos", "std::cos(v)"},
    {"erf", "std::erf(v)"},
    {"log1p", "std::log1p(v)"},
    {"expm1", "std::expm1(v)"},
    {"sign", "v > 0.0f ? 1.0f : v < 0.0f ? -1.0f : v"},
    {"floor", "std::floor(v)"},
    {"ceil", "std::ceil(v)"},
    {"round", "std::nearbyint(v)"},  // halves to even
}};

std::string function_text(std::string_view op) {
  const auto* const found =
      std::find_if(unary_functions.begin(), unary_functions.end(), [&](const auto& each) { return each.first == op; });
  return found == unary_functions.end() ? "" : found->second;
}

// ---- Functions of two values, broadcasting as in NumPy ----

/// An expression in a and b, with names put for them.
std::string with_operands(std::string_view expression, const std::string& a, const std::string& b) {
  std::string result;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    const auto is_letter = [&](std::size_t at) {
      return at < expression.size() && (std::isalpha(static_cast<unsigned char>(expression[at])) != 0);
    };
    const bool alone = !(i > 0 && is_letter(i - 1)) && !is_letter(i + 1);
    result += alone && expression[i] == 'a' ? a : alone && expression[i] == 'b' ? b : std::string(1, expression[i]);
  }
  return result;
}

/// expression: of a and b.
CppRow binary(std::string_view expression) {
  return [expression](CppOpWriter& to) {
    const Shape result = to.result_shape();
    // One number is part of the expression.
    const auto is_number = [&](std::size_t i) {
      return to.is_constant(i) && to.numbers(i).size() == 1 && std::isfinite(to.numbers(i)[0]) && !to.is_known(1 - i) &&
             to.shape(1 - i).size() == result.size();
    };
    const auto number = [&](std::size_t i) {
      const std::string text = to.number("constant", static_cast<double>(to.numbers(i)[0]));
      return text.front() == '-' ? "(" + text + ")" : text;
    };
    if (is_number(0)) return to.each(to.operand(1), result, with_operands(expression, number(0), "v"));
    if (is_number(1)) return to.each(to.operand(0), result, with_operands(expression, "v", number(1)));
    return to.call("combine", broadcast_axes(to.shape(0), to.shape(1), result),
                   {to.operand(0), to.operand(1), fmt::format("[](float a, float b) {{ return {}; }}", expression)});
  };
}

// ---- Along axes ----

CppRow along_axis(const char* function) {
  return [function](CppOpWriter& to) {
    return to.call(function, around(to.shape(0), to.op().integer("axis")), {to.operand(0)});
  };
}

/// combine: of two values, a and b. is_mean: divide by their number.
CppRow reduction(std::string_view combine, bool is_mean) {
  return [combine, is_mean](CppOpWriter& to) {
    const Shape x = to.shape(0);
    const bool all = !to.op().has("axis");
    const Index n = all ? x.size() : x[to.op().integer("axis")];
    return to.call("reduce", all ? fmt::format("1, {}, 1", n) : around(x, to.op().integer("axis")),
                   {to.operand(0), fmt::format("[](float a, float b) {{ return {}; }}", combine),
                    fmt::format("{}.0f", is_mean ? n : 1)});
  };
}

}  // namespace

std::string broadcast_axes(const Shape& a, const Shape& b, const Shape& result) {
  struct Axis {
    Index n, a, b;
  };
  std::vector<Axis> axes;  // from the last
  Index a_size = 1, b_size = 1;
  for (Index i = 1; i <= result.rank(); ++i) {
    const Index n = result[-i], of_a = i <= a.rank() ? a[-i] : 1, of_b = i <= b.rank() ? b[-i] : 1;
    const Axis axis{n, of_a == 1 ? 0 : a_size, of_b == 1 ? 0 : b_size};
    a_size *= of_a;
    b_size *= of_b;
    if (n == 1) continue;
    Axis* const inner = axes.empty() ? nullptr : &axes.back();
    if (inner != nullptr && axis.a == inner->a * inner->n && axis.b == inner->b * inner->n) {
      inner->n *= n;
    } else {
      axes.push_back(axis);
    }
  }
  if (axes.empty()) return "detail::Along<1, 0, 0>";
  std::string text;
  for (std::size_t i = axes.size(); i-- > 0;) {
    text += fmt::format("{}detail::Along<{}, {}, {}>", text.empty() ? "" : ", ", axes[i].n, axes[i].a, axes[i].b);
  }
  return text;
}

std::string around(const Shape& shape, Index axis, Index count) {
  return fmt::format("{}, {}, {}", shape.sub(0, axis).size(), shape.sub(axis, axis + count).size(),
                     shape.sub(axis + count).size());
}

std::string activation_text(std::string_view name) {
  // A user can register an activation under the name of another op.
  constexpr std::array<std::string_view, 9> of_ops{"relu",         "sigmoid",   "tanh",     "softplus", "swish",
                                                   "hard_sigmoid", "hard_silu", "softsign", "mish"};
  const auto is_activation = [&](std::string_view op) {
    return std::find(of_ops.begin(), of_ops.end(), op) != of_ops.end();
  };
  const std::string text = name == "linear"        ? "v"
                           : name == "exponential" ? "std::exp(v)"
                           : name == "silu"        ? swish_text
                           : name == "gelu"        ? gelu_text
                           : name == "leaky_relu"  ? leaky_relu_text("0.2f")
                           : name == "elu"         ? elu_text("1.0f")
                           : name == "celu"        ? elu_text("1.0f")
                           : name == "relu6"       ? "v < 0.0f ? 0.0f : v > 6.0f ? 6.0f : v"
                           : name == "hard_swish"  ? hard_silu_text
                           : name == "selu"        ? selu_text
                           : name == "log_sigmoid" ? log_sigmoid_text
                           : is_activation(name)   ? function_text(name)
                                                   : "";
  return text.empty() ? "" : "[](float v) { return " + text + "; }";
}

CppRows cpp_pointwise_rows() {
  CppRows rows{
      {"leaky_relu", [](CppOpWriter& to) { return to.each(leaky_relu_text(to.number_of("negative_slope"))); }},
      {"elu", [](CppOpWriter& to) { return to.each(elu_text(to.number_of("alpha"))); }},
      {"clip", [](CppOpWriter& to) { return to.each(clip_text(to)); }},
      {"gelu",
       [](CppOpWriter& to) { return to.each(to.op().flag("approximate") ? approximate_gelu_text : gelu_text); }},
      {"add", binary("a + b")},
      {"subtract", binary("a - b")},
      {"multiply", binary("a * b")},
      {"divide", binary("a / b")},
      {"pow", binary("std::pow(a, b)")},
      {"maximum", binary("a > b || a != a ? a : b")},  // a NaN stays
      {"minimum", binary("a < b || a != a ? a : b")},
      {"mod", binary(mod_text)},
      {"equal", binary("a == b ? 1.0f : 0.0f")},
      {"not_equal", binary("a != b ? 1.0f : 0.0f")},
      {"greater", binary("a > b ? 1.0f : 0.0f")},
      {"greater_equal", binary("a >= b ? 1.0f : 0.0f")},
      {"less", binary("a < b ? 1.0f : 0.0f")},
      {"less_equal", binary("a <= b ? 1.0f : 0.0f")},
      {"logical_and", binary("a != 0.0f && b != 0.0f ? 1.0f : 0.0f")},
      {"logical_or", binary("a != 0.0f || b != 0.0f ? 1.0f : 0.0f")},
      {"logical_xor", binary("(a != 0.0f) != (b != 0.0f) ? 1.0f : 0.0f")},
      {"softmax", along_axis("softmax")},
      {"log_softmax", along_axis("log_softmax")},
      {"sum", reduction("a + b", false)},
      {"mean", reduction("a + b", true)},
      {"max", reduction("b > a || b != b ? b : a", false)},
      {"min", reduction("b < a || b != b ? b : a", false)},
      {"prod", reduction("a * b", false)},
  };
  for (const auto& [op, text] : unary_functions) {
    rows.emplace_back(op, [expression = std::string(text)](CppOpWriter& to) { return to.each(expression); });
  }
  return rows;
}

}  // namespace cornu::detail
