#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/models/export_cpp/gradient_writer.h"
#include "cornu/models/export_cpp/rows.h"

namespace cornu::detail {

namespace {

using To = CppGradientWriter;

/// The axes of a reduction.
std::string reduced_axes(const To& to) {
  const Shape x = to.shape(0);
  return to.op().has("axis") ? around(x, to.op().integer("axis")) : fmt::format("1, {}, 1", x.size());
}

// ---- Functions of one value ----

/// The slope of a function, given its argument v or its value y.
struct Slope {
  const char *op, *text;
  bool of_result;  ///< in y instead of v
};
constexpr std::array<Slope, 20> slopes{{
    {"negate", "-1.0f", true},
    {"exp", "y", true},
    {"log", "1.0f / v", false},
    {"sqrt", "0.5f / y", true},
    {"square", "2.0f * v", false},
    {"abs", "v > 0.0f ? 1.0f : v < 0.0f ? -1.0f : 0.0f", false},
    {"relu", "y > 0.0f ? 1.0f : 0.0f", true},
    {"sigmoid", "y * (1.0f - y)", true},
    {"tanh", "1.0f - y * y", true},
    {"softplus", "1.0f - std::exp(-y)", true},
    // y = v s with the sigmoid s: s + v s (1 - s).
    {"swish", "(1.0f + v / (1.0f + std::exp(v))) / (1.0f + std::exp(-v))", false},
    {"hard_sigmoid", "v > -3.0f && v < 3.0f ? 0.16666667f : 0.0f", false},
    {"hard_silu", "v <= -3.0f ? 0.0f : v >= 3.0f ? 1.0f : v / 3.0f + 0.5f", false},
    {"softsign", "1.0f / ((1.0f + std::fabs(v)) * (1.0f + std::fabs(v)))", false},
    // See Mish in core/ops/activations.cpp.
    {"mish",
     "[](float u, float e) { return e * (e + 2.0f) / (e * (e + 2.0f) + 2.0f) + u * 4.0f * e * (1.0f + e) / "
     "((e * (e + 2.0f) + 2.0f) * (e * (e + 2.0f) + 2.0f)); }(v > 20.0f ? 20.0f : v, std::exp(v > 20.0f ? 20.0f : v))",
     false},
    {"sin", "std::cos(v)", false},
    {"cos", "-std::sin(v)", false},
    {"erf", "1.1283792f * std::exp(-v * v)", false},
    {"log1p", "1.0f / (1.0f + v)", false},
    {"expm1", "1.0f + y", true},
}};

void each(To& to, const std::string& slope, bool of_result) {
  to.add(0, "each_gradient", std::to_string(to.result_shape().size()),
         {of_result ? to.result() : to.operand(0), to.gradient(),
          fmt::format("[](float {}) {{ {}return {}; }}", of_result ? "y" : "v",
                      slope.find(of_result ? 'y' : 'v') == std::string::npos
                          ? fmt::format("static_cast<void>({}); ", of_result ? "y" : "v")
                          : "",
                      slope)});
}

void by_slope(To& to) {
  const auto* const slope =
      std::find_if(slopes.begin(), slopes.end(), [&](const Slope& each) { return to.op().name == each.op; });
  each(to, slope->text, slope->of_result);
}

void gelu_gradient(To& to) {
  if (to.op().flag("approximate")) {
    // y = v s(u), u = 1.5957691 (v + 0.044715 v^3), with the sigmoid s: s + v s (1 - s) u'.
    each(to,
         "v < -30.0f ? 0.0f : (1.0f + v * 1.5957691f * (1.0f + 0.134145f * v * v) / (1.0f + std::exp(1.5957691f * "
         "(v + 0.044715f * v * v * v)))) / (1.0f + std::exp(-1.5957691f * (v + 0.044715f * v * v * v)))",
         false);
  } else {
    each(to, "0.5f * std::erfc(-0.70710678f * v) + 0.39894228f * v * std::exp(-0.5f * v * v)", false);
  }
}

// ---- Functions of two values ----

/// Slopes in a and b.
struct BinarySlope {
  const char *op, *of_a, *of_b;
};
constexpr std::array<BinarySlope, 7> binary_slopes{{
    {"add", "1.0f", "1.0f"},
    {"subtract", "1.0f", "-1.0f"},
    {"multiply", "b", "a"},
    {"divide", "1.0f / b", "-a / (b * b)"},
    {"maximum", "a > b ? 1.0f : a < b ? 0.0f : 0.5f", "a > b ? 0.0f : a < b ? 1.0f : 0.5f"},
    {"minimum", "a < b ? 1.0f : a > b ? 0.0f : 0.5f", "a < b ? 0.0f : a > b ? 1.0f : 0.5f"},
    {"mod", "1.0f", "-std::floor(a / b)"},
}};

void binary(To& to) {
  const auto* const slope = std::find_if(binary_slopes.begin(), binary_slopes.end(),
                                         [&](const BinarySlope& each) { return to.op().name == each.op; });
  const std::string axes = broadcast_axes(to.shape(0), to.shape(1), to.result_shape());
  for (const std::size_t i : {0U, 1U}) {
    const std::string text = i == 0 ? slope->of_a : slope->of_b;
    std::string unused;
    for (const char name : {'a', 'b'}) {
      if (text.find(name) == std::string::npos) unused += fmt::format("static_cast<void>({}); ", name);
    }
    to.add(i, "combine_gradient", fmt::format("{}, {}", i == 0, axes),
           {to.operand(0), to.operand(1), to.gradient(),
            fmt::format("[](float a, float b) {{ {}return {}; }}", unused, text)});
  }
}

// ---- Functions of steps, selections, and reductions with a function of their own (kernels_selection.cpp) ----

constexpr std::array<std::string_view, 13> without_gradient{
    "sign",          "floor", "ceil",       "round",       "equal",      "not_equal",  "greater",
    "greater_equal", "less",  "less_equal", "logical_and", "logical_or", "logical_xor"};

void clip_gradient(To& to) {
  std::string inside;
  for (const auto& [name, relation] : {std::pair("min", ">="), std::pair("max", "<=")}) {
    if (std::isinf(to.op().real(name))) continue;
    inside += fmt::format("{}v {} {}", inside.empty() ? "" : " && ", relation, to.number_of(name));
  }
  each(to, inside.empty() ? "1.0f" : inside + " ? 1.0f : 0.0f", false);
}

void selection(To& to) {
  const std::string axes = selected_axes({to.shape(0), to.shape(1), to.shape(2)}, to.result_shape());
  to.add(1, "select_gradient", "true, " + axes, {to.operand(0), to.gradient()});
  to.add(2, "select_gradient", "false, " + axes, {to.operand(0), to.gradient()});
}

void log_sum_exp(To& to) { to.add(0, "log_sum_exp_gradient", reduced_axes(to), {to.operand(0), to.gradient()}); }

void product_of_elements(To& to) { to.add(0, "product_gradient", reduced_axes(to), {to.operand(0), to.gradient()}); }

void cumulative_sum(To& to) {
  to.add(0, "add_cumulative",
         fmt::format("{}, {}, {}", around(to.shape(0), to.op().integer("axis")), to.op().flag("exclusive"),
                     !to.op().flag("reverse")),
         {to.gradient()});
}

// ---- Products ----

void product(To& to) {
  require<ValueError>(to.shape(1).rank() == 2,
                      "a product whose right operand is not a matrix has no gradient in a C++ header");
  const Shape w = to.shape(1);
  const std::string sizes = fmt::format("{}, {}, {}", to.shape(0).size() / w[0], w[0], w[1]);
  to.add(0, "dense_input_gradient", sizes, {to.gradient(), to.operand(1)});
  to.add(1, "dense_weight_gradient", sizes, {to.operand(0), to.gradient()});
  if (to.operand_count() > 2) {
    to.add(2, "add_rows", fmt::format("{}, {}", to.shape(0).size() / w[0], w[1]), {to.gradient()});
  }
}

void convolution(To& to) {
  const bool is_depthwise = to.op().name == "depthwise_conv2d";
  const Shape kernel = to.shape(1);
  const Index in = to.shape(0)[3], out = to.result_shape()[3], groups = is_depthwise ? in : to.op().integer("groups");
  const std::vector<Index>& dilations = to.op().integers("dilations");
  const std::string sizes = fmt::format("{}, {}, {}", in, out, groups);
  const CppArgument rows = window_text(to.op(), to.shape(0), to.result_shape(), 0, kernel[0], dilations[0]),
                    columns = window_text(to.op(), to.shape(0), to.result_shape(), 1, kernel[1], dilations[1]);
  if (!is_depthwise && to.op().flag("relu")) {
    const std::string size = std::to_string(to.result_shape().size());
    to.change_gradient("drop_negative", size, {to.result()});
  }
  const bool each_channel = is_depthwise || (groups == in && groups > 1);
  const std::string channels = fmt::format("{}, {}", in, out / in);
  to.add(0, each_channel ? "convolve_each_input_gradient" : "convolve_input_gradient", each_channel ? channels : sizes,
         {to.gradient(), rows, columns, to.operand(1)});
  to.add(1, each_channel ? "convolve_each_weight_gradient" : "convolve_weight_gradient",
         each_channel ? channels : sizes, {to.operand(0), to.gradient(), rows, columns});
  if (to.operand_count() > 2) {
    to.add(2, "add_rows", fmt::format("{}, {}", to.result_shape().size() / out, out), {to.gradient()});
  }
}

// ---- Pooling and reductions ----

void pooling(To& to) {
  const std::vector<Index>& size = to.op().integers("size");
  const CppArgument rows = window_text(to.op(), to.shape(0), to.result_shape(), 0, size[0], 1),
                    columns = window_text(to.op(), to.shape(0), to.result_shape(), 1, size[1], 1);
  to.add(0, "pool_gradient", fmt::format("{}, {}", to.shape(0)[3], to.op().name == "max_pool2d"),
         {to.operand(0), to.gradient(), rows, columns});
}

void global_mean(To& to) {
  const Shape x = to.shape(0);
  const Index pixels = x[1] * x[2];
  to.add(0, "spread", fmt::format("1, {}, {}", pixels, x[3]), {to.gradient(), fmt::format("{}.0f", pixels)});
}

void reduction(To& to) {
  const Shape x = to.shape(0);
  const Index n = to.op().has("axis") ? x[to.op().integer("axis")] : x.size();
  to.add(0, "spread", reduced_axes(to), {to.gradient(), fmt::format("{}.0f", to.op().name == "mean" ? n : 1)});
}

void largest(To& to) { to.add(0, "max_gradient", reduced_axes(to), {to.operand(0), to.result(), to.gradient()}); }

void along_axis(To& to) {
  to.add(0, to.op().name + "_gradient", around(to.shape(0), to.op().integer("axis")), {to.result(), to.gradient()});
}

// ---- Ops that move elements ----

void reshape(To& to) {
  const Index size = to.result_shape().size();
  to.add(0, "add_copy", fmt::format("1, {}, {}, {}", size, size, size), {to.gradient()});
}

void concatenation(To& to) {
  const Index axis = to.op().integer("axis"), stride = to.result_shape().sub(axis).size();
  CppArgument part = to.gradient();
  for (std::size_t i = 0; i < to.operand_count(); ++i) {
    const Index width = to.shape(i).sub(axis).size();
    to.add(i, "add_copy", fmt::format("{}, {}, {}, {}", to.shape(i).size() / width, width, stride, width), {part});
    part.value->offset += width;
  }
}

void slice(To& to) {
  const Shape x = to.shape(0), y = to.result_shape();
  const Index axis = to.op().integer("axis"), stride = x.sub(axis).size(), width = y.sub(axis).size();
  to.add(
      0, "add_slice",
      fmt::format("{}, {}, {}, {}", y.size() / width, width, stride, to.op().integer("begin") * x.sub(axis + 1).size()),
      {to.gradient()});
}

void transposition(To& to) {
  const Shape x = to.shape(0);
  std::string templates;
  for (const Index axis : to.op().integers("axes")) {
    templates += fmt::format("{}detail::Along<{}, {}>", templates.empty() ? "" : ", ", x[axis], x.sub(axis + 1).size());
  }
  to.add(0, "transpose_gradient", templates, {to.gradient()});
}

void look_up(To& to) {
  const Shape table = to.shape(0);
  to.add(0, "look_up_gradient", fmt::format("{}, {}, {}", to.shape(1).size(), table[0], table.sub(1).size()),
         {to.operand(1), to.gradient()});
}

const std::vector<std::pair<std::string_view, CppGradientRow>>& rows() {
  static const std::vector<std::pair<std::string_view, CppGradientRow>> all = [] {
    std::vector<std::pair<std::string_view, CppGradientRow>> result{
        {"gelu", gelu_gradient},
        {"leaky_relu", [](To& to) { each(to, "v > 0.0f ? 1.0f : " + to.number_of("negative_slope"), false); }},
        {"elu", [](To& to) { each(to, "v > 0.0f ? 1.0f : " + to.number_of("alpha") + " * std::exp(v)", false); }},
        {"affine", product},
        {"matmul", product},
        {"conv2d", convolution},
        {"depthwise_conv2d", convolution},
        {"max_pool2d", pooling},
        {"average_pool2d", pooling},
        {"global_average_pool2d", global_mean},
        {"sum", reduction},
        {"mean", reduction},
        {"max", largest},
        {"min", largest},
        {"prod", product_of_elements},
        {"logsumexp", log_sum_exp},
        {"cumsum", cumulative_sum},
        {"clip", clip_gradient},
        {"where", selection},
        {"softmax", along_axis},
        {"log_softmax", along_axis},
        {"reshape", reshape},
        {"concatenate", concatenation},
        {"slice_axis", slice},
        {"transpose", transposition},
        {"take", look_up},
    };
    for (const auto& each : cpp_indexing_gradient_rows()) result.push_back(each);
    for (const Slope& each : slopes) result.emplace_back(each.op, by_slope);
    for (const BinarySlope& each : binary_slopes) result.emplace_back(each.op, binary);
    for (const std::string_view op : without_gradient) result.emplace_back(op, [](To&) {});
    return result;
  }();
  return all;
}

}  // namespace

CppGradientRow cpp_gradient_row_of(std::string_view op) {
  const auto found = std::find_if(rows().begin(), rows().end(), [&](const auto& row) { return row.first == op; });
  return found == rows().end() ? nullptr : found->second;
}

std::vector<std::string> cpp_gradient_names() {
  std::vector<std::string> result;
  for (const auto& [name, row] : rows()) result.emplace_back(name);
  return result;
}

}  // namespace cornu::detail
