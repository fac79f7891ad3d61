#include <algorithm>

#include "cornu/core/eager.h"
#include "cornu/core/error.h"
#include "cornu/layers/average_pooling2d.h"
#include "cornu/layers/conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/dropout.h"
#include "cornu/layers/flatten.h"
#include "cornu/layers/global_average_pooling2d.h"
#include "cornu/layers/input.h"
#include "cornu/layers/max_pooling2d.h"
#include "cornu/layers/reshape.h"
#include "cornu/onnx/exporter.h"

// One function a layer. A new one needs its function, and its line in `export_layer`.
namespace cornu::onnx::detail {

Exported Exporter::channels_last(const Exported& x) {
  if (!x.channels_first) return x;
  return {writer.node("Transpose", {x.name}, {{"perm", std::vector<Index>{0, 2, 3, 1}}}), x.shape, false};
}

Exported Exporter::channels_first(const Exported& x) {
  if (x.channels_first) return x;
  return {writer.node("Transpose", {x.name}, {{"perm", std::vector<Index>{0, 3, 1, 2}}}), x.shape, true};
}

Exported Exporter::activated(const Exported& x, const Activation& activation) {
  const auto is = [&](Var (*f)(Var)) { return activation.function() == f; };
  if (is(linear)) return x;
  if (is(relu)) return map(x, "Relu");
  if (is(sigmoid)) return map(x, "Sigmoid");
  if (is(tanh)) return map(x, "Tanh");
  if (is(exp)) return map(x, "Exp");
  if (is(softmax)) return map(channels_last(x), "Softmax", {{"axis", Index{-1}}});
  if (is(log_softmax)) return map(channels_last(x), "LogSoftmax", {{"axis", Index{-1}}});
  throw ValueError(
      "its activation is no function that ONNX has; linear, relu, sigmoid, tanh, exp, softmax and "
      "log_softmax are");
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

/// The attribute pads: what lies outside of the image at the top, on the left, at the bottom, on the right.
std::vector<Index> pads(const Shape& image, Size2D size, Size2D strides, Size2D dilation, Padding padding) {
  if (padding == Padding::valid) return {0, 0, 0, 0};
  require<ValueError>(padding == Padding::same, "its padding is neither valid nor same");
  const auto outside = [](Index in, Index taps, Index stride, Index gap) {
    return std::max(Index{0}, (in - 1) / stride * stride + (taps - 1) * gap + 1 - in);
  };
  const Index y = outside(image[0], size.height, strides.height, dilation.height),
              x = outside(image[1], size.width, strides.width, dilation.width);
  return {y / 2, x / 2, y - y / 2, x - x / 2};
}

std::vector<Index> both(Size2D size) { return {size.height, size.width}; }

Exported convolution(Exporter& to, const Conv2D& layer, const Exported& input, const Shape& result) {
  const Exported x = to.channels_first(input);
  const std::string kernel = to.weight("kernel", transpose(layer.kernel.value, {3, 2, 0, 1}));
  const std::string bias = layer.use_bias ? to.weight("bias", layer.bias.value) : "";
  const std::vector<std::string> inputs =
      layer.use_bias ? std::vector{x.name, kernel, bias} : std::vector{x.name, kernel};
  const std::vector<Given> attributes{
      {"dilations", both(layer.dilation_rate)},
      {"group", layer.groups},
      {"kernel_shape", both(layer.kernel_size)},
      {"pads", pads(x.shape, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding)},
      {"strides", both(layer.strides)}};
  return to.activated({to.writer.node("Conv", inputs, attributes, to.layer), result, true}, layer.activation);
}

template <class Pooling>
Exported pooling(Exporter& to, const Pooling& layer, const Exported& input, const Shape& result, const char* op) {
  const Exported x = to.channels_first(input);
  const Size2D strides{layer.strides.height == 0 ? layer.pool_size.height : layer.strides.height,
                       layer.strides.width == 0 ? layer.pool_size.width : layer.strides.width};
  const std::string y = to.writer.node(op, {x.name},
                                       {{"kernel_shape", both(layer.pool_size)},
                                        {"pads", pads(x.shape, layer.pool_size, strides, 1, layer.padding)},
                                        {"strides", both(strides)}},
                                       to.layer);
  return {y, result, true};
}

Exported global_mean(Exporter& to, const GlobalAveragePooling2D& layer, const Exported& x, const Shape& result) {
  const std::string y = to.writer.node("GlobalAveragePool", {to.channels_first(x).name}, {}, to.layer);
  if (layer.keepdims) return {y, result, true};
  return {to.writer.node("Flatten", {y}, {{"axis", Index{1}}}, to.layer), result};
}

Exported flattened(Exporter& to, const Exported& x, const Shape& result) {
  return {to.writer.node("Flatten", {to.channels_last(x).name}, {{"axis", Index{1}}}, to.layer), result};
}

Exported reshaped(Exporter& to, const Exported& x, const Shape& result) {
  std::vector<Index> shape{0};  // the batch as it is
  for (const Index dimension : result.dimensions()) shape.push_back(dimension);
  const std::string target = to.numbers("shape", shape);
  return {to.writer.node("Reshape", {to.channels_last(x).name, target}, {}, to.layer), result};
}

Exported export_layer(Exporter& to, const AnyLayer& any, const Exported& x, const Shape& result) {
  if (const auto* layer = any.as<Dense>()) return dense(to, *layer, x, result);
  if (const auto* layer = any.as<Conv2D>()) return convolution(to, *layer, x, result);
  if (const auto* layer = any.as<MaxPooling2D>()) return pooling(to, *layer, x, result, "MaxPool");
  if (const auto* layer = any.as<AveragePooling2D>()) return pooling(to, *layer, x, result, "AveragePool");
  if (const auto* layer = any.as<GlobalAveragePooling2D>()) return global_mean(to, *layer, x, result);
  if (any.as<Flatten>() != nullptr) return flattened(to, x, result);
  if (any.as<Reshape>() != nullptr) return reshaped(to, x, result);
  if (any.as<Dropout>() != nullptr || any.as<Input>() != nullptr) return x;
  if (const auto* layer = any.as<Activation>()) return to.activated(x, *layer);
  if (any.as<ReLU>() != nullptr) return to.map(x, "Relu");
  if (any.as<Sigmoid>() != nullptr) return to.map(x, "Sigmoid");
  if (any.as<Tanh>() != nullptr) return to.map(x, "Tanh");
  if (const auto* layer = any.as<Softmax>()) return to.map(to.channels_last(x), "Softmax", {{"axis", layer->axis}});
  if (const auto* model = any.as<Sequential>()) return export_model(to, *model, x);
  throw ValueError(message("a {} cannot be written to an ONNX file", any.type()));
}

}  // namespace

Exported export_model(Exporter& to, const Sequential& model, Exported x) {
  const std::string outer = to.layer;
  for (Index i = 0; i < model.layer_count(); ++i) {
    const AnyLayer& layer = model.get_layer(i);
    to.layer = outer.empty() ? layer.name() : outer + "/" + layer.name();
    try {
      x = export_layer(to, layer, x, model.output_shape(i));
    } catch (Error& error) {
      error.add_context(layer.name());
      throw;
    }
  }
  to.layer = outer;
  return x;
}

}  // namespace cornu::onnx::detail
