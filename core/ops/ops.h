#pragma once

#include <span>

#include "cornu/core/operand.h"

/// The differentiable operations. Each is one function, forward and gradient side by side; docs/extending.md shows how
/// to write another. All throw ShapeError for shapes that do not fit, naming them, and StateError for values of two
/// tapes. NaN in is NaN out (but see pow). The same functions on tensors, without a tape, are in eager.h.
namespace cornu {

// ---- Products (products.cpp) ----

struct MatmulOptions {
  bool transpose_a = false, transpose_b = false;
};

/// The matrix product, as NumPy's: (m, k) x (k, n) is (m, n); leading axes broadcast as batches of matrices; an operand
/// of rank 1 is a row on the left, a column on the right, and the axis of 1 that it brings is dropped again.
/// An option swaps the last two axes of an operand, without moving a number.
Var matmul(Var a, Operand b, const MatmulOptions& options = {});
Var matmul(const Parameter& a, Var b, const MatmulOptions& options = {});

/// y = x w + b, the heart of Dense.
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
}  // namespace detail

/// Two operands of which at least one is a Var; the other may be a Parameter or a number.
template <class A, class B>
concept Operands = std::convertible_to<const A&, Operand> && std::convertible_to<const B&, Operand> &&
    (std::same_as<A, Var> || std::same_as<B, Var>);

template <class A, class B>
requires Operands<A, B> Var operator+(const A& a, const B& b) { return detail::add(a, b); }
template <class A, class B>
requires Operands<A, B> Var operator-(const A& a, const B& b) { return detail::subtract(a, b); }
template <class A, class B>
requires Operands<A, B> Var operator*(const A& a, const B& b) { return detail::multiply(a, b); }
template <class A, class B>
requires Operands<A, B> Var operator/(const A& a, const B& b) { return detail::divide(a, b); }
/// base^exponent. NaN^0 and 1^NaN are 1, as in C and NumPy: the other number does not matter.
/// At base 0 the gradient with respect to the exponent is 0 for exponents from 0 up.
template <class A, class B>
requires Operands<A, B> Var pow(const A& base, const B& exponent) { return detail::power(base, exponent); }
/// The larger, or the smaller, of each pair; NaN if either is. Where the two are equal each gets half of the gradient.
template <class A, class B>
requires Operands<A, B> Var maximum(const A& a, const B& b) { return detail::maximum(a, b); }
template <class A, class B>
requires Operands<A, B> Var minimum(const A& a, const B& b) { return detail::minimum(a, b); }

// ---- Pointwise functions (pointwise.cpp) ----

Var operator-(Var x);
Var exp(Var x);
/// The natural logarithm: -inf at 0, NaN below.
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
/// x where it is positive, else negative_slope x, which is the slope at 0 too. Throws ValueError unless that is finite.
Var leaky_relu(Var x, double negative_slope);
Var leaky_relu(Var x);  ///< of negative_slope 0.2, as Keras's function; its layer has 0.3
/// x where it is positive, else alpha (e^x - 1) (Clevert, Unterthiner and Hochreiter, 2016). Throws ValueError unless
/// alpha is finite.
Var elu(Var x, double alpha);
Var elu(Var x);  ///< of alpha 1

struct GeluOptions {
  bool approximate = false;  ///< x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 instead
};

/// x times the probability that a standard normal number is below x: x (1 + erf(x / sqrt 2)) / 2 (Hendrycks and Gimpel,
/// 2016). NaN at -inf, as swish.
Var gelu(Var x, const GeluOptions& options);
Var gelu(Var x);
/// x sigmoid(x) (Ramachandran, Zoph and Le, 2017). silu is another name of it.
Var swish(Var x);
Var silu(Var x);
/// log(1 + e^x), without overflow, and precise at either end.
Var softplus(Var x);
/// x itself: the activation of a Dense layer that has none.
Var linear(Var x);

// ---- Along an axis (reductions.cpp, softmax.cpp); a negative axis counts from the end ----

struct ReduceOptions {
  bool keepdims = false;  ///< keep the axis, with dimension 1
};

/// Over every number (a scalar comes), or over one axis. Sums are pairwise. The mean of nothing is NaN.
Var sum(Var x);
Var sum(Var x, Index axis, const ReduceOptions& options = {});
Var mean(Var x);
Var mean(Var x, Index axis, const ReduceOptions& options = {});
/// NaN if any number is. Those that share the maximum share its gradient equally. Throws ShapeError for no numbers.
/// (In parentheses, because the headers of Windows define a macro max.)
Var(max)(Var x);
Var(max)(Var x, Index axis, const ReduceOptions& options = {});

/// e^x over its sum, along the last axis or another one, computed from x minus its maximum.
/// Part of a slice -inf: probability 0 there. A slice all -inf, or with +inf or NaN in it: all NaN.
/// Gradient: dx = s (g - <g, s>).
Var softmax(Var x);
Var softmax(Var x, Index axis);
/// log(softmax(x)) = x - max - log sum e^(x - max): exact where softmax underflows.
Var log_softmax(Var x);
Var log_softmax(Var x, Index axis);

// ---- Normalisation (normalization.cpp); variances are of the population, computed in two passes ----

/// y = scale (x - mean) / sqrt(variance + epsilon) + offset, each feature by itself.
/// x: (..., features); the others: (features), or one number for all. Throws ShapeError, naming all five.
Var batch_normalization(Var x, Operand mean, Operand variance, Operand scale, Operand offset, double epsilon = 1e-3);

struct BatchNormalized {
  Var y, mean, variance;
};

/// The same with mean and variance of x itself over all axes but the last, in which samples meet (Ioffe and Szegedy,
/// 2015). They come back, (features) each, without a gradient of their own: what x adds to y through them is in x's.
BatchNormalized batch_normalization(Var x, Operand scale, Operand offset, double epsilon = 1e-3);

struct LayerNormalizationOptions {
  Index axes = 1;  ///< how many of the last axes are taken together
  double epsilon = 1e-3;
};

/// y = scale (x - mean) / sqrt(variance + epsilon) + offset, mean and variance those of x along its last axes (Ba,
/// Kiros and Hinton, 2016). scale, offset: of these axes' shape, or one number for all. Throws ShapeError, naming all
/// three.
Var layer_normalization(Var x, Operand scale, Operand offset, const LayerNormalizationOptions& options = {});

// ---- Shape and place (shapes.cpp, take.cpp) ----

/// The same numbers under another shape, without a copy. One dimension may be -1: what is left for it.
Var reshape(Var x, std::span<const Index> dimensions);
Var reshape(Var x, std::initializer_list<Index> dimensions);
Var reshape(Var x, const Shape& shape);
/// The axes in another order, reversed by default: y.shape[i] = x.shape[axes[i]].
Var transpose(Var x);
Var transpose(Var x, std::span<const Index> axes);
Var transpose(Var x, std::initializer_list<Index> axes);
/// One after the other along an axis; all other dimensions must agree. At least one value.
Var concatenate(std::span<const Var> values, Index axis = -1);
Var concatenate(std::initializer_list<Var> values, Index axis = -1);
/// Positions [begin, end) of one axis, counted from its end where negative, as in Python. Throws ShapeError outside it.
Var slice_axis(Var x, Index axis, Index begin, Index end);

/// Slices of a table by their numbers: y[i...] = table[indices[i...]].
/// indices: any shape, whole numbers; table: (rows, ...). Returns (indices' shape, ...). Only the table has a gradient.
/// Throws ValueError for an index that is not whole or not below `rows`, naming its position.
Var take(Operand table, Var indices);

}  // namespace cornu
