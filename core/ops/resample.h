#pragma once

#include <optional>
#include <span>

#include "cornu/core/autodiff/operand.h"
#include "cornu/core/image_options.h"

/// Interpolation along one axis, of which `resize` is made. Internal to Cornu: for importers.
namespace cornu::detail {

/// y[.., i, ..] = sum over k of weights[i, k] x[.., positions[i, k], ..] along an axis. A tap of weight 0 is ignored,
/// even if its element is NaN.
/// positions, weights: (n, taps), row by row. Throws ShapeError if they do not match, or for a position outside of the
/// axis. Gradients: of x, dy is distributed by the weights; of the weights, sums of products.
Var resample(Var x, Var weights, Index axis, std::span<const Index> positions);

/// Which coordinate of the input position i of the output has, as in ONNX's Resize:
/// half_pixel: (i + 1/2) / scale - 1/2. pytorch_half_pixel: the same, but 0 for one output. align_corners: the first
/// and last positions of both coincide. asymmetric: i / scale.
enum class Coordinates { half_pixel, pytorch_half_pixel, align_corners, asymmetric };
/// Which neighbour `nearest` takes.
enum class Rounding { floor, ceil, prefer_floor, prefer_ceil };

/// By default as Keras and JAX resize without antialiasing.
struct ResizeRule {
  Interpolation interpolation = Interpolation::bilinear;
  Coordinates coordinates = Coordinates::half_pixel;
  Rounding rounding = Rounding::prefer_ceil;
  double cubic_coefficient = -0.5;  ///< a of Keys' cubic kernel (1981)
  bool exclude_outside = true;      ///< drop taps outside and rescale the others; else the edge is repeated
};

/// x with `size` positions along an axis. scale: output to input; by default of the sizes. Throws ShapeError for an
/// empty axis, ValueError unless size is positive, and scale positive and finite.
Var resize_axis(Var x, Index axis, Index size, const ResizeRule& rule, std::optional<double> scale = {});

}  // namespace cornu::detail
