#pragma once

#include <optional>
#include <string>
#include <utility>

#include "cornu/core/shape.h"
#include "cornu/layers/activation.h"
#include "cornu/models/sequential.h"
#include "cornu/onnx/writer.h"

namespace cornu::onnx::detail {

/// The output of a layer as a value of the graph.
struct Exported {
  std::string name;
  Shape shape;                  // of one sample, in Cornu's layout
  bool channels_first = false;  // the layout in the graph, as convolutions and poolings leave it
};

/// State of an export, and the functions with which layers write their nodes.
struct Exporter {
  Writer writer;
  std::string layer;  // the name of the current layer

  /// Adds an initializer named after layer and weight: "dense/kernel".
  std::string weight(const char* name, const Tensor& value) { return writer.initializer(layer + "/" + name, value); }
  std::string numbers(const char* name, std::span<const Index> value) {
    return writer.initializer(layer + "/" + name, value);
  }
  /// A constant that is not a weight.
  std::string constant(const Tensor& value) { return writer.node("Constant", {}, {{"value", &value}}, layer); }
  /// y = op(x) for an op that is elementwise or works on axes that every layout has in the same place.
  Exported map(const Exported& x, std::string_view op, std::initializer_list<Given> attributes = {}) {
    return {writer.node(op, {x.name}, attributes, layer), x.shape, x.channels_first};
  }
  /// x with permuted axes, in ONNX's numbering.
  Exported transposed(Exported x, std::vector<Index> axes) {
    x.name = writer.node("Transpose", {x.name}, {{"perm", std::move(axes)}});
    return x;
  }
  /// x with its images as (height, width, channels), and as (channels, height, width); sequences likewise.
  Exported channels_last(const Exported& x);
  Exported channels_first(const Exported& x);
  Exported activated(const Exported& x, const Activation& activation);
};

/// Writes the layers as nodes. Throws ValueError, naming the layer, if it has no counterpart in ONNX.
Exported export_model(Exporter& to, const Sequential& model, const Exported& x);
Exported export_layer(Exporter& to, const AnyLayer& layer, const Exported& x);

/// The same for one group of layers; empty for a layer of another group. `result` is the layer's output shape, per
/// sample.
std::optional<Exported> export_activation(Exporter& to, const AnyLayer& layer, const Exported& x);
std::optional<Exported> export_normalization(Exporter& to, const AnyLayer& layer, const Exported& x);
std::optional<Exported> export_image_layer(Exporter& to, const AnyLayer& layer, const Exported& x, const Shape& result);
std::optional<Exported> export_sequence_layer(Exporter& to, const AnyLayer& layer, const Exported& x,
                                              const Shape& result);

}  // namespace cornu::onnx::detail
