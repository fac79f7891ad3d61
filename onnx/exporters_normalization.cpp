#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/normalization/normalization.h"
#include "cornu/onnx/exporter.h"

namespace cornu::onnx::detail {

namespace {

/// The parameter, or a tensor filled with `otherwise` if the layer has none.
Tensor or_else(bool has, const Parameter& parameter, const Shape& shape, Real otherwise) {
  return has ? parameter.value : Tensor::full(shape, otherwise);
}

Exported batch_normalized(Exporter& to, const BatchNormalization& layer, const Exported& input) {
  const Index rank = input.shape.rank() + 1, at = layer.axis < 0 ? layer.axis + rank : layer.axis;
  // ONNX normalizes axis 1: transpose if the features are last, and keep the order if they are at axis 1 already.
  const bool last = at == rank - 1;
  require<ValueError>(at == 1 || (last && rank <= 4), "features at axis {} of {} cannot be written", at, rank);
  const Exported x = last && rank > 2 ? to.channels_first(input) : to.channels_last(input);
  const Shape features = layer.moving_mean.shape();
  const std::string y = to.writer.node(
      "BatchNormalization",
      {x.name, to.weight("gamma", or_else(layer.scale, layer.gamma, features, 1)),
       to.weight("beta", or_else(layer.center, layer.beta, features, 0)),
       to.weight("moving_mean", layer.moving_mean.value), to.weight("moving_variance", layer.moving_variance.value)},
      {{"epsilon", layer.epsilon}}, to.layer);
  return {y, x.shape, x.channels_first};
}

Exported layer_normalized(Exporter& to, const LayerNormalization& layer, const Exported& input) {
  const Exported x = to.channels_last(input);
  const auto axes = static_cast<Index>(layer.axis.size());
  const Shape lengths = x.shape.sub(x.shape.rank() - axes);
  return {to.writer.node("LayerNormalization",
                         {x.name, to.weight("gamma", or_else(layer.scale, layer.gamma, lengths, 1)),
                          to.weight("beta", or_else(layer.center, layer.beta, lengths, 0))},
                         {{"axis", -axes}, {"epsilon", layer.epsilon}}, to.layer),
          x.shape};
}

/// Mean and variance are Constant nodes: as initializers they would be trainable after an import.
Exported normalized(Exporter& to, const Normalization& layer, const Exported& input) {
  const Exported x = to.channels_last(input);
  Shape kept = x.shape;
  for (Index at = 0; at < kept.rank(); ++at) {
    const bool has_means = std::any_of(layer.axis.begin(), layer.axis.end(),
                                       [&](Index a) { return a == at + 1 || a == at - kept.rank(); });
    if (!has_means) kept = kept.with(at, 1);
  }
  Tensor width = reshape(layer.variance.value, kept);
  for (Real& each : width) each = std::max(std::sqrt(each), Real(1e-7));
  const std::string mean = to.constant(reshape(layer.mean.value, kept)), by = to.constant(width);
  const auto step = [&](const char* op, const std::string& a, const std::string& b) {
    return to.writer.node(op, {a, b}, {}, to.layer);
  };
  return {layer.invert ? step("Add", step("Mul", x.name, by), mean) : step("Div", step("Sub", x.name, mean), by),
          x.shape};
}

}  // namespace

std::optional<Exported> export_normalization(Exporter& to, const AnyLayer& any, const Exported& x) {
  if (const auto* layer = any.as<BatchNormalization>()) return batch_normalized(to, *layer, x);
  if (const auto* layer = any.as<LayerNormalization>()) return layer_normalized(to, *layer, x);
  if (const auto* layer = any.as<Normalization>()) return normalized(to, *layer, x);
  return std::nullopt;
}

}  // namespace cornu::onnx::detail
