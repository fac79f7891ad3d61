#include <cmath>
#include <string>

#include "cornu/core/error.h"
#include "cornu/onnx/exporter.h"

namespace cornu::onnx::detail {

namespace {

/// x * factor, where the factor is computed from x.
Exported times(Exporter& to, const Exported& x, const std::string& factor) {
  return {to.writer.node("Mul", {x.name, factor}, {}, to.layer), x.shape, x.channels_first};
}

Exported swished(Exporter& to, const Exported& x) { return times(to, x, to.map(x, "Sigmoid").name); }

/// GELU from simpler ops, as opset 17 has no Gelu: x (1 + erf(x / sqrt 2)) / 2, or with `approximate`
/// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
Exported gelued(Exporter& to, const Exported& x, bool approximate) {
  const auto by = [&](const std::string& value, const char* op, double number) {
    return to.writer.node(op, {value, to.constant(Tensor::scalar(static_cast<Real>(number)))}, {}, to.layer);
  };
  std::string inner;
  if (approximate) {
    const std::string cube = by(by(x.name, "Pow", 3), "Mul", 0.044715);
    const std::string sum = to.writer.node("Add", {x.name, cube}, {}, to.layer);
    inner = to.writer.node("Tanh", {by(sum, "Mul", std::sqrt(2 / std::acos(-1.0)))}, {}, to.layer);
  } else {
    inner = to.writer.node("Erf", {by(x.name, "Mul", std::sqrt(0.5))}, {}, to.layer);
  }
  return times(to, x, by(by(inner, "Add", 1), "Mul", 0.5));
}

}  // namespace

Exported Exporter::activated(const Exported& x, const Activation& activation) {
  if (activation.is(linear)) return x;
  if (activation.is(relu)) return map(x, "Relu");
  if (activation.is(sigmoid)) return map(x, "Sigmoid");
  if (activation.is(tanh)) return map(x, "Tanh");
  if (activation.is(exp)) return map(x, "Exp");
  if (activation.is(leaky_relu)) return map(x, "LeakyRelu", {{"alpha", 0.2}});
  if (activation.is(elu)) return map(x, "Elu", {{"alpha", 1.0}});
  if (activation.is(softplus)) return map(x, "Softplus");
  if (activation.is(swish) || activation.is(silu)) return swished(*this, x);
  if (activation.is(gelu)) return gelued(*this, x, false);
  if (activation.is(softmax)) return map(channels_last(x), "Softmax", {{"axis", Index{-1}}});
  if (activation.is(log_softmax)) return map(channels_last(x), "LogSoftmax", {{"axis", Index{-1}}});
  throw ValueError("its activation has no ONNX counterpart (only functions of core/ops/ops.h can be written)");
}

std::optional<Exported> export_activation(Exporter& to, const AnyLayer& any, const Exported& x) {
  if (const auto* layer = any.as<Activation>()) return to.activated(x, *layer);
  if (any.as<ReLU>() != nullptr) return to.map(x, "Relu");
  if (any.as<Sigmoid>() != nullptr) return to.map(x, "Sigmoid");
  if (any.as<Tanh>() != nullptr) return to.map(x, "Tanh");
  if (const auto* layer = any.as<LeakyReLU>()) return to.map(x, "LeakyRelu", {{"alpha", layer->negative_slope}});
  if (const auto* layer = any.as<ELU>()) return to.map(x, "Elu", {{"alpha", layer->alpha}});
  if (const auto* layer = any.as<GELU>()) return gelued(to, x, layer->approximate);
  if (any.as<Swish>() != nullptr) return swished(to, x);
  if (any.as<Softplus>() != nullptr) return to.map(x, "Softplus");
  if (const auto* layer = any.as<Softmax>()) return to.map(to.channels_last(x), "Softmax", {{"axis", layer->axis}});
  return std::nullopt;
}

}  // namespace cornu::onnx::detail
