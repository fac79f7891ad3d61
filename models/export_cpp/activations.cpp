#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/models/export_cpp/layers.h"

namespace cornu::detail {

namespace {

constexpr const char *sigmoid_text = "1.0f / (1.0f + std::exp(-v))", *swish_text = "v / (1.0f + std::exp(-v))",
                     *gelu_text = "0.5f * v * std::erfc(-0.70710678f * v)",
                     *softplus_text = "(v > 0.0f ? v : 0.0f) + std::log1p(std::exp(-std::fabs(v)))";

std::string leaky_relu_text(const std::string& slope) { return "v > 0.0f ? v : " + slope + " * v"; }
std::string elu_text(const std::string& alpha) { return "v > 0.0f ? v : " + alpha + " * std::expm1(v)"; }
/// The tanh approximation of GELU, as v times a sigmoid. For v < -30 the sigmoid is 0 while v^2 is still finite.
std::string approximate_gelu_text() {
  return "v < -30.0f ? -0.0f : v / (1.0f + std::exp(-1.5957691f * (v + 0.044715f * v * v * v)))";
}

CppValue each(CppProgram& program, const CppValue& x, const std::string& function) {
  const CppValue y = program.make(x.shape);
  program.call("each", fmt::format("{}", x.shape.size()), {&x, 1}, function, y);
  return y;
}

std::string lambda(const std::string& text) { return "[](float v) { return " + text + "; }"; }

/// Softmax along an axis of a sample.
CppValue softmax_of(CppProgram& program, const CppValue& x, Index axis) {
  const CppValue y = program.make(x.shape);
  program.call("softmax",
               fmt::format("{}, {}, {}", x.shape.sub(0, axis).size(), x.shape[axis], x.shape.sub(axis + 1).size()),
               {&x, 1}, "", y);
  return y;
}

CppValue log_softmax_of(CppProgram& program, const CppValue& x) {
  const CppValue y = program.make(x.shape);
  program.call("log_softmax", fmt::format("{}, {}", x.shape.size() / x.shape[-1], x.shape[-1]), {&x, 1}, "", y);
  return y;
}

}  // namespace

std::string function_text(const CppProgram& program, const Activation& activation) {
  const std::pair<Activation::Function, std::string> functions[] = {
      {linear, "v"},
      {relu, "v < 0.0f ? 0.0f : v"},
      {sigmoid, sigmoid_text},
      {tanh, "std::tanh(v)"},
      {exp, "std::exp(v)"},
      {leaky_relu, leaky_relu_text("0.2f")},
      {elu, elu_text("1.0f")},
      {gelu, gelu_text},
      {silu, swish_text},
      {swish, swish_text},
      {softplus, softplus_text},
  };
  for (const auto& [function, text] : functions) {
    if (activation.is(function)) return lambda(text);
  }
  throw ValueError(message("export_cpp: {}: only Cornu's own activations can be exported", program.path()));
}

CppValue activated(CppProgram& program, const CppValue& x, const Activation& activation) {
  if (activation.is(linear)) return x;
  if (activation.is(softmax)) return softmax_of(program, x, x.shape.rank() - 1);
  if (activation.is(log_softmax)) return log_softmax_of(program, x);
  return each(program, x, function_text(program, activation));
}

std::optional<CppValue> write_activation(CppProgram& program, const AnyLayer& any, const CppValue& x) {
  if (const auto* layer = any.as<Activation>()) return activated(program, x, *layer);
  if (any.as<ReLU>() != nullptr) return activated(program, x, relu);
  if (any.as<Sigmoid>() != nullptr) return activated(program, x, sigmoid);
  if (any.as<Tanh>() != nullptr) return activated(program, x, tanh);
  if (any.as<Swish>() != nullptr) return activated(program, x, swish);
  if (any.as<Softplus>() != nullptr) return activated(program, x, softplus);
  if (const auto* layer = any.as<LeakyReLU>())
    return each(program, x, lambda(leaky_relu_text(program.number("negative_slope", layer->negative_slope))));
  if (const auto* layer = any.as<ELU>())
    return each(program, x, lambda(elu_text(program.number("alpha", layer->alpha))));
  if (const auto* layer = any.as<GELU>()) {
    return each(program, x, lambda(layer->approximate ? approximate_gelu_text() : gelu_text));
  }
  if (const auto* layer = any.as<Softmax>()) {
    return softmax_of(program, x, layer->axis > 0 ? layer->axis - 1 : layer->axis + x.shape.rank());
  }
  return std::nullopt;
}

}  // namespace cornu::detail
