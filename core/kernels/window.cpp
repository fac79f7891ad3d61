#include "cornu/core/kernels/window.h"

#include <algorithm>

#include "cornu/core/error.h"

namespace cornu::detail {

namespace {

WindowAxis axis_of(Index in, Index taps, Index stride, Index dilation, Padding padding) {
  WindowAxis axis{.in = in, .taps = taps, .stride = stride, .dilation = dilation};
  if (padding == Padding::valid) {
    axis.out = in < axis.reach() ? 0 : (in - axis.reach()) / stride + 1;
  } else if (in > 0) {
    axis.out = (in - 1) / stride + 1;
    axis.before = padding == Padding::causal ? axis.reach() - 1
                                             : std::max(Index{0}, (axis.out - 1) * stride + axis.reach() - in) / 2;
  }
  return axis;
}

}  // namespace

void require_padding_of_images(const char* who, Padding padding) {
  require<ValueError>(padding != Padding::causal,
                      "{}: padding is causal, which is for sequences (Conv1D); valid or same is required", who);
}

void require_window_sizes(const char* who, const char* what, Size2D sizes) {
  constexpr Index most = Index{1} << 30;
  for (const Index side : {sizes.height, sizes.width}) {
    require<ValueError>(0 < side && side <= most, "{}: {} is {}; both numbers must be between 1 and {}", who, what,
                        sizes, most);
  }
}

Window::Window(const char* who, const Shape& images, Size2D size, Size2D strides, Size2D dilation, Padding padding) {
  require(images.rank() == 4, "{}: images of shape {}; (batch, height, width, channels) is required", who, images);
  require_window_sizes(who, "the window", size);
  require_window_sizes(who, "strides", strides);
  require_window_sizes(who, "dilation_rate", dilation);
  batch = images[0];
  channels = images[3];
  y = axis_of(images[1], size.height, strides.height, dilation.height, padding);
  x = axis_of(images[2], size.width, strides.width, dilation.width, padding);
  require(y.out > 0 && x.out > 0, "{}: images of shape {} are too small for a window of {}, dilation {}{}", who, images,
          size, dilation, padding == Padding::valid ? "; Padding::same may be meant" : "");
}

Window::Window(const char* who, const Shape& images, Size2D size, const Pool2DOptions& options)
    : Window(who, images, size,
             {options.strides.height == 0 ? size.height : options.strides.height,
              options.strides.width == 0 ? size.width : options.strides.width},
             1, options.padding) {}

}  // namespace cornu::detail
