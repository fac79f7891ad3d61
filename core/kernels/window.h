#pragma once

#include <algorithm>

#include "cornu/core/image_options.h"

namespace cornu::detail {

/// The windows along one axis of an image. Window i covers positions start(i) + tap * dilation; positions outside [0,
/// in) are padding.
struct WindowAxis {
  Index in = 0;
  Index taps = 1, stride = 1, dilation = 1;
  Index out = 0;     ///< number of windows
  Index before = 0;  ///< padding before the image

  Index start(Index i) const { return i * stride - before; }
  /// Positions spanned by a window.
  Index reach() const { return (taps - 1) * dilation + 1; }
  /// Size with padding: up to the end of the image or of the last window, whichever is later.
  Index padded() const { return std::max(before + in, (out - 1) * stride + reach()); }

  /// True if window i lies entirely in the image.
  bool is_whole(Index i) const { return start(i) >= 0 && start(i) + reach() <= in; }
  /// The taps of window i that lie in the image: [first, last).
  Index first_tap(Index i) const { return std::max(Index{0}, (dilation - 1 - start(i)) / dilation); }
  Index last_tap(Index i) const { return std::min(taps, (in - start(i) + dilation - 1) / dilation); }
};

/// Throws ValueError, prefixed with `who`, for Padding::causal: images have no time axis.
void require_padding_of_images(const char* who, Padding padding);
/// Throws ValueError, naming `what`, unless both numbers are between 1 and 2^30, so that no product of two overflows.
void require_window_sizes(const char* who, const char* what, Size2D sizes);

/// The windows on a batch of images.
struct Window {
  Index batch = 0, channels = 0;
  WindowAxis y, x;

  /// Throws ShapeError, prefixed with `who`, if `images` is not of rank 4 or too small for a window, and ValueError if
  /// size, strides or dilation is not between 1 and 2^30.
  Window(const char* who, const Shape& images, Size2D size, Size2D strides, Size2D dilation, Padding padding);
  /// The windows of pooling.
  Window(const char* who, const Shape& images, Size2D size, const Pool2DOptions& options);

  /// Windows on a batch of images of the sizes of the axes.
  Window(Index images, Index image_channels, const WindowAxis& rows, const WindowAxis& columns)
      : batch(images), channels(image_channels), y(rows), x(columns) {}

  /// The shape of the output.
  Shape result(Index out_channels) const { return {batch, y.out, x.out, out_channels}; }
};

}  // namespace cornu::detail
