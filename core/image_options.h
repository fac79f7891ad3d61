#pragma once

#include <array>
#include <string>
#include <string_view>

#include "cornu/core/shape.h"

/// Options of the operations on batches of images (core/ops/images.h).
namespace cornu {

/// Rows and columns; one number is both: `3`, `{3, 5}`.
struct Size2D {
  Index height = 1, width = 1;

  constexpr Size2D(Index side) : height(side), width(side) {}
  constexpr Size2D(Index h, Index w) : height(h), width(w) {}
};

/// "(3, 5)".
std::string to_string(const Size2D& size);

/// Where windows may lie. `valid`: inside of the image only, so that it shrinks. `same`: at stride 1 there are as many
/// windows as pixels, at stride s that number over s, rounded up; what is outside counts as 0 in a convolution and not
/// at all in pooling. Where the windows reach out by an odd number, one more lies at the bottom and to the right.
/// `causal`: as many windows as with `same`, each of which ends with its own pixel, so that all they reach out by lies
/// before the first one: of a sequence they see nothing that comes later.
enum class Padding { valid, same, causal };
constexpr std::array<std::string_view, 3> option_names(Padding) { return {"valid", "same", "causal"}; }

/// What there is outside of an image: `fill_value` everywhere (constant), the pixel at the edge (nearest), or the image
/// mirrored at its edge, d c b a | a b c d | d c b a (reflect).
enum class FillMode { constant, nearest, reflect };
constexpr std::array<std::string_view, 3> option_names(FillMode) { return {"constant", "nearest", "reflect"}; }

struct Conv2DOptions {
  Size2D strides = 1;
  Padding padding = Padding::valid;
  Size2D dilation_rate = 1;  ///< the distance of a window's taps
  Index groups = 1;          ///< channels and filters in so many parts, each of which sees but its own
  bool relu = false;         ///< max(y, 0) of the result, while it is still in a register
};

struct DepthwiseConv2DOptions {
  Size2D strides = 1;
  Padding padding = Padding::valid;
  Size2D dilation_rate = 1;
};

struct Pool2DOptions {
  Size2D strides = 0;  ///< 0: as pool_size
  Padding padding = Padding::valid;
};

struct AffineOptions {
  FillMode fill_mode = FillMode::constant;
  double fill_value = 0;
};

}  // namespace cornu
