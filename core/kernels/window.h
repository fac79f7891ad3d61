#pragma once

#include <algorithm>

#include "cornu/core/image_options.h"

namespace cornu {

/// How a window moves along one axis of an image: window i covers positions start(i) + tap * dilation, of which those
/// outside [0, in) are padding.
struct WindowAxis {
  Index in = 0;
  Index taps = 1, stride = 1, dilation = 1;
  Index out = 0;     ///< windows
  Index before = 0;  ///< positions of padding before the first one of the image

  Index start(Index i) const { return i * stride - before; }
  /// Positions that a window spans.
  Index reach() const { return (taps - 1) * dilation + 1; }
  /// Positions from the first padding to the end of the image or of the last window, whichever is later.
  Index padded() const { return std::max(before + in, (out - 1) * stride + reach()); }

  /// Whether window i lies in the image with all that it spans.
  bool is_whole(Index i) const { return start(i) >= 0 && start(i) + reach() <= in; }
  /// The taps of window i that lie in the image: [first, last).
  Index first_tap(Index i) const { return std::max(Index{0}, (dilation - 1 - start(i)) / dilation); }
  Index last_tap(Index i) const { return std::min(taps, (in - start(i) + dilation - 1) / dilation); }
};

/// Throws ValueError, with `who` before the text, for Padding::causal: images know no order in time.
void require_padding_of_images(const char* who, Padding padding);

/// A window on a batch of images, checked.
struct Window {
  Index batch = 0, channels = 0;
  WindowAxis y, x;

  /// Throws as the ops tell, with `who` before the text.
  Window(const char* who, const Shape& images, Size2D size, Size2D strides, Size2D dilation, Padding padding);
  /// Of pooling.
  Window(const char* who, const Shape& images, Size2D size, const Pool2DOptions& options);

  Shape result(Index out_channels) const { return {batch, y.out, x.out, out_channels}; }
};

}  // namespace cornu
