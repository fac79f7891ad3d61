#pragma once

#include <optional>
#include <string>
#include <utility>

#include "cornu/core/shape.h"
#include "cornu/layers/activation.h"
#include "cornu/models/sequential.h"
#include "cornu/onnx/writer.h"

namespace cornu::onnx::detail {

/// What a layer makes, as the graph has it.
struct Exported {
  std::string name;
  Shape shape;                  // of a sample, as Cornu has it
  bool channels_first = false;  // images as the ops that move windows have left them
};

/// A model while it becomes a graph: what exporters of layers write with.
struct Exporter {
  Writer writer;
  std::string layer;  // the name of the one at hand

  /// Numbers under the layer's name for them: "dense/kernel".
  std::string weight(const char* name, const Tensor& value) { return writer.initializer(layer + "/" + name, value); }
  std::string numbers(const char* name, std::span<const Index> value) {
    return writer.initializer(layer + "/" + name, value);
  }
  /// Numbers that no training changes.
  std::string constant(const Tensor& value) { return writer.node("Constant", {}, {{"value", &value}}, layer); }
  /// y = op(x), number by number or along axes that do not move.
  Exported map(const Exported& x, std::string_view op, std::initializer_list<Given> attributes = {}) {
    return {writer.node(op, {x.name}, attributes, layer), x.shape, x.channels_first};
  }
  /// x with its axes in another order, as ONNX counts them.
  Exported transposed(Exported x, std::vector<Index> axes) {
    x.name = writer.node("Transpose", {x.name}, {{"perm", std::move(axes)}});
    return x;
  }
  /// x with its images as (height, width, channels), and as (channels, height, width); sequences likewise.
  Exported channels_last(const Exported& x);
  Exported channels_first(const Exported& x);
  Exported activated(const Exported& x, const Activation& activation);
};

/// The layers in the graph. Throws ValueError, naming it, for one that has no counterpart there.
Exported export_model(Exporter& to, const Sequential& model, const Exported& x);
Exported export_layer(Exporter& to, const AnyLayer& layer, const Exported& x);

/// The same for layers of one subject; nothing if the layer is of another. `result` is what it makes of a sample.
std::optional<Exported> export_activation(Exporter& to, const AnyLayer& layer, const Exported& x);
std::optional<Exported> export_normalization(Exporter& to, const AnyLayer& layer, const Exported& x);
std::optional<Exported> export_image_layer(Exporter& to, const AnyLayer& layer, const Exported& x, const Shape& result);
std::optional<Exported> export_sequence_layer(Exporter& to, const AnyLayer& layer, const Exported& x,
                                              const Shape& result);

}  // namespace cornu::onnx::detail
