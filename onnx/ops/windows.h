#pragma once

#include <array>
#include <optional>

#include "cornu/core/ops/images.h"
#include "cornu/onnx/ops/ops.h"

/// The windows of convolutions and pooling.
namespace cornu::onnx::detail {

/// The geometry of windows along one spatial axis.
struct WindowAxis {
  Index in, taps, stride, dilation;
  Index before = 0, after = 0, out = 0;

  Index reach() const { return (taps - 1) * dilation + 1; }
  Index start(Index window) const { return window * stride - before; }
  /// True if Cornu's Padding::same gives the same windows.
  bool is_same() const {
    const Index windows = (in - 1) / stride + 1;
    return out == windows && before == std::max(Index{0}, (windows - 1) * stride + reach() - in) / 2;
  }
  /// The same for Padding::causal.
  bool is_causal() const { return out == (in - 1) / stride + 1 && before == reach() - 1; }
  bool is_valid() const { return before == 0 && (out - 1) * stride + reach() <= in; }
};

/// The windows of a convolution or pooling over a channels-last image: (rows, columns), with a single row for 1-D
/// inputs.
using Windows = std::array<WindowAxis, 2>;

/// kernel: the lengths of the window. Throws FormatError for attributes that do not fit.
Windows windows_of(const Call& call, const Shape& image, std::span<const Index> kernel);

/// (batch, length, channels) as an image with one row, and back: y in the form of x.
Var image_of(Var x);
Var like(Var y, Var x);

/// The pixels of an image that the windows cover, with `fill` for padding.
Var padded(Var image, const Windows& w, Real fill);

/// The mode of Padding that gives these windows, if there is one.
std::optional<Padding> padding_of(const Windows& w);

/// Calls f(image, Padding) so that f's windows are those of w; the image is padded explicitly if no mode of Padding
/// fits.
template <class F>
Var with_padding(Var x, const Windows& w, Real fill, F f) {
  if (const std::optional<Padding> padding = padding_of(w)) return f(x, *padding);
  return f(padded(x, w, fill), Padding::valid);
}

}  // namespace cornu::onnx::detail
