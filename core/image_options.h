#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "cornu/core/shape.h"

/// Options of the ops on images (core/ops/images.h).
namespace cornu {

/// Height and width, or one number for both: `{3, 5}`, `3`.
struct Size2D {
  Index height = 1, width = 1;

  constexpr Size2D(Index side) : height(side), width(side) {}
  constexpr Size2D(Index h, Index w) : height(h), width(w) {}
};

/// "(3, 5)".
std::string to_string(const Size2D& size);

/// Padding of convolutions and pooling.
/// valid: none; the output is smaller than the input.
/// same: ceil(size / stride) windows. Padding counts as 0 in a convolution and is ignored in pooling. If the total
///     padding is odd, the extra position is at the bottom or right.
/// causal: as many windows as `same`, with all padding before the first position: window i depends on no position after
///     i * stride. For sequences only.
enum class Padding { valid, same, causal };
constexpr std::array<std::string_view, 3> option_names(Padding) { return {"valid", "same", "causal"}; }

/// Values outside an image: `fill_value` (constant), the nearest edge pixel (nearest), or the image mirrored at its
/// edge, d c b a | a b c d | d c b a (reflect).
enum class FillMode { constant, nearest, reflect };
constexpr std::array<std::string_view, 3> option_names(FillMode) { return {"constant", "nearest", "reflect"}; }

struct Conv2DOptions {
  Size2D strides = 1;
  Padding padding = Padding::valid;
  Size2D dilation_rate = 1;  ///< distance between the taps of a window
  Index groups = 1;          ///< splits channels and filters into groups that are convolved separately
  bool relu = false;         ///< fuses max(y, 0) into the convolution
};

struct DepthwiseConv2DOptions {
  Size2D strides = 1;
  Padding padding = Padding::valid;
  Size2D dilation_rate = 1;
};

struct Pool2DOptions {
  Size2D strides = 0;  ///< 0: the pool size
  Padding padding = Padding::valid;
};

/// Which pixels of an image make one between them: the nearest, the nearest two, or the nearest four along each axis.
enum class Interpolation { nearest, bilinear, bicubic };
constexpr std::array<std::string_view, 3> option_names(Interpolation) { return {"nearest", "bilinear", "bicubic"}; }

struct ResizeOptions {
  Interpolation interpolation = Interpolation::bilinear;
};

struct Conv2DTransposeOptions {
  Size2D strides = 1;
  Padding padding = Padding::valid;
  std::optional<Size2D> output_padding{};  ///< rows and columns to add at the end; less than the strides
  Size2D dilation_rate = 1;
  Index groups = 1;
};

struct AffineOptions {
  FillMode fill_mode = FillMode::constant;
  double fill_value = 0;
};

}  // namespace cornu
