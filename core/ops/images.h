#pragma once

#include "cornu/core/autodiff/operand.h"
#include "cornu/core/image_options.h"

/// Ops on batches of images, (batch, height, width, channels). As in ops.h, each is one function with its gradient.
namespace cornu {

// ---- Convolution (conv2d.cpp) ----

/// 2-D convolution (cross-correlation, as in other libraries) with stride s, dilation d and padding p:
/// y[b, i, j, n] = bias[n] + sum over u, v, c of x[b, i s + u d - p, j s + v d - p, c] kernel[u, v, c, n].
/// x: (batch, height, width, in), kernel: (rows, columns, in / groups, out), bias: (out).
/// Returns (batch, ..., ..., out).
/// Throws ShapeError, naming the shapes, if they do not match or the image is smaller than the window; ValueError for
/// options below 1 and for groups that do not divide the channels and filters.
Var conv2d(Var x, Operand kernel, Operand bias, const Conv2DOptions& options = {});
Var conv2d(Var x, Operand kernel, const Conv2DOptions& options = {});

// ---- Depthwise convolution (depthwise_conv2d.cpp) ----

/// Convolution of each channel separately, with m filters per channel:
/// y[b, i, j, c m + n] = bias[c m + n] + sum over u, v of x[b, i s + u d - p, j s + v d - p, c] kernel[u, v, c, n],
/// summed over the taps inside the image. x: (batch, height, width, channels), kernel: (rows, columns, channels, m),
/// bias: (channels m). Returns (batch, ..., ..., channels m). Throws as conv2d.
Var depthwise_conv2d(Var x, Operand kernel, Operand bias, const DepthwiseConv2DOptions& options = {});
Var depthwise_conv2d(Var x, Operand kernel, const DepthwiseConv2DOptions& options = {});

// ---- Transposed convolution (conv2d_transpose.cpp) ----

/// The gradient of conv2d with respect to its images, as an op, which enlarges images by the strides:
/// y[b, p, q, n] = bias[n] + sum of x[b, i, j, c] kernel[u, v, n, c] over all i, j, u, v, c with i s + u d - before = p
/// and j s + v d - before = q. x: (batch, height, width, in), kernel: (rows, columns, out / groups, in), bias: (out).
/// Returns (batch, ..., ..., out). With k = (rows - 1) d + 1, the height is (height - 1) s + max(k, s) for valid and
/// height s for same padding. With output_padding o, it is (height - 1) s + k + o, or (height - 1) s + k % 2 + o.
/// Throws ShapeError, naming the shapes, if they do not match or a side would be empty; ValueError for options below 1,
/// for groups that do not divide the channels and filters, and unless 0 <= o < s.
/// Source: Keras, ops.conv_transpose.
Var conv2d_transpose(Var x, Operand kernel, Operand bias, const Conv2DTransposeOptions& options = {});
Var conv2d_transpose(Var x, Operand kernel, const Conv2DTransposeOptions& options = {});

// ---- Pooling (pooling.cpp) ----

/// Maximum or mean of each window, per channel. x: (batch, height, width, channels).
/// The maximum is NaN if any element is; of equal maxima, the first in row-major order gets the gradient. The mean is
/// taken over the part of the window inside the image.
/// Throws ShapeError for a rank other than 4 or an image smaller than the window, ValueError for sizes below 1.
Var max_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options = {});
Var average_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options = {});

// ---- Geometry (resample.cpp, affine_transform.cpp) ----

/// Images of another size, without antialiasing. Pixel i stands for [i, i + 1): the pixel i of the result is at
/// (i + 1/2) height / size - 1/2. bilinear repeats the edge; bicubic (Keys, 1981, a = -1/2) leaves out what is outside;
/// nearest rounds halves up. x: (batch, height, width, channels). Throws ShapeError for another rank or images without
/// pixels, ValueError for a size below 1. Source: Keras, ops.image.resize.
Var resize(Var x, Size2D size, const ResizeOptions& options = {});

/// Applies one affine map per image: with t = transforms[b], y[b, i, j, c] is x[b, ., ., c] at row t3 j + t4 i + t5 and
/// column t0 j + t1 i + t2. Positions between pixels are interpolated bilinearly; a neighbour of weight 0 is ignored,
/// even if it is NaN. Only x has a gradient.
/// x: (batch, height, width, channels), transforms: (batch, 6). Returns x's shape. Throws ShapeError for other shapes,
/// ValueError for a transform that is not finite. Source: Keras, ops.image.affine_transform.
Var affine_transform(Var x, ConstView transforms, const AffineOptions& options = {});

}  // namespace cornu
