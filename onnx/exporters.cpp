#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/text/naming.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/input.h"
#include "cornu/layers/merging/concatenate.h"
#include "cornu/layers/merging/residual.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/onnx/exporter.h"
#include "cornu/onnx/model.h"

// One function per layer. A new layer needs its function and its line in `export_layer`.
namespace cornu::onnx::detail {

Exported Exporter::channels_last(const Exported& x) {
  if (!x.channels_first) return x;
  return transposed({x.name, x.shape},
                    x.shape.rank() == 2 ? std::vector<Index>{0, 2, 1} : std::vector<Index>{0, 2, 3, 1});
}

Exported Exporter::channels_first(const Exported& x) {
  if (x.channels_first) return x;
  return transposed({x.name, x.shape, true},
                    x.shape.rank() == 2 ? std::vector<Index>{0, 2, 1} : std::vector<Index>{0, 3, 1, 2});
}

namespace {

Exported dense(Exporter& to, const Dense& layer, const Exported& input, const Shape& result) {
  const Exported x = to.channels_last(input);
  const std::string kernel = to.weight("kernel", layer.kernel.value);
  const std::string bias = layer.use_bias ? to.weight("bias", layer.bias.value) : "";
  std::string y;
  if (x.shape.rank() > 1) {
    y = to.writer.node("MatMul", {x.name, kernel}, {}, to.layer);
    if (layer.use_bias) y = to.writer.node("Add", {y, bias}, {}, to.layer);
  } else {
    y = layer.use_bias ? to.writer.node("Gemm", {x.name, kernel, bias}, {}, to.layer)
                       : to.writer.node("Gemm", {x.name, kernel}, {}, to.layer);
  }
  return to.activated({y, result}, layer.activation);
}

Exported flattened(Exporter& to, const Exported& x, const Shape& result) {
  return {to.writer.node("Flatten", {to.channels_last(x).name}, {{"axis", Index{1}}}, to.layer), result};
}

Exported reshaped(Exporter& to, const Exported& x, const Shape& result) {
  std::vector<Index> shape{0};  // 0 keeps the batch size
  for (const Index dimension : result.dimensions()) shape.push_back(dimension);
  const std::string target = to.numbers("shape", shape);
  return {to.writer.node("Reshape", {to.channels_last(x).name, target}, {}, to.layer), result};
}

Exported embedding(Exporter& to, const Embedding& layer, const Exported& input, const Shape& result) {
  const Exported x = to.channels_last(input);
  const std::string rows = to.writer.node("Cast", {x.name}, {{"to", static_cast<Index>(ElementType::int64)}}, to.layer);
  const std::string table = to.weight("embeddings", layer.embeddings.value);
  return {to.writer.node("Gather", {table, rows}, {{"axis", Index{0}}}, to.layer), result};
}

/// The output shape, per sample, of a built layer.
Shape result_of(const AnyLayer& layer, const Shape& sample) {
  const Tensor zeros(sample.batched(1));
  Tape tape(Mode::inference);
  return layer.forward(tape.input(zeros)).shape().sub(1);
}

/// Exports a layer under its path, such as "block/dense".
Exported under_its_path(Exporter& to, const AnyLayer& layer, const Exported& x) {
  const std::string outer = to.layer;
  to.layer = outer.empty() ? layer.name() : outer + "/" + layer.name();
  Exported y = cornu::detail::naming(layer.name(), [&] { return export_layer(to, layer, x); });
  to.layer = outer;
  return y;
}

Exported chain(Exporter& to, const cornu::detail::Chain& layers, Exported x) {
  for (const AnyLayer& layer : layers.layers) x = under_its_path(to, layer, x);
  return x;
}

Exported residual(Exporter& to, const Residual& layer, const Exported& x) {
  Exported y = chain(to, layer.chain(), x);
  const bool first = x.channels_first && y.channels_first;
  if (!first) y = to.channels_last(y);
  return {to.writer.node("Add", {first ? x.name : to.channels_last(x).name, y.name}, {}, to.layer), x.shape, first};
}

Exported concatenation(Exporter& to, const Concatenate& layer, const Exported& x, const Shape& result) {
  std::vector<Exported> results;
  for (const cornu::detail::Chain& each : layer.chains()) results.push_back(chain(to, each, x));
  // Images can stay channels-first if they are concatenated along their channels.
  const bool along_last = layer.axis() == -1 || layer.axis() == result.rank();
  const bool first =
      along_last && std::all_of(results.begin(), results.end(), [](const Exported& r) { return r.channels_first; });
  std::vector<std::string> names;
  for (const Exported& each : results) names.push_back(first ? each.name : to.channels_last(each).name);
  const Given axis{"axis", first ? Index{1} : layer.axis()};
  return {to.writer.node("Concat", names, {&axis, 1}, to.layer), result, first};
}

}  // namespace

Exported export_layer(Exporter& to, const AnyLayer& any, const Exported& x) {
  if (any.traits().training_only || any.as<Input>() != nullptr) return x;
  if (const auto* model = any.as<Sequential>()) return export_model(to, *model, x);
  const Shape result = result_of(any, x.shape);
  if (const auto y = export_image_layer(to, any, x, result)) return *y;
  if (const auto y = export_activation(to, any, x)) return *y;
  if (const auto y = export_normalization(to, any, x)) return *y;
  if (const auto y = export_sequence_layer(to, any, x, result)) return *y;
  if (const auto* layer = any.as<Dense>()) return dense(to, *layer, x, result);
  if (any.as<Flatten>() != nullptr) return flattened(to, x, result);
  if (any.as<Reshape>() != nullptr) return reshaped(to, x, result);
  if (const auto* layer = any.as<Embedding>()) return embedding(to, *layer, x, result);
  if (const auto* layer = any.as<Residual>()) return residual(to, *layer, x);
  if (const auto* layer = any.as<Concatenate>()) return concatenation(to, *layer, x, result);
  require<ValueError>(any.as<Model>() == nullptr,
                      "an imported onnx::Model cannot be exported again; save_weights stores its trained weights");
  throw ValueError(message("{} cannot be written to an ONNX file", cornu::detail::with_article(any.type())));
}

Exported export_model(Exporter& to, const Sequential& model, const Exported& input) {
  Exported x = input;
  for (Index i = 0; i < model.layer_count(); ++i) x = under_its_path(to, model.get_layer(i), x);
  return x;
}

}  // namespace cornu::onnx::detail
