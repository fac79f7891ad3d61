#include <fmt/format.h>

#include "cornu/models/export_cpp/rows.h"

/// How convolutions and pooling are written.
namespace cornu::detail {

namespace {

/// Both axes of the windows of a convolution, weights and bias.
std::vector<CppArgument> convolution(CppOpWriter& to, Index outputs) {
  const Shape kernel = to.shape(1);
  const std::vector<Index>& dilations = to.op().integers("dilations");
  return {to.operand(0), window_text(to.op(), to.shape(0), to.result_shape(), 0, kernel[0], dilations[0]),
          window_text(to.op(), to.shape(0), to.result_shape(), 1, kernel[1], dilations[1]), to.weights(1, outputs),
          to.operand_count() > 2 ? to.operand(2) : "nullptr"};
}

/// Depthwise: each channel has its own filters.
CppValue each_channel(CppOpWriter& to, Index channels, Index outputs) {
  return to.call("convolve_each", fmt::format("{}, {}", channels, outputs / channels), convolution(to, outputs));
}

CppValue write_conv2d(CppOpWriter& to) {
  const Index in = to.shape(0)[3], out = to.shape(1)[3], groups = to.op().integer("groups");
  const CppValue y = groups == in && groups > 1
                         ? each_channel(to, in, out)
                         : to.call("convolve", fmt::format("{}, {}, {}", in, out, groups), convolution(to, out));
  return to.op().flag("relu") ? to.each(y, y.shape, "v < 0.0f ? 0.0f : v") : y;
}

CppRow pooling(bool maximum) {
  return [maximum](CppOpWriter& to) {
    const std::vector<Index>& size = to.op().integers("size");
    return to.call("pool", fmt::format("{}, {}", to.shape(0)[3], maximum),
                   {to.operand(0), window_text(to.op(), to.shape(0), to.result_shape(), 0, size[0], 1),
                    window_text(to.op(), to.shape(0), to.result_shape(), 1, size[1], 1)});
  };
}

}  // namespace

std::string window_text(const Trace::Op& op, const Shape& x, const Shape& y, std::size_t axis, Index taps,
                        Index dilation) {
  const auto at = static_cast<Index>(axis) + 1;
  return fmt::format("detail::Axis<{}, {}, {}, {}, {}, {}>()", x[at], y[at], taps, op.integers("strides")[axis],
                     dilation, op.integers("pads")[axis]);
}

CppRows cpp_image_rows() {
  return {{"conv2d", write_conv2d},
          {"depthwise_conv2d",
           [](CppOpWriter& to) {
             const Shape kernel = to.shape(1);
             return each_channel(to, kernel[2], kernel[2] * kernel[3]);
           }},
          {"max_pool2d", pooling(true)},
          {"average_pool2d", pooling(false)},
          {"global_average_pool2d", [](CppOpWriter& to) {
             const Shape x = to.shape(0);
             return to.call("global_mean", fmt::format("{}, {}", x[1] * x[2], x[3]), {to.operand(0)});
           }}};
}

}  // namespace cornu::detail
