#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/onnx/rows.h"

/// How convolutions and pooling are written. They take their images with the channels first.
namespace cornu::onnx::detail {

namespace {

using Sizes = std::vector<Index>;

/// The windows of an op on images, for some axes: {0, 1}, or {1} where an image of one row is a sequence.
struct OpWindows {
  const Trace::Op& op;
  Sizes axes;

  Sizes sizes(const char* name) const { return chosen(name, 0); }
  Sizes pads() const {
    Sizes result = chosen("pads", 0);
    for (const Index after : chosen("pads", 2)) result.push_back(after);
    return result;
  }

 private:
  Sizes chosen(const char* name, Index from) const {
    Sizes result;
    for (const Index axis : axes) result.push_back(op.integers(name)[static_cast<std::size_t>(from + axis)]);
    return result;
  }
};

/// The windows of an op on sequences, which is composed of one on images of one row.
OpWindows windows_of_row(const Trace::Op& op) {
  return {*std::find_if(op.body.begin(), op.body.end(), [](const Trace::Op& part) { return part.has("pads"); }), {1}};
}

/// A Conv. kernel: (window..., in / groups, out).
Written convolution(OpWriter& to, const OpWindows& windows, const Tensor& kernel, Index groups, bool relu) {
  const auto window = static_cast<Index>(windows.axes.size());
  Sizes order{window + 1, window}, sizes;  // out, in, window...
  for (Index i = 0; i < window; ++i) {
    order.push_back(i);
    sizes.push_back(kernel.shape()[i]);
  }
  std::vector<std::string> inputs{to.channels_first(0), to.weight(1, transpose(kernel, order))};
  if (to.operand_count() > 2) inputs.push_back(to.weight(2, Tensor(to.value(2).data)));
  const std::vector<Given> given{{"dilations", windows.sizes("dilations")},
                                 {"group", groups},
                                 {"kernel_shape", sizes},
                                 {"pads", windows.pads()},
                                 {"strides", windows.sizes("strides")}};
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
  return convolution(to, {to.op(), {0, 1}}, Tensor(to.value(1).data), to.op().integer("groups"), to.op().flag("relu"));
}

Written write_conv1d(OpWriter& to) {
  require_known_weights(to);
  const OpWindows windows = windows_of_row(to.op());
  return convolution(to, windows, Tensor(to.value(1).data), windows.op.integer("groups"), windows.op.flag("relu"));
}

/// As many groups as channels. kernel: (rows, columns, channels, filters of each).
Written write_depthwise(OpWriter& to) {
  require_known_weights(to);
  const Shape s = to.value(1).data.shape();
  const Tensor kernel = reshape(Tensor(to.value(1).data), {s[0], s[1], 1, s[2] * s[3]});
  return convolution(to, {to.op(), {0, 1}}, kernel, s[2], false);
}

OpRow pooling(const char* type) {
  return [type](OpWriter& to) {
    const OpWindows windows = to.op().body.empty() ? OpWindows{to.op(), {0, 1}} : windows_of_row(to.op());
    return Written{
        to.node(
            type, {to.channels_first(0)},
            {{"kernel_shape", windows.sizes("size")}, {"pads", windows.pads()}, {"strides", windows.sizes("strides")}}),
        true};
  };
}

OpRow global_pooling(const char* type) {
  return [type](OpWriter& to) -> Written {
    const std::string y = to.node(type, {to.channels_first(0)});
    if (to.result().shape.size() > 2) return {y, true};
    return to.node("Flatten", {y}, {{"axis", Index{1}}});
  };
}

}  // namespace

OpRows image_rows() {
  return {{"conv2d", write_conv2d},
          {"conv1d", write_conv1d},
          {"depthwise_conv2d", write_depthwise},
          {"max_pool2d", pooling("MaxPool")},
          {"max_pool1d", pooling("MaxPool")},
          {"average_pool2d", pooling("AveragePool")},
          {"average_pool1d", pooling("AveragePool")},
          {"global_max_pool2d", global_pooling("GlobalMaxPool")},
          {"global_max_pool1d", global_pooling("GlobalMaxPool")},
          {"global_average_pool2d", global_pooling("GlobalAveragePool")},
          {"global_average_pool1d", global_pooling("GlobalAveragePool")}};
}

}  // namespace cornu::onnx::detail
