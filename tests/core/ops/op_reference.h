#pragma once

#include <functional>
#include <span>
#include <vector>

#include "cornu/core/ops/images.h"
#include "cornu/core/ops/ops.h"

/// Reference implementations of the ops, as plain as possible: one loop over every element of the result, coordinates
/// instead of strides, long double instead of Real. They share no code with core's kernels.
namespace cornu::testing {

struct Exact {
  Shape shape;
  std::vector<long double> values;

  Exact() = default;
  explicit Exact(const Shape& s) : shape(s), values(static_cast<std::size_t>(s.size())) {}
  explicit Exact(const Tensor& tensor) : shape(tensor.shape()), values(tensor.begin(), tensor.end()) {}
};

using Numbers = std::vector<long double>;

Exact pointwise_reference(const Exact& x, const std::function<long double(long double)>& f);
/// Broadcasts as in NumPy.
Exact pairwise_reference(const Exact& a, const Exact& b, const std::function<long double(long double, long double)>& f);
Exact matmul_reference(Exact a, Exact b, const MatmulOptions& options);

/// Applies a function to the elements along one axis; it returns one element or as many as it was given.
Exact reduce_reference(const Exact& x, Index axis, bool keepdims, const std::function<long double(const Numbers&)>& f);
Exact along_axis_reference(const Exact& x, Index axis, const std::function<Numbers(const Numbers&)>& f);

Exact reshape_reference(Exact x, const Shape& shape);
Exact transpose_reference(const Exact& x, std::vector<Index> axes);
Exact concatenate_reference(std::span<const Exact> parts, Index axis);
/// begin and end count from the start of the axis.
Exact slice_reference(const Exact& x, Index axis, Index begin, Index end);

/// x: (batch, height, width, in), kernel: (rows, columns, in / groups, out), bias: (out) or empty.
Exact conv2d_reference(const Exact& x, const Exact& kernel, const Exact& bias, const Conv2DOptions& options);
/// The same for depthwise_conv2d, but taps outside the image are skipped.
Exact depthwise_reference(const Exact& x, const Exact& kernel, const Exact& bias,
                          const DepthwiseConv2DOptions& options);
/// f of the elements of each window inside the image, row by row, for each window and channel.
Exact pool2d_reference(const Exact& x, Size2D pool_size, const Pool2DOptions& options,
                       const std::function<long double(const Numbers&)>& f);
/// transforms: (batch, 6), chosen so that the coordinates are exact in Real.
Exact affine_transform_reference(const Exact& x, const Tensor& transforms, const AffineOptions& options);

long double sum_of(const Numbers& x);
long double mean_of(const Numbers& x);
/// NaN if any element is.
long double max_of(const Numbers& x);
Numbers softmax_of(const Numbers& x);
Numbers log_softmax_of(const Numbers& x);

}  // namespace cornu::testing
