#pragma once

#include <array>

#include "cornu/core/autodiff/operand.h"
#include "cornu/core/image_options.h"

namespace cornu::detail {

/// The windows of a transposed convolution as attributes of an op, in ONNX's form. pads: before each axis, then after
/// each axis. An axis of n positions becomes (n - 1) stride + (taps - 1) dilation + 1 + output_padding - pads long.
struct TransposedWindows {
  std::array<Index, 2> strides{1, 1}, dilations{1, 1}, output_padding{};
  std::array<Index, 4> pads{};
  Index groups = 1;

  TransposedWindows() = default;
  /// Keras's padding. taps: rows and columns of the kernel.
  TransposedWindows(const Conv2DTransposeOptions& options, Size2D taps);
};

/// conv2d_transpose with these windows; no bias if it is empty. Throws as that does, and ValueError for negative pads.
Var conv2d_transpose(Var x, Var kernel, Var bias, const TransposedWindows& windows);

}  // namespace cornu::detail
