#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/core/ops/transposed_windows.h"
#include "cornu/onnx/ops/windows.h"

namespace cornu::onnx::detail {

namespace {

/// The weight of a convolution, (out, in, rows, columns) or (out, in, length) in the file, as (rows, columns, in, out).
/// A transposed one has its inputs first, and so becomes (rows, columns, out, in).
Var kernel_of(const Call& call, Index rank) {
  const Value& weight = call.value(1);
  require<FormatError>(weight.is_real(), "its weights are not floats");
  Var kernel = weight.var;
  if (weight.layout == Layout::kernel) return kernel;
  require<FormatError>(kernel.rank() == rank, "a kernel of shape {} for images of {} axes", kernel.shape(), rank);
  if (rank == 3) {
    const Shape s = kernel.shape();
    kernel = cornu::reshape(kernel, {s[0], s[1], 1, s[2]});
  }
  return cornu::transpose(kernel, {2, 3, 1, 0});
}

/// Throws FormatError if kernel_shape is given and is not the kernel's. sides: rows and columns, or one row.
std::span<const Index> checked_sides(const Call& call, const std::array<Index, 2>& sides, Index rank) {
  const auto size = std::span(sides).subspan(static_cast<std::size_t>(4 - rank));
  if (!call.has("kernel_shape")) return size;
  const std::span<const Index> declared = call.integers("kernel_shape");
  if (!std::equal(declared.begin(), declared.end(), size.begin(), size.end())) {
    throw FormatError(message("kernel_shape is {}, the weight's is {}", to_string(declared), to_string(size)));
  }
  return size;
}

void convolution(Call& call) {
  const Var x = call.channels_last(0);
  const Var kernel = kernel_of(call, x.rank());
  const std::array<Index, 2> sides{kernel.shape()[0], kernel.shape()[1]};
  const Windows w = windows_of(call, x.shape(), checked_sides(call, sides, x.rank()));
  Conv2DOptions options{.strides = {w[0].stride, w[1].stride},
                        .dilation_rate = {w[0].dilation, w[1].dilation},
                        .groups = call.integer("group", 1)};
  const Var y = with_padding(image_of(x), w, 0, [&](Var image, Padding padding) {
    options.padding = padding;
    return call.has(2) ? conv2d(image, kernel, call[2], options) : conv2d(image, kernel, options);
  });
  call.result(0, like(y, x), Layout::channels_last);
}

/// The numbers of an attribute, one for each spatial axis, from `neutral` (0 or 1) to 2^30; neutral where not given.
std::array<Index, 2> of_axes(const Call& call, const char* name, Index axes, Index neutral) {
  std::array<Index, 2> result{neutral, neutral};
  if (!call.has(name)) return result;
  const std::span<const Index> numbers = call.integers(name);
  require<FormatError>(std::ssize(numbers) == axes, "'{}' has {} numbers, expected {}", name, numbers.size(), axes);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    require<FormatError>(neutral <= numbers[i] && numbers[i] <= Index{1} << 30, "a number of '{}' is {}", name,
                         numbers[i]);
    result[i + 2 - numbers.size()] = numbers[i];
  }
  return result;
}

/// The windows of a transposed convolution over (batch, rows, columns, channels). The size of the result is given by
/// the pads, or by output_shape or auto_pad, which determine the pads.
cornu::detail::TransposedWindows transposed_windows(const Call& call, const Shape& image, const Shape& kernel,
                                                    Index axes) {
  cornu::detail::TransposedWindows w;
  w.groups = call.integer("group", 1);
  w.strides = of_axes(call, "strides", axes, 1);
  w.dilations = of_axes(call, "dilations", axes, 1);
  w.output_padding = of_axes(call, "output_padding", axes, 0);
  const std::string_view automatic = call.text("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  require<FormatError>(same || automatic == "NOTSET" || automatic == "VALID",
                       "auto_pad is '{}'; SAME_UPPER, SAME_LOWER, VALID and NOTSET are known", automatic);
  if (!same && !call.has("output_shape")) {
    if (!call.has("pads") || automatic == "VALID") return w;
    const std::span<const Index> pads = call.integers("pads");
    require<FormatError>(std::ssize(pads) == 2 * axes, "'pads' has {} numbers, expected {}", pads.size(), 2 * axes);
    for (std::size_t i = 0; i < pads.size() / 2; ++i) {
      const std::size_t axis = i + 2 - pads.size() / 2;
      w.pads[axis] = pads[i];
      w.pads[axis + 2] = pads[i + pads.size() / 2];
    }
    return w;
  }
  std::span<const Index> wanted;
  if (call.has("output_shape")) {
    wanted = call.integers("output_shape");
    wanted = wanted.last(std::min(wanted.size(), static_cast<std::size_t>(axes)));  // older files give all axes
    require<FormatError>(std::ssize(wanted) == axes, "'output_shape' has {} numbers, expected {}", wanted.size(), axes);
  }
  for (Index i = 0; i < axes; ++i) {
    const auto axis = static_cast<std::size_t>(i + 2 - axes);
    const Index n = image[static_cast<Index>(axis) + 1], stride = w.strides[axis],
                reach = (kernel[static_cast<Index>(axis)] - 1) * w.dilations[axis] + 1;
    require<FormatError>(n > 0 && n < Index{1} << 30, "an axis of {} pixels", n);
    const Index length = wanted.empty() ? n * stride : wanted[static_cast<std::size_t>(i)];
    require<FormatError>(0 < length && length < Index{1} << 40, "an output of {} pixels", length);
    const Index dropped = stride * (n - 1) + w.output_padding[axis] + reach - length;
    const Index half = std::max(Index{0}, dropped) / 2, rest = std::max(Index{0}, dropped) - half;
    w.pads[axis] = automatic == "SAME_UPPER" ? half : rest;
    w.pads[axis + 2] = automatic == "SAME_UPPER" ? rest : half;
    w.output_padding[axis] += std::max(Index{0}, -dropped);
  }
  return w;
}

void transposed_convolution(Call& call) {
  const Var x = call.channels_last(0), image = image_of(x);
  const Var kernel = kernel_of(call, x.rank());
  const std::array<Index, 2> sides{kernel.shape()[0], kernel.shape()[1]};
  static_cast<void>(checked_sides(call, sides, x.rank()));
  const auto windows = transposed_windows(call, image.shape(), kernel.shape(), x.rank() - 2);
  const Var y = cornu::detail::conv2d_transpose(image, kernel, call.has(2) ? call[2] : Var(), windows);
  call.result(0, like(y, x), Layout::channels_last);
}

}  // namespace

std::span<const Op> convolution_ops() {
  static constexpr Op ops[] = {
      {.name = "Conv",
       .inputs = {2, 3},
       .attributes = "auto_pad dilations group kernel_shape pads strides ",
       .weights = 0b110,
       .run = convolution},
      {.name = "ConvTranspose",
       .inputs = {2, 3},
       .attributes = "auto_pad dilations group kernel_shape output_padding output_shape pads strides ",
       .weights = 0b110,
       .run = transposed_convolution},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
