#include "cornu/core/ops/eager.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"

namespace cornu {

namespace {

/// Runs f on the tensors, on a new inference tape.
template <class F, class... Tensors>
Tensor eagerly(F f, const Tensors&... x) {
  Tape tape(Mode::inference);
  return Tensor(f(tape.input(x)...).value());
}

std::vector<Var> inputs(Tape& tape, std::span<const Tensor> tensors) {
  std::vector<Var> values;
  for (const Tensor& tensor : tensors) values.push_back(tape.input(tensor));
  return values;
}

std::vector<Tensor> tensors_of(std::span<const Var> values) {
  std::vector<Tensor> result;
  for (const Var value : values) result.emplace_back(value.value());
  return result;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options) {
  return eagerly([&](Var x, Var y) { return matmul(x, y, options); }, a, b);
}
Tensor affine(const Tensor& x, const Tensor& w, const Tensor& b) {
  return eagerly([](Var vx, Var vw, Var vb) { return affine(vx, vw, vb); }, x, w, b);
}

namespace detail {
Tensor eager_unary(Var (*f)(Var), const Tensor& x) { return eagerly(f, x); }

using Pairwise = Var (*)(const Operand&, const Operand&);
Tensor add(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(add), a, b); }
Tensor subtract(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(subtract), a, b); }
Tensor multiply(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(multiply), a, b); }
Tensor divide(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(divide), a, b); }
Tensor power(const Tensor& base, const Tensor& exponent) { return eagerly(Pairwise(power), base, exponent); }
Tensor maximum(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(maximum), a, b); }
Tensor minimum(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(minimum), a, b); }
Tensor mod(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(mod), a, b); }
Tensor equal(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(equal), a, b); }
Tensor not_equal(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(not_equal), a, b); }
Tensor greater(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(greater), a, b); }
Tensor greater_equal(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(greater_equal), a, b); }
Tensor less(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(less), a, b); }
Tensor less_equal(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(less_equal), a, b); }
Tensor logical_and(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(logical_and), a, b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(logical_or), a, b); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { return eagerly(Pairwise(logical_xor), a, b); }
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  return eagerly([](Var c, Var a, Var b) { return where(c, a, b); }, condition, x, y);
}
}  // namespace detail

using Unary = Var (*)(Var);
Tensor sum(const Tensor& x) { return eagerly(Unary(sum), x); }
Tensor mean(const Tensor& x) { return eagerly(Unary(mean), x); }
Tensor max(const Tensor& x) { return eagerly(Unary(max), x); }
Tensor min(const Tensor& x) { return eagerly(Unary(min), x); }
Tensor prod(const Tensor& x) { return eagerly(Unary(prod), x); }
Tensor variance(const Tensor& x) { return eagerly(Unary(variance), x); }
Tensor logsumexp(const Tensor& x) { return eagerly(Unary(logsumexp), x); }
Tensor isnan(const Tensor& x) { return eagerly(Unary(isnan), x); }
Tensor isinf(const Tensor& x) { return eagerly(Unary(isinf), x); }
Tensor ops::logical_not(const Tensor& x) { return eagerly(Unary(ops::logical_not), x); }
Tensor transpose(const Tensor& x) { return eagerly(Unary(transpose), x); }

Tensor leaky_relu(const Tensor& x, double negative_slope) {
  return eagerly([&](Var v) { return leaky_relu(v, negative_slope); }, x);
}
Tensor elu(const Tensor& x, double alpha) {
  return eagerly([&](Var v) { return elu(v, alpha); }, x);
}
Tensor celu(const Tensor& x, double alpha) {
  return eagerly([&](Var v) { return celu(v, alpha); }, x);
}
Tensor clip(const Tensor& x, double least, double most) {
  return eagerly([&](Var v) { return clip(v, least, most); }, x);
}
Tensor gelu(const Tensor& x, const GeluOptions& options) {
  return eagerly([&](Var v) { return gelu(v, options); }, x);
}
Tensor sum(const Tensor& x, Index axis, const ReduceOptions& options) {
  return eagerly([&](Var v) { return sum(v, axis, options); }, x);
}
Tensor mean(const Tensor& x, Index axis, const ReduceOptions& options) {
  return eagerly([&](Var v) { return mean(v, axis, options); }, x);
}
Tensor max(const Tensor& x, Index axis, const ReduceOptions& options) {
  return eagerly([&](Var v) { return max(v, axis, options); }, x);
}
Tensor min(const Tensor& x, Index axis, const ReduceOptions& options) {
  return eagerly([&](Var v) { return min(v, axis, options); }, x);
}
Tensor prod(const Tensor& x, Index axis, const ReduceOptions& options) {
  return eagerly([&](Var v) { return prod(v, axis, options); }, x);
}
Tensor variance(const Tensor& x, Index axis, const ReduceOptions& options) {
  return eagerly([&](Var v) { return variance(v, axis, options); }, x);
}
Tensor logsumexp(const Tensor& x, Index axis, const ReduceOptions& options) {
  return eagerly([&](Var v) { return logsumexp(v, axis, options); }, x);
}
Tensor cumsum(const Tensor& x, Index axis, const CumsumOptions& options) {
  return eagerly([&](Var v) { return cumsum(v, axis, options); }, x);
}
Tensor softmax(const Tensor& x, Index axis) {
  return eagerly([&](Var v) { return softmax(v, axis); }, x);
}
Tensor log_softmax(const Tensor& x, Index axis) {
  return eagerly([&](Var v) { return log_softmax(v, axis); }, x);
}
Tensor reshape(const Tensor& x, std::span<const Index> dimensions) {
  return eagerly([&](Var v) { return reshape(v, dimensions); }, x);
}
Tensor reshape(const Tensor& x, const Shape& shape) {
  return eagerly([&](Var v) { return reshape(v, shape); }, x);
}
Tensor reshape(const Tensor& x, std::initializer_list<Index> dimensions) {
  return eagerly([&](Var v) { return reshape(v, dimensions); }, x);
}
Tensor steps_as_samples(const Tensor& x) { return eagerly(Unary(steps_as_samples), x); }
Tensor transpose(const Tensor& x, std::span<const Index> axes) {
  return eagerly([&](Var v) { return transpose(v, axes); }, x);
}
Tensor transpose(const Tensor& x, std::initializer_list<Index> axes) {
  return eagerly([&](Var v) { return transpose(v, axes); }, x);
}
Tensor slice_axis(const Tensor& x, Index axis, Index begin, Index end) {
  return eagerly([&](Var v) { return slice_axis(v, axis, begin, end); }, x);
}
Tensor flip(const Tensor& x, Index axis) {
  return eagerly([&](Var v) { return flip(v, axis); }, x);
}

Tensor batch_normalization(const Tensor& x, const Tensor& mean, const Tensor& variance, const Tensor& scale,
                           const Tensor& offset, double epsilon) {
  return eagerly([&](auto... v) { return batch_normalization(v..., epsilon); }, x, mean, variance, scale, offset);
}
Tensor layer_normalization(const Tensor& x, const Tensor& scale, const Tensor& offset,
                           const LayerNormalizationOptions& options) {
  return eagerly([&](auto... v) { return layer_normalization(v..., options); }, x, scale, offset);
}
Tensor take(const Tensor& table, const Tensor& indices) {
  return eagerly([](Var t, Var i) { return take(t, i); }, table, indices);
}

Tensor take(const Tensor& x, std::span<const Index> positions, Index axis) {
  return eagerly([&](Var v) { return take(v, positions, axis); }, x);
}
Tensor take(const Tensor& x, std::initializer_list<Index> positions, Index axis) {
  return eagerly([&](Var v) { return take(v, positions, axis); }, x);
}
Tensor strided_slice(const Tensor& x, std::span<const SliceRange> ranges) {
  return eagerly([&](Var v) { return strided_slice(v, ranges); }, x);
}
Tensor strided_slice(const Tensor& x, std::initializer_list<SliceRange> ranges) {
  return eagerly([&](Var v) { return strided_slice(v, ranges); }, x);
}
Tensor pad(const Tensor& x, std::span<const PadWidths> widths, const PaddingOptions& options) {
  return eagerly([&](Var v) { return pad(v, widths, options); }, x);
}
Tensor pad(const Tensor& x, std::initializer_list<PadWidths> widths, const PaddingOptions& options) {
  return eagerly([&](Var v) { return pad(v, widths, options); }, x);
}
Tensor tile(const Tensor& x, std::span<const Index> counts) {
  return eagerly([&](Var v) { return tile(v, counts); }, x);
}
Tensor tile(const Tensor& x, std::initializer_list<Index> counts) {
  return eagerly([&](Var v) { return tile(v, counts); }, x);
}
Tensor repeat(const Tensor& x, Index count, Index axis) {
  return eagerly([&](Var v) { return repeat(v, count, axis); }, x);
}
Tensor broadcast_to(const Tensor& x, const Shape& shape) {
  return eagerly([&](Var v) { return broadcast_to(v, shape); }, x);
}
Tensor take_along_axis(const Tensor& x, const Tensor& indices, Index axis) {
  return eagerly([&](Var v, Var at) { return take_along_axis(v, at, axis); }, x, indices);
}
Tensor scatter_add(const Tensor& x, const Tensor& indices, const Tensor& updates, Index axis) {
  return eagerly([&](auto... v) { return scatter_add(v..., axis); }, x, indices, updates);
}
TopKTensors top_k(const Tensor& x, Index k) {
  Tape tape(Mode::inference);
  const TopK result = top_k(tape.input(x), k);
  return {Tensor(result.values.value()), Tensor(result.indices.value())};
}

Tensor conv2d(const Tensor& x, const Tensor& kernel, const Tensor& bias, const Conv2DOptions& options) {
  return eagerly([&](auto... v) { return conv2d(v..., options); }, x, kernel, bias);
}
Tensor conv2d(const Tensor& x, const Tensor& kernel, const Conv2DOptions& options) {
  return eagerly([&](auto... v) { return conv2d(v..., options); }, x, kernel);
}
Tensor depthwise_conv2d(const Tensor& x, const Tensor& kernel, const Tensor& bias,
                        const DepthwiseConv2DOptions& options) {
  return eagerly([&](auto... v) { return depthwise_conv2d(v..., options); }, x, kernel, bias);
}
Tensor depthwise_conv2d(const Tensor& x, const Tensor& kernel, const DepthwiseConv2DOptions& options) {
  return eagerly([&](auto... v) { return depthwise_conv2d(v..., options); }, x, kernel);
}
Tensor conv2d_transpose(const Tensor& x, const Tensor& kernel, const Tensor& bias,
                        const Conv2DTransposeOptions& options) {
  return eagerly([&](auto... v) { return conv2d_transpose(v..., options); }, x, kernel, bias);
}
Tensor conv2d_transpose(const Tensor& x, const Tensor& kernel, const Conv2DTransposeOptions& options) {
  return eagerly([&](auto... v) { return conv2d_transpose(v..., options); }, x, kernel);
}
Tensor max_pool2d(const Tensor& x, Size2D pool_size, const Pool2DOptions& options) {
  return eagerly([&](Var v) { return max_pool2d(v, pool_size, options); }, x);
}
Tensor average_pool2d(const Tensor& x, Size2D pool_size, const Pool2DOptions& options) {
  return eagerly([&](Var v) { return average_pool2d(v, pool_size, options); }, x);
}
Tensor resize(const Tensor& x, Size2D size, const ResizeOptions& options) {
  return eagerly([&](Var v) { return resize(v, size, options); }, x);
}
Tensor affine_transform(const Tensor& x, const Tensor& transforms, const AffineOptions& options) {
  return eagerly([&](Var v) { return affine_transform(v, transforms, options); }, x);
}

Tensor lstm(const Tensor& x, const Tensor& kernel, const Tensor& recurrent_kernel, const Tensor& bias,
            const RecurrentOptions& options) {
  return eagerly([&](auto... v) { return lstm(v..., options); }, x, kernel, recurrent_kernel, bias);
}
Tensor lstm(const Tensor& x, const Tensor& kernel, const Tensor& recurrent_kernel, const RecurrentOptions& options) {
  return eagerly([&](auto... v) { return lstm(v..., options); }, x, kernel, recurrent_kernel);
}
Tensor gru(const Tensor& x, const Tensor& kernel, const Tensor& recurrent_kernel, const Tensor& bias,
           const RecurrentOptions& options) {
  return eagerly([&](auto... v) { return gru(v..., options); }, x, kernel, recurrent_kernel, bias);
}
Tensor gru(const Tensor& x, const Tensor& kernel, const Tensor& recurrent_kernel, const RecurrentOptions& options) {
  return eagerly([&](auto... v) { return gru(v..., options); }, x, kernel, recurrent_kernel);
}

Tensor concatenate(std::span<const Tensor> tensors, Index axis) {
  Tape tape(Mode::inference);
  return Tensor(concatenate(inputs(tape, tensors), axis).value());
}
Tensor concatenate(std::initializer_list<Tensor> tensors, Index axis) {
  return concatenate(std::span<const Tensor>(tensors.begin(), tensors.size()), axis);
}

Tensor stack_axis(std::span<const Tensor> tensors, Index axis) {
  Tape tape(Mode::inference);
  return Tensor(stack_axis(inputs(tape, tensors), axis).value());
}
Tensor stack_axis(std::initializer_list<Tensor> tensors, Index axis) {
  return stack_axis(std::span<const Tensor>(tensors.begin(), tensors.size()), axis);
}

std::vector<Tensor> split(const Tensor& x, Index parts, Index axis) {
  Tape tape(Mode::inference);
  return tensors_of(split(tape.input(x), parts, axis));
}
std::vector<Tensor> split(const Tensor& x, std::span<const Index> positions, Index axis) {
  Tape tape(Mode::inference);
  return tensors_of(split(tape.input(x), positions, axis));
}
std::vector<Tensor> split(const Tensor& x, std::initializer_list<Index> positions, Index axis) {
  return split(x, std::span<const Index>(positions.begin(), positions.size()), axis);
}

Tensor argmax(const Tensor& x, Index axis) {
  const AxisSplit split(x.shape(), x.shape().normalized(axis));
  require(split.n > 0, "argmax: axis {} of shape {} has no elements", axis, x.shape());
  Tensor result(x.shape().without(axis));
  for (Index o = 0; o < split.outer; ++o) {
    for (Index i = 0; i < split.inner; ++i) {
      const Real* const from = x.data() + o * split.n * split.inner + i;
      result[o * split.inner + i] = static_cast<Real>(position_of_max(from, split.n, split.inner));
    }
  }
  return result;
}

}  // namespace cornu
