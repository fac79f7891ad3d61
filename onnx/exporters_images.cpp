#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/onnx/exporter.h"

namespace cornu::onnx::detail {

namespace {

using Sizes = std::vector<Index>;

Sizes both(Size2D size) { return {size.height, size.width}; }

/// The geometry of a window, axis by axis.
struct Moves {
  Sizes kernel, strides, dilations;
  Padding padding;

  /// The attribute `pads`: the padding before each axis, then after each axis.
  Sizes pads(const Shape& image) const {
    Sizes before, after;
    for (std::size_t i = 0; i < kernel.size(); ++i) {
      const Index in = image[static_cast<Index>(i)], reach = (kernel[i] - 1) * dilations[i] + 1;
      const Index same = std::max(Index{0}, (in - 1) / strides[i] * strides[i] + reach - in);
      const Index outside = padding == Padding::valid ? 0 : padding == Padding::causal ? reach - 1 : same;
      before.push_back(padding == Padding::causal ? outside : outside / 2);
      after.push_back(outside - before.back());
    }
    before.insert(before.end(), after.begin(), after.end());
    return before;
  }
};

/// kernel: (out, in / groups, window...), as in ONNX.
template <class Layer>
Exported convolution(Exporter& to, const Layer& layer, const Exported& input, const Shape& result, const Tensor& kernel,
                     const Moves& moves, Index groups) {
  const Exported x = to.channels_first(input);
  std::vector<std::string> inputs{x.name, to.weight("kernel", kernel)};
  if (layer.use_bias) inputs.push_back(to.weight("bias", layer.bias.value));
  const std::vector<Given> attributes{{"dilations", moves.dilations},
                                      {"group", groups},
                                      {"kernel_shape", moves.kernel},
                                      {"pads", moves.pads(x.shape)},
                                      {"strides", moves.strides}};
  return to.activated({to.writer.node("Conv", inputs, attributes, to.layer), result, true}, layer.activation);
}

Exported conv1d(Exporter& to, const Conv1D& layer, const Exported& x, const Shape& result) {
  const Moves moves{{layer.kernel_size}, {layer.strides}, {layer.dilation_rate}, layer.padding};
  return convolution(to, layer, x, result, transpose(layer.kernel.value, {2, 1, 0}), moves, layer.groups);
}

Exported conv2d(Exporter& to, const Conv2D& layer, const Exported& x, const Shape& result) {
  const Moves moves{both(layer.kernel_size), both(layer.strides), both(layer.dilation_rate), layer.padding};
  return convolution(to, layer, x, result, transpose(layer.kernel.value, {3, 2, 0, 1}), moves, layer.groups);
}

Exported depthwise(Exporter& to, const DepthwiseConv2D& layer, const Exported& x, const Shape& result) {
  const Moves moves{both(layer.kernel_size), both(layer.strides), both(layer.dilation_rate), layer.padding};
  const Shape s = layer.kernel.shape();
  const Tensor kernel = reshape(transpose(layer.kernel.value, {2, 3, 0, 1}), {s[2] * s[3], 1, s[0], s[1]});
  return convolution(to, layer, x, result, kernel, moves, s[2]);
}

template <class Pooling>
Exported pooling(Exporter& to, const Pooling& layer, const Exported& input, const Shape& result, const char* op) {
  const Exported x = to.channels_first(input);
  const Size2D strides{layer.strides.height == 0 ? layer.pool_size.height : layer.strides.height,
                       layer.strides.width == 0 ? layer.pool_size.width : layer.strides.width};
  const Moves moves{both(layer.pool_size), both(strides), {1, 1}, layer.padding};
  const std::string y = to.writer.node(
      op, {x.name}, {{"kernel_shape", moves.kernel}, {"pads", moves.pads(x.shape)}, {"strides", moves.strides}},
      to.layer);
  return {y, result, true};
}

Exported global_mean(Exporter& to, const GlobalAveragePooling2D& layer, const Exported& x, const Shape& result) {
  const std::string y = to.writer.node("GlobalAveragePool", {to.channels_first(x).name}, {}, to.layer);
  if (layer.keepdims) return {y, result, true};
  return {to.writer.node("Flatten", {y}, {{"axis", Index{1}}}, to.layer), result};
}

}  // namespace

std::optional<Exported> export_image_layer(Exporter& to, const AnyLayer& any, const Exported& x, const Shape& result) {
  if (const auto* layer = any.as<Conv1D>()) return conv1d(to, *layer, x, result);
  if (const auto* layer = any.as<Conv2D>()) return conv2d(to, *layer, x, result);
  if (const auto* layer = any.as<DepthwiseConv2D>()) return depthwise(to, *layer, x, result);
  if (const auto* layer = any.as<MaxPooling2D>()) return pooling(to, *layer, x, result, "MaxPool");
  if (const auto* layer = any.as<AveragePooling2D>()) return pooling(to, *layer, x, result, "AveragePool");
  if (const auto* layer = any.as<GlobalAveragePooling2D>()) return global_mean(to, *layer, x, result);
  return std::nullopt;
}

}  // namespace cornu::onnx::detail
