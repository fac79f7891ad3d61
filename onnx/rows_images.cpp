#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/onnx/rows.h"

/// How convolutions and pooling are written. They take their images with the channels first.
namespace cornu::onnx::detail {

namespace {

using Sizes = std::vector<Index>;

/// A Conv. kernel: (window..., in / groups, out). `attributes`: of the op, for these axes of the window.
Written convolution(OpWriter& to, const Trace::Op& attributes, const Tensor& kernel, Index groups, Sizes axes,
                    bool relu) {
  const auto chosen = [&](const char* name) {
    Sizes result;
    for (const Index axis : axes) result.push_back(attributes.integers(name)[static_cast<std::size_t>(axis)]);
    return result;
  };
  Sizes pads = chosen("pads");
  for (const Index axis : axes) pads.push_back(attributes.integers("pads")[static_cast<std::size_t>(axis) + 2]);
  const auto window = static_cast<Index>(axes.size());
  Sizes order{window + 1, window}, sizes;  // out, in, window...
  for (Index i = 0; i < window; ++i) {
    order.push_back(i);
    sizes.push_back(kernel.shape()[i]);
  }
  std::vector<std::string> inputs{to.channels_first(0), to.weight(1, transpose(kernel, order))};
  if (to.operand_count() > 2) inputs.push_back(to.weight(2, Tensor(to.value(2).data)));
  const std::vector<Given> given{{"dilations", chosen("dilations")},
                                 {"group", groups},
                                 {"kernel_shape", sizes},
                                 {"pads", pads},
                                 {"strides", chosen("strides")}};
  const std::string y = to.node("Conv", inputs, given);
  return {relu ? to.node("Relu", {y}) : y, true};
}

void require_known_weights(const OpWriter& to) {
  for (std::size_t i = 1; i < to.operand_count(); ++i) {
    require<ValueError>(to.value(i).is_known(), "{}: a kernel or bias that is computed cannot be written",
                        to.op().name);
  }
}

Written write_conv2d(OpWriter& to) {
  require_known_weights(to);
  return convolution(to, to.op(), Tensor(to.value(1).data), to.op().integer("groups"), {0, 1}, to.op().flag("relu"));
}

/// A convolution of an image of one row, whose axis of rows is left out.
Written write_conv1d(OpWriter& to) {
  require_known_weights(to);
  const auto& body = to.op().body;
  const auto image = std::find_if(body.begin(), body.end(), [](const Trace::Op& op) { return op.name == "conv2d"; });
  return convolution(to, *image, Tensor(to.value(1).data), image->integer("groups"), {1}, image->flag("relu"));
}

/// As many groups as channels. kernel: (rows, columns, channels, filters of each).
Written write_depthwise(OpWriter& to) {
  require_known_weights(to);
  const Shape s = to.value(1).data.shape();
  const Tensor kernel = reshape(Tensor(to.value(1).data), {s[0], s[1], 1, s[2] * s[3]});
  return convolution(to, to.op(), kernel, s[2], {0, 1}, false);
}

OpRow pooling(const char* type) {
  return [type](OpWriter& to) {
    const Trace::Op& op = to.op();
    return Written{to.node(type, {to.channels_first(0)},
                           {{"kernel_shape", op.integers("size")},
                            {"pads", op.integers("pads")},
                            {"strides", op.integers("strides")}}),
                   true};
  };
}

Written write_global_mean(OpWriter& to) {
  const std::string y = to.node("GlobalAveragePool", {to.channels_first(0)});
  if (to.result().shape.size() > 2) return {y, true};
  return to.node("Flatten", {y}, {{"axis", Index{1}}});
}

}  // namespace

OpRows image_rows() {
  return {{"conv2d", write_conv2d},
          {"conv1d", write_conv1d},
          {"depthwise_conv2d", write_depthwise},
          {"max_pool2d", pooling("MaxPool")},
          {"average_pool2d", pooling("AveragePool")},
          {"global_average_pool2d", write_global_mean}};
}

}  // namespace cornu::onnx::detail
