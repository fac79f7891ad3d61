#pragma once

#include <span>

#include "cornu/core/autodiff/operand.h"
#include "cornu/core/ops/indexing.h"

/// Differentiable ops. Each is one function that holds both the forward computation and the gradient;
/// docs/extending.md shows how to write one. All throw ShapeError for shapes that do not match, naming them, and
/// StateError for values of different tapes. NaN propagates (except in pow, see there). eager.h has the same functions
/// on tensors, without a tape.
namespace cornu {

// ---- Products (products.cpp) ----

struct MatmulOptions {
  bool transpose_a = false, transpose_b = false;
};

/// Matrix product, as in NumPy: (m, k) x (k, n) is (m, n). Leading axes broadcast as batches of matrices. A 1-D operand
/// is promoted to a row (left) or column (right); the added axis is removed from the result.
/// The options transpose the last two axes of an operand, without a copy.
Var matmul(Var a, Operand b, const MatmulOptions& options = {});
Var matmul(const Parameter& a, Var b, const MatmulOptions& options = {});

/// y = x w + b, as in Dense.
/// x: (..., in), w: (in, out), b: (out). Returns (..., out). Throws ShapeError, naming all three shapes.
Var affine(Var x, Operand w, Operand b);

// ---- Arithmetic, broadcasting as in NumPy (arithmetic.cpp) ----

namespace detail {
Var add(const Operand& a, const Operand& b);
Var subtract(const Operand& a, const Operand& b);
Var multiply(const Operand& a, const Operand& b);
Var divide(const Operand& a, const Operand& b);
Var power(const Operand& base, const Operand& exponent);
Var maximum(const Operand& a, const Operand& b);
Var minimum(const Operand& a, const Operand& b);
Var mod(const Operand& a, const Operand& b);

/// Operands of a binary op: at least one is a Var, the other may be a Parameter or a number.
template <class A, class B>
concept Operands = std::convertible_to<const A&, Operand> && std::convertible_to<const B&, Operand> &&
    (std::same_as<A, Var> || std::same_as<B, Var>);
}  // namespace detail

template <class A, class B>
requires detail::Operands<A, B> Var operator+(const A& a, const B& b) { return detail::add(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var operator-(const A& a, const B& b) { return detail::subtract(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var operator*(const A& a, const B& b) { return detail::multiply(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var operator/(const A& a, const B& b) { return detail::divide(a, b); }
/// base^exponent. NaN^0 and 1^NaN are 1, as in C and NumPy.
/// At base 0 the gradient with respect to the exponent is 0 for exponents >= 0.
template <class A, class B>
requires detail::Operands<A, B> Var pow(const A& base, const B& exponent) { return detail::power(base, exponent); }
/// Elementwise maximum and minimum; NaN if either operand is. Equal operands get half of the gradient each.
template <class A, class B>
requires detail::Operands<A, B> Var maximum(const A& a, const B& b) { return detail::maximum(a, b); }
template <class A, class B>
requires detail::Operands<A, B> Var minimum(const A& a, const B& b) { return detail::minimum(a, b); }
/// a - b floor(a / b), exact, with the sign of b, as in Python and NumPy. NaN for b = 0 and for an infinite a.
/// Gradients: 1 with respect to a, -floor(a / b) with respect to b.
template <class A, class B>
requires detail::Operands<A, B> Var mod(const A& a, const B& b) { return detail::mod(a, b); }

// ---- Pointwise functions (pointwise.cpp) ----

Var operator-(Var x);
Var exp(Var x);
/// Natural logarithm: -inf at 0, NaN below 0.
Var log(Var x);
/// NaN below 0; the gradient at 0 is +inf.
Var sqrt(Var x);
Var square(Var x);
/// The gradient at 0 is 0.
Var abs(Var x);
/// max(x, 0); the gradient at 0 is 0.
Var relu(Var x);
/// 1 / (1 + e^-x), without overflow at either end.
Var sigmoid(Var x);
Var tanh(Var x);
/// x if x > 0, else negative_slope x; the gradient at 0 is negative_slope. Throws ValueError unless negative_slope is
/// finite.
Var leaky_relu(Var x, double negative_slope);
Var leaky_relu(Var x);  ///< negative_slope 0.2, as in Keras's function (Keras's layer has 0.3)
/// x if x > 0, else alpha (e^x - 1) (Clevert, Unterthiner and Hochreiter, 2016). Throws ValueError unless alpha is
/// finite.
Var elu(Var x, double alpha);
Var elu(Var x);  ///< alpha 1

struct GeluOptions {
  bool approximate = false;  ///< use x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
};

/// x Phi(x), with the standard normal distribution function Phi: x (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel,
/// 2016). NaN at -inf, like swish.
Var gelu(Var x, const GeluOptions& options);
Var gelu(Var x);
/// x sigmoid(x) (Ramachandran, Zoph and Le, 2017). silu is an alias.
Var swish(Var x);
Var silu(Var x);
/// log(1 + e^x), without overflow and precise for large |x|.
Var softplus(Var x);
/// The identity: the default activation of Dense.
Var linear(Var x);

// ---- More activations (activations.cpp) ----

/// min(max(x / 6 + 1/2, 0), 1); the gradient at -3 and 3 is 0.
Var hard_sigmoid(Var x);
/// x hard_sigmoid(x), 0 at -inf (Howard et al., 2019); the gradient at -3 is 0, at 3 it is 1. hard_swish is an alias.
Var hard_silu(Var x);
Var hard_swish(Var x);
/// x / (1 + |x|); NaN at -inf and +inf.
Var softsign(Var x);
/// x tanh(softplus(x)) (Misra, 2019). NaN at -inf, like swish.
Var mish(Var x);
/// min(max(x, 0), 6); the gradient at 0 is 0, at 6 it is 1/2.
Var relu6(Var x);
/// 1.0507... elu(x, 1.6733...): keeps mean 0 and variance 1 (Klambauer et al., 2017).
Var selu(Var x);
/// x if x > 0, else alpha (e^(x / alpha) - 1) (Barron, 2017). Throws ValueError unless alpha is finite and above 0.
Var celu(Var x, double alpha);
Var celu(Var x);  ///< alpha 1
/// log(sigmoid(x)), precise for large |x|.
Var log_sigmoid(Var x);

// ---- More functions of one value (elementary.cpp) ----

Var sin(Var x);
Var cos(Var x);
/// The error function: 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
Var erf(Var x);
/// log(1 + x), precise near 0. -inf at -1, NaN below.
Var log1p(Var x);
/// e^x - 1, precise near 0.
Var expm1(Var x);
/// 1 above 0, -1 below, 0 at 0. The gradient is 0.
Var sign(Var x);
/// The nearest whole number below, above, or on either side; `round` rounds halves to the even number. The gradients
/// are 0.
Var floor(Var x);
Var ceil(Var x);
Var round(Var x);
/// x limited to [least, most]; a bound may be infinite. The gradient is 1 inside and at the bounds, as in PyTorch and
/// TensorFlow, else 0. Throws ValueError if least > most or one of them is NaN.
Var clip(Var x, double least, double most);

// ---- Along an axis (reductions.cpp, softmax.cpp); a negative axis counts from the end ----

struct ReduceOptions {
  bool keepdims = false;  ///< keep the axis, with dimension 1
};

/// Over all elements, which returns a scalar, or over one axis. Sums are pairwise. The mean of no elements is NaN.
Var sum(Var x);
Var sum(Var x, Index axis, const ReduceOptions& options = {});
Var mean(Var x);
Var mean(Var x, Index axis, const ReduceOptions& options = {});
/// NaN if any element is. Equal maxima share the gradient equally. Throws ShapeError if there are no elements.
/// (The parentheses guard against the macro max of the Windows headers.)
Var(max)(Var x);
Var(max)(Var x, Index axis, const ReduceOptions& options = {});
/// The same for the minimum.
Var(min)(Var x);
Var(min)(Var x, Index axis, const ReduceOptions& options = {});
/// The product; 1 of no elements. The gradient is right with zeros among the elements.
Var prod(Var x);
Var prod(Var x, Index axis, const ReduceOptions& options = {});
/// mean((x - mean(x))^2), biased, as NumPy's and Keras's `var`, in two passes. NaN of no elements.
Var variance(Var x);
Var variance(Var x, Index axis, const ReduceOptions& options = {});
/// log(sum(e^x)), computed from x - max(x). -inf of no elements and where all are -inf, with gradient 0; +inf where one
/// is +inf, whose gradient is NaN.
Var logsumexp(Var x);
Var logsumexp(Var x, Index axis, const ReduceOptions& options = {});

struct CumsumOptions {
  bool exclusive = false;  ///< without the element itself: the first sum is 0
  bool reverse = false;    ///< from the end
};

/// The sums of the elements up to each one along an axis, in double.
Var cumsum(Var x, Index axis, const CumsumOptions& options = {});

/// e^x / sum(e^x) along an axis, the last by default, computed from x - max(x).
/// An element of -inf gets probability 0. A slice that is all -inf, or contains +inf or NaN, becomes all NaN.
/// Gradient: dx = s (g - <g, s>).
Var softmax(Var x);
Var softmax(Var x, Index axis);
/// log(softmax(x)) = x - max - log sum e^(x - max): accurate even where softmax underflows.
Var log_softmax(Var x);
Var log_softmax(Var x, Index axis);

// ---- Normalization (normalization.cpp); biased variance, computed in two passes ----

/// y = scale (x - mean) / sqrt(variance + epsilon) + offset, per feature.
/// x: (..., features); the others: (features) or a scalar. Throws ShapeError, naming all five shapes.
Var batch_normalization(Var x, Operand mean, Operand variance, Operand scale, Operand offset, double epsilon = 1e-3);

struct BatchNormalized {
  Var y, mean, variance;
};

/// The same with the mean and variance of x over all axes but the last (Ioffe and Szegedy, 2015), which mixes samples.
/// Also returns mean and variance, (features) each, as constants: they pass no gradient back to x. The gradient of y
/// with respect to x includes their dependence on x.
BatchNormalized batch_normalization(Var x, Operand scale, Operand offset, double epsilon = 1e-3);

struct LayerNormalizationOptions {
  Index axes = 1;  ///< how many of the last axes are normalized together
  double epsilon = 1e-3;
};

/// y = scale (x - mean) / sqrt(variance + epsilon) + offset, with the mean and variance of x over its last axes (Ba,
/// Kiros and Hinton, 2016). scale, offset: the shape of these axes, or a scalar. Throws ShapeError, naming all three
/// shapes.
Var layer_normalization(Var x, Operand scale, Operand offset, const LayerNormalizationOptions& options = {});

// ---- Shapes and indexing (shapes.cpp, take.cpp) ----

/// The same elements in another shape, without a copy. One dimension may be -1; it is inferred.
Var reshape(Var x, std::span<const Index> dimensions);
Var reshape(Var x, std::initializer_list<Index> dimensions);
Var reshape(Var x, const Shape& shape);
/// x of shape (batch, steps, ...) as (batch steps, ...), so that each step is a sample of a larger batch. Unlike after
/// a reshape, the tape still knows which rows belong to a sample (Tape::mixes_samples). Undo it by `reshape`. Throws
/// ShapeError for an x of rank 1 or less.
Var steps_as_samples(Var x);
/// Permutes the axes, by default reverses them: y.shape[i] = x.shape[axes[i]].
Var transpose(Var x);
Var transpose(Var x, std::span<const Index> axes);
Var transpose(Var x, std::initializer_list<Index> axes);
/// Joins values along an axis; all other axes must agree. Requires at least one value.
Var concatenate(std::span<const Var> values, Index axis = -1);
Var concatenate(std::initializer_list<Var> values, Index axis = -1);
/// Positions [begin, end) of one axis; negative ones count from its end, as in Python. Throws ShapeError if the range
/// is not within the axis.
Var slice_axis(Var x, Index axis, Index begin, Index end);
/// The positions of one axis in reverse order.
Var flip(Var x, Index axis);

/// Gathers rows of a table: y[i...] = table[indices[i...]].
/// indices: whole numbers, any shape; table: (rows, ...). Returns (indices' shape, ...). Only the table has a gradient.
/// Throws ValueError, naming the position, for an index that is not a whole number in [0, rows).
Var take(Operand table, Var indices);

}  // namespace cornu
