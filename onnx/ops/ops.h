#pragma once

#include <span>

#include "cornu/onnx/call.h"

/// The tables of ops, one row per op, by subject. The columns are described in call.h. The semantics are those of
/// ONNX's Operators.md; comments note only differences between opsets and where Cornu deviates.
namespace cornu::onnx::detail {

std::span<const Op> arithmetic_ops();
std::span<const Op> pointwise_ops();
std::span<const Op> elementary_ops();
std::span<const Op> product_ops();
std::span<const Op> einsum_ops();
std::span<const Op> reduction_ops();
std::span<const Op> extreme_ops();
std::span<const Op> cumulative_ops();
std::span<const Op> normalization_ops();
std::span<const Op> convolution_ops();
std::span<const Op> pooling_ops();
std::span<const Op> padding_ops();
std::span<const Op> resize_ops();
std::span<const Op> attention_ops();
std::span<const Op> recurrent_ops();
std::span<const Op> shape_ops();
std::span<const Op> selection_ops();
std::span<const Op> scatter_ops();
std::span<const Op> sorting_ops();
std::span<const Op> generator_ops();
std::span<const Op> signal_ops();
std::span<const Op> sampling_ops();
std::span<const Op> box_ops();
std::span<const Op> column_ops();
std::span<const Op> loss_ops();
std::span<const Op> control_ops();
std::span<const Op> training_ops();  // in the domain ai.onnx.preview.training

/// All tables of ONNX's default domain.
std::span<const std::span<const Op>> all_ops();

/// The latest supported opset.
inline constexpr Index last_opset = 28;

/// The output of an op without a gradient, because its result is a step function of its inputs: uninitialised, of this
/// shape, with the samples of `operand`.
Var without_gradient(Var operand, const Shape& shape);

/// `axis` in [0, rank): counted from the end if negative. Throws FormatError for another one.
Index axis_of(Index axis, const Shape& shape);

/// The type of an attribute, such as that of Cast. Throws FormatError for a type that Cornu does not support.
ElementType supported_type(Index type);

}  // namespace cornu::onnx::detail
