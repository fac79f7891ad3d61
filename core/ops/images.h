#pragma once

#include "cornu/core/image_options.h"
#include "cornu/core/operand.h"

/// The operations on batches of images, (batch, height, width, channels): as in ops.h, each is one function with its
/// gradient. A window that moves over an image is what convolution and pooling have in common.
namespace cornu {

// ---- Convolution (conv2d.cpp) ----

/// y[b, i, j, n] = bias[n] + sum over u, v, c of x[b, i s + u d - p, j s + v d - p, c] kernel[u, v, c, n]: stride s,
/// dilation d, p rows or columns of padding. (A correlation, as in every library that calls it convolution.)
/// x: (batch, height, width, in), kernel: (rows, columns, in / groups, out), bias: (out). Returns (batch, ..., ...,
/// out). Throws ShapeError, naming the shapes, if they do not fit or the image has no room for the window, ValueError
/// for options below 1 and groups that do not divide the channels.
Var conv2d(Var x, Operand kernel, Operand bias, const Conv2DOptions& options = {});
Var conv2d(Var x, Operand kernel, const Conv2DOptions& options = {});

// ---- Depthwise convolution (depthwise_conv2d.cpp) ----

/// A convolution in which each channel has filters of its own, and sees no other channel:
/// y[b, i, j, c m + n] = bias[c m + n] + sum over u, v of x[b, i s + u d - p, j s + v d - p, c] kernel[u, v, c, n],
/// the sum over what lies in the image. x: (batch, height, width, channels), kernel: (rows, columns, channels, m),
/// bias: (channels m). Returns (batch, ..., ..., channels m). Throws as conv2d.
Var depthwise_conv2d(Var x, Operand kernel, Operand bias, const DepthwiseConv2DOptions& options = {});
Var depthwise_conv2d(Var x, Operand kernel, const DepthwiseConv2DOptions& options = {});

// ---- Pooling (pooling.cpp) ----

/// The largest number, or the mean, of each window and channel. x: (batch, height, width, channels).
/// The maximum is NaN if any number is; of equal maxima the first, row by row, has the gradient. The mean is over the
/// part of the window that lies in the image.
/// Throws ShapeError for a rank other than 4 or an image without room for the window, ValueError for sizes below 1.
Var max_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options = {});
Var average_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options = {});

// ---- Geometry (affine_transform.cpp) ----

/// Each image as seen through a map of its own: y[b, i, j, c] is x[b, ., ., c] at row t3 j + t4 i + t5 and column
/// t0 j + t1 i + t2, where t is transforms[b]; between pixels interpolated from the four around (bilinearly), of which
/// those with weight 0 count for nothing, NaN or not. The gradient is that of x alone.
/// x: (batch, height, width, channels), transforms: (batch, 6). Returns x's shape. Throws ShapeError for other shapes,
/// ValueError for a transform that is not finite. Source: Keras, ops.image.affine_transform.
Var affine_transform(Var x, ConstView transforms, const AffineOptions& options = {});

}  // namespace cornu
