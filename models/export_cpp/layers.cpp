#include "cornu/models/export_cpp/layers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/layers/inputs.h"
#include "cornu/layers/merging/concatenate.h"
#include "cornu/layers/merging/residual.h"
#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

std::string array_if(CppProgram& program, bool is_used, const std::string& name, const Parameter& parameter) {
  return is_used ? program.array(name, parameter.value) : "nullptr";
}

std::string weights_and_bias(CppProgram& program, const Parameter& kernel, Index outputs, bool use_bias,
                             const Parameter& bias) {
  const std::string weights = program.weights("kernel", kernel.value, outputs);  // before the bias in the header
  return weights + ", " + array_if(program, use_bias, "bias", bias);
}

CppValue product(CppProgram& program, const CppValue& x, Index outputs, const std::string& arguments,
                 const Shape& result) {
  const CppValue y = program.make(result);
  program.call("dense", fmt::format("{}, {}, {}", x.shape.size() / x.shape[-1], x.shape[-1], outputs), {&x, 1},
               arguments, y);
  return y;
}

namespace {

CppValue dense(CppProgram& program, const Dense& layer, const CppValue& x) {
  const Index outputs = layer.kernel.shape()[1];
  const std::string weights = weights_and_bias(program, layer.kernel, outputs, layer.use_bias, layer.bias);
  const CppValue y = product(program, x, outputs, weights, x.shape.with(x.shape.rank() - 1, outputs));
  return activated(program, y, layer.activation);
}

std::string axis_text(const detail::WindowAxis& axis) {
  return fmt::format("detail::Axis<{}, {}, {}, {}, {}, {}>()", axis.in, axis.out, axis.taps, axis.stride, axis.dilation,
                     axis.before);
}

/// Any convolution of an image; a sequence is an image of one row.
template <class Layer>
CppValue convolution(CppProgram& program, const Layer& layer, const CppValue& x, const detail::Window& window,
                     Index outputs, Index groups, const Shape& result) {
  const std::string weights = weights_and_bias(program, layer.kernel, outputs, layer.use_bias, layer.bias);
  const CppValue y = program.make(result);
  const Index channels = x.shape[-1];
  const std::string arguments = fmt::format("{}, {}, {}", axis_text(window.y), axis_text(window.x), weights);
  if (groups == channels && groups > 1) {
    program.call("convolve_each", fmt::format("{}, {}", channels, outputs / channels), {&x, 1}, arguments, y);
  } else {
    program.call("convolve", fmt::format("{}, {}, {}", channels, outputs, groups), {&x, 1}, arguments, y);
  }
  return activated(program, y, layer.activation);
}

CppValue conv1d(CppProgram& program, const Conv1D& layer, const CppValue& x) {
  const detail::Window window("export_cpp", x.shape.batched(1).batched(1), {1, layer.kernel_size}, {1, layer.strides},
                              {1, layer.dilation_rate}, layer.padding);
  const Index filters = layer.kernel.shape()[2];
  return convolution(program, layer, x, window, filters, layer.groups, {window.x.out, filters});
}

CppValue conv2d(CppProgram& program, const Conv2D& layer, const CppValue& x) {
  const detail::Window window("export_cpp", x.shape.batched(1), layer.kernel_size, layer.strides, layer.dilation_rate,
                              layer.padding);
  const Index filters = layer.kernel.shape()[3];
  return convolution(program, layer, x, window, filters, layer.groups, window.result(filters).sub(1));
}

/// A convolution with as many groups as channels: kernels are (height, width, channels, filters per channel).
CppValue depthwise_conv2d(CppProgram& program, const DepthwiseConv2D& layer, const CppValue& x) {
  const detail::Window window("export_cpp", x.shape.batched(1), layer.kernel_size, layer.strides, layer.dilation_rate,
                              layer.padding);
  const Index channels = x.shape[2], filters = channels * layer.kernel.shape()[3];
  return convolution(program, layer, x, window, filters, channels, window.result(filters).sub(1));
}

template <class Pooling>
CppValue pooling(CppProgram& program, const Pooling& layer, const CppValue& x, bool maximum) {
  const detail::Window window("export_cpp", x.shape.batched(1), layer.pool_size, {layer.strides, layer.padding});
  const CppValue y = program.make(window.result(x.shape[2]).sub(1));
  program.call("pool", fmt::format("{}, {}", x.shape[2], maximum), {&x, 1},
               fmt::format("{}, {}", axis_text(window.y), axis_text(window.x)), y);
  return y;
}

CppValue global_mean(CppProgram& program, const GlobalAveragePooling2D& layer, const CppValue& x) {
  const Index channels = x.shape[2];
  const CppValue y = program.make(layer.keepdims ? Shape{1, 1, channels} : Shape{channels});
  program.call("global_mean", fmt::format("{}, {}", x.shape.size() / channels, channels), {&x, 1}, "", y);
  return y;
}

// ---- Layers of layers ----

CppValue residual(CppProgram& program, const Residual& layer, const CppValue& x) {
  const CppValue operands[] = {write_chain(program, layer.chain(), x), x}, y = program.make(x.shape);
  program.call("add", fmt::format("{}", x.shape.size()), operands, "", y);
  return y;
}

CppValue concatenation(CppProgram& program, const Concatenate& layer, const CppValue& x) {
  std::vector<CppValue> parts;
  for (const Chain& chain : layer.chains()) parts.push_back(write_chain(program, chain, x));
  const Shape& first = parts.front().shape;
  const Index axis = layer.axis() < 0 ? layer.axis() + first.rank() : layer.axis() - 1;
  Index together = 0;
  for (const CppValue& part : parts) together += part.shape[axis];
  const CppValue y = program.make(first.with(axis, together));
  const Index stride = y.shape.sub(axis).size();
  CppValue at = y;
  for (const CppValue& part : parts) {
    const Index width = part.shape.sub(axis).size();
    program.call("put", fmt::format("{}, {}, {}", part.shape.size() / width, width, stride), {&part, 1}, "", at);
    at.offset += width;
  }
  return y;
}

/// True if the layer does nothing in inference.
bool does_nothing(const AnyLayer& any) {
  return any.traits().training_only || any.as<Input>() != nullptr || any.as<Inputs>() != nullptr;
}

CppValue reshaped(const CppValue& x, Reshape layer) {
  Rng unused(0);
  return {x.number, layer.build(x.shape, unused)};
}

/// Writes the layer and returns its output.
CppValue write_layer(CppProgram& program, const AnyLayer& any, const CppValue& x) {
  if (does_nothing(any)) return x;
  if (any.as<Flatten>() != nullptr) return {x.number, {x.shape.size()}};
  if (const auto* layer = any.as<Reshape>()) return reshaped(x, *layer);
  if (const auto* layer = any.as<Dense>()) return dense(program, *layer, x);
  if (const auto* layer = any.as<Conv1D>()) return conv1d(program, *layer, x);
  if (const auto* layer = any.as<Conv2D>()) return conv2d(program, *layer, x);
  if (const auto* layer = any.as<DepthwiseConv2D>()) return depthwise_conv2d(program, *layer, x);
  if (const auto* layer = any.as<MaxPooling2D>()) return pooling(program, *layer, x, true);
  if (const auto* layer = any.as<AveragePooling2D>()) return pooling(program, *layer, x, false);
  if (const auto* layer = any.as<GlobalAveragePooling2D>()) return global_mean(program, *layer, x);
  if (const auto* layer = any.as<Residual>()) return residual(program, *layer, x);
  if (const auto* layer = any.as<Concatenate>()) return concatenation(program, *layer, x);
  if (const auto* model = any.as<Sequential>()) return write_chain(program, SequentialState::of(*model), x);
  if (const auto y = write_activation(program, any, x)) return *y;
  if (const auto y = write_normalization(program, any, x)) return *y;
  if (const auto y = write_sequence_layer(program, any, x)) return *y;
  throw ValueError(message("export_cpp: {} is {}, which cannot be exported; only Cornu's own layers can",
                           program.path(), cornu::detail::with_article(any.type())));
}

}  // namespace

CppValue write_chain(CppProgram& program, const Chain& chain, CppValue x) {
  // Only users' layers take several inputs, and those are rejected.
  if (!chain.input_parts.empty()) x.shape = chain.input_parts.front();
  for (std::size_t i = 0; i < chain.layers.size(); ++i) {
    const AnyLayer& layer = chain.layers[i];
    const bool is_last = i + 1 == chain.layers.size();
    const std::optional<AnyLayer> both = is_last ? std::nullopt : folded(layer, chain.layers[i + 1], x.shape.rank());
    program.enter(layer.name());
    x = write_layer(program, both ? *both : layer, x);
    if (layer.layers().empty()) {
      program.describe(std::string(layer.type()) + (both ? ", BatchNormalization" : ""), x.shape);
    }
    program.leave();
    if (both) ++i;
  }
  return x;
}

}  // namespace cornu::detail
