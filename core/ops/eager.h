#pragma once

#include <vector>

#include "cornu/core/ops/comparisons.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/sequences.h"

/// The ops of ops.h, comparisons.h, indexing.h, images.h and sequences.h on tensors, for use outside a model. Each runs
/// the same code on a temporary inference tape.
namespace cornu {

Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});
Tensor affine(const Tensor& x, const Tensor& w, const Tensor& b);

namespace detail {
/// f(x) on a temporary tape.
Tensor eager_unary(Var (*f)(Var), const Tensor& x);

Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor divide(const Tensor& a, const Tensor& b);
Tensor power(const Tensor& base, const Tensor& exponent);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor mod(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);

inline const Tensor& as_tensor(const Tensor& x) { return x; }
template <class T>
requires std::is_arithmetic_v<T> Tensor as_tensor(T x) { return Tensor::scalar(static_cast<Real>(x)); }

/// Operands of a binary op: at least one is a Tensor, the other may be a number.
template <class A, class B>
concept TensorOperands = (std::same_as<A, Tensor> && (std::same_as<B, Tensor> || std::is_arithmetic_v<B>)) ||
                         (std::is_arithmetic_v<A> && std::same_as<B, Tensor>);

template <class T>
concept TensorOrNumber = std::same_as<T, Tensor> || std::is_arithmetic_v<T>;
}  // namespace detail

template <class A, class B>
requires detail::TensorOperands<A, B> Tensor operator+(const A& a, const B& b) {
  return detail::add(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor operator-(const A& a, const B& b) {
  return detail::subtract(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor operator*(const A& a, const B& b) {
  return detail::multiply(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor operator/(const A& a, const B& b) {
  return detail::divide(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor pow(const A& base, const B& exponent) {
  return detail::power(detail::as_tensor(base), detail::as_tensor(exponent));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor maximum(const A& a, const B& b) {
  return detail::maximum(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor minimum(const A& a, const B& b) {
  return detail::minimum(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor mod(const A& a, const B& b) {
  return detail::mod(detail::as_tensor(a), detail::as_tensor(b));
}

template <class A, class B>
requires detail::TensorOperands<A, B> Tensor equal(const A& a, const B& b) {
  return detail::equal(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor not_equal(const A& a, const B& b) {
  return detail::not_equal(detail::as_tensor(a), detail::as_tensor(b));
}
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
template <class A, detail::TensorOrNumber B, detail::TensorOrNumber C>
requires(std::same_as<A, Tensor> ||
         (std::is_arithmetic_v<A> && (std::same_as<B, Tensor> || std::same_as<C, Tensor>))) Tensor
    where(const A& condition, const B& x, const C& y) {
  return detail::where(detail::as_tensor(condition), detail::as_tensor(x), detail::as_tensor(y));
}

namespace ops {
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor greater(const A& a, const B& b) {
  return detail::greater(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor greater_equal(const A& a, const B& b) {
  return detail::greater_equal(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor less(const A& a, const B& b) {
  return detail::less(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor less_equal(const A& a, const B& b) {
  return detail::less_equal(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor logical_and(const A& a, const B& b) {
  return detail::logical_and(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor logical_or(const A& a, const B& b) {
  return detail::logical_or(detail::as_tensor(a), detail::as_tensor(b));
}
template <class A, class B>
requires detail::TensorOperands<A, B> Tensor logical_xor(const A& a, const B& b) {
  return detail::logical_xor(detail::as_tensor(a), detail::as_tensor(b));
}
Tensor logical_not(const Tensor& x);
using cornu::equal;
using cornu::not_equal;
}  // namespace ops

inline Tensor operator-(const Tensor& x) { return detail::eager_unary(operator-, x); }
inline Tensor exp(const Tensor& x) { return detail::eager_unary(exp, x); }
inline Tensor log(const Tensor& x) { return detail::eager_unary(log, x); }
inline Tensor sqrt(const Tensor& x) { return detail::eager_unary(sqrt, x); }
inline Tensor square(const Tensor& x) { return detail::eager_unary(square, x); }
inline Tensor abs(const Tensor& x) { return detail::eager_unary(abs, x); }
inline Tensor relu(const Tensor& x) { return detail::eager_unary(relu, x); }
inline Tensor sigmoid(const Tensor& x) { return detail::eager_unary(sigmoid, x); }
inline Tensor tanh(const Tensor& x) { return detail::eager_unary(tanh, x); }
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.2);
Tensor elu(const Tensor& x, double alpha = 1);
Tensor gelu(const Tensor& x, const GeluOptions& options = {});
inline Tensor swish(const Tensor& x) { return detail::eager_unary(swish, x); }
inline Tensor silu(const Tensor& x) { return swish(x); }
inline Tensor softplus(const Tensor& x) { return detail::eager_unary(softplus, x); }
inline Tensor linear(const Tensor& x) { return x; }

inline Tensor hard_sigmoid(const Tensor& x) { return detail::eager_unary(hard_sigmoid, x); }
inline Tensor hard_silu(const Tensor& x) { return detail::eager_unary(hard_silu, x); }
inline Tensor hard_swish(const Tensor& x) { return hard_silu(x); }
inline Tensor softsign(const Tensor& x) { return detail::eager_unary(softsign, x); }
inline Tensor mish(const Tensor& x) { return detail::eager_unary(mish, x); }
inline Tensor relu6(const Tensor& x) { return detail::eager_unary(relu6, x); }
inline Tensor selu(const Tensor& x) { return detail::eager_unary(selu, x); }
Tensor celu(const Tensor& x, double alpha = 1);
inline Tensor log_sigmoid(const Tensor& x) { return detail::eager_unary(log_sigmoid, x); }

inline Tensor sin(const Tensor& x) { return detail::eager_unary(sin, x); }
inline Tensor cos(const Tensor& x) { return detail::eager_unary(cos, x); }
inline Tensor erf(const Tensor& x) { return detail::eager_unary(erf, x); }
inline Tensor log1p(const Tensor& x) { return detail::eager_unary(log1p, x); }
inline Tensor expm1(const Tensor& x) { return detail::eager_unary(expm1, x); }
inline Tensor sign(const Tensor& x) { return detail::eager_unary(sign, x); }
inline Tensor floor(const Tensor& x) { return detail::eager_unary(floor, x); }
inline Tensor ceil(const Tensor& x) { return detail::eager_unary(ceil, x); }
inline Tensor round(const Tensor& x) { return detail::eager_unary(round, x); }
Tensor clip(const Tensor& x, double least, double most);

Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, Index axis, const ReduceOptions& options = {});
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, Index axis, const ReduceOptions& options = {});
Tensor(max)(const Tensor& x);
Tensor(max)(const Tensor& x, Index axis, const ReduceOptions& options = {});
Tensor(min)(const Tensor& x);
Tensor(min)(const Tensor& x, Index axis, const ReduceOptions& options = {});
Tensor prod(const Tensor& x);
Tensor prod(const Tensor& x, Index axis, const ReduceOptions& options = {});
Tensor variance(const Tensor& x);
Tensor variance(const Tensor& x, Index axis, const ReduceOptions& options = {});
Tensor logsumexp(const Tensor& x);
Tensor logsumexp(const Tensor& x, Index axis, const ReduceOptions& options = {});
Tensor cumsum(const Tensor& x, Index axis, const CumsumOptions& options = {});
Tensor softmax(const Tensor& x, Index axis = -1);
Tensor log_softmax(const Tensor& x, Index axis = -1);

Tensor batch_normalization(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& scale,
                           const Tensor& offset, double epsilon = 1e-3);
Tensor layer_normalization(const Tensor& x, const Tensor& scale, const Tensor& offset,
                           const LayerNormalizationOptions& options = {});

/// Index of the maximum along the axis, as a whole number; of equal maxima, the first. NaN counts as the maximum.
/// Throws ShapeError if the axis has no elements.
Tensor argmax(const Tensor& x, Index axis = -1);

Tensor reshape(const Tensor& x, std::initializer_list<Index> dimensions);
Tensor reshape(const Tensor& x, std::span<const Index> dimensions);
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor steps_as_samples(const Tensor& x);
Tensor transpose(const Tensor& x);
Tensor transpose(const Tensor& x, std::initializer_list<Index> axes);
Tensor transpose(const Tensor& x, std::span<const Index> axes);
Tensor concatenate(std::span<const Tensor> tensors, Index axis = -1);
Tensor concatenate(std::initializer_list<Tensor> tensors, Index axis = -1);
Tensor slice_axis(const Tensor& x, Index axis, Index begin, Index end);
Tensor flip(const Tensor& x, Index axis);
Tensor take(const Tensor& table, const Tensor& indices);

Tensor take(const Tensor& x, std::span<const Index> positions, Index axis);
Tensor take(const Tensor& x, std::initializer_list<Index> positions, Index axis);
Tensor strided_slice(const Tensor& x, std::span<const SliceRange> ranges);
Tensor strided_slice(const Tensor& x, std::initializer_list<SliceRange> ranges);
Tensor pad(const Tensor& x, std::span<const PadWidths> widths, const PaddingOptions& options = {});
Tensor pad(const Tensor& x, std::initializer_list<PadWidths> widths, const PaddingOptions& options = {});
Tensor tile(const Tensor& x, std::span<const Index> counts);
Tensor tile(const Tensor& x, std::initializer_list<Index> counts);
Tensor repeat(const Tensor& x, Index count, Index axis);
Tensor broadcast_to(const Tensor& x, const Shape& shape);
Tensor stack_axis(std::span<const Tensor> tensors, Index axis);
Tensor stack_axis(std::initializer_list<Tensor> tensors, Index axis);
std::vector<Tensor> split(const Tensor& x, Index parts, Index axis);
std::vector<Tensor> split(const Tensor& x, std::span<const Index> positions, Index axis);
std::vector<Tensor> split(const Tensor& x, std::initializer_list<Index> positions, Index axis);
Tensor take_along_axis(const Tensor& x, const Tensor& indices, Index axis);
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& updates, Index axis);

struct TopKTensors {
  Tensor values, indices;
};
TopKTensors top_k(const Tensor& x, Index k);

Tensor conv2d(const Tensor& x, const Tensor& kernel, const Tensor& bias, const Conv2DOptions& options = {});
Tensor conv2d(const Tensor& x, const Tensor& kernel, const Conv2DOptions& options = {});
Tensor depthwise_conv2d(const Tensor& x, const Tensor& kernel, const Tensor& bias,
                        const DepthwiseConv2DOptions& options = {});
Tensor depthwise_conv2d(const Tensor& x, const Tensor& kernel, const DepthwiseConv2DOptions& options = {});
Tensor conv2d_transpose(const Tensor& x, const Tensor& kernel, const Tensor& bias,
                        const Conv2DTransposeOptions& options = {});
Tensor conv2d_transpose(const Tensor& x, const Tensor& kernel, const Conv2DTransposeOptions& options = {});
Tensor max_pool2d(const Tensor& x, Size2D pool_size, const Pool2DOptions& options = {});
Tensor average_pool2d(const Tensor& x, Size2D pool_size, const Pool2DOptions& options = {});
Tensor resize(const Tensor& x, Size2D size, const ResizeOptions& options = {});
Tensor affine_transform(const Tensor& x, const Tensor& transforms, const AffineOptions& options = {});

Tensor lstm(const Tensor& x, const Tensor& kernel, const Tensor& recurrent_kernel, const Tensor& bias,
            const RecurrentOptions& options = {});
Tensor lstm(const Tensor& x, const Tensor& kernel, const Tensor& recurrent_kernel,
            const RecurrentOptions& options = {});
Tensor gru(const Tensor& x, const Tensor& kernel, const Tensor& recurrent_kernel, const Tensor& bias,
           const RecurrentOptions& options = {});
Tensor gru(const Tensor& x, const Tensor& kernel, const Tensor& recurrent_kernel, const RecurrentOptions& options = {});

}  // namespace cornu
