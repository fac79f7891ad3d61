#pragma once

#include <span>

#include "cornu/onnx/call.h"

/// The ops, one row each, by subject. What a row says is in call.h; what an op computes is in ONNX's Operators.md, and
/// only what differs between opsets or is Cornu's own is said beside it.
namespace cornu::onnx::detail {

std::span<const Op> arithmetic_ops();
std::span<const Op> pointwise_ops();
std::span<const Op> product_ops();
std::span<const Op> reduction_ops();
std::span<const Op> normalization_ops();
std::span<const Op> image_ops();
std::span<const Op> recurrent_ops();
std::span<const Op> shape_ops();
std::span<const Op> selection_ops();
std::span<const Op> loss_ops();
std::span<const Op> training_ops();  // in the domain ai.onnx.preview.training

/// The latest opset whose ops are known here.
inline constexpr Index last_opset = 17;

/// For an op whose result depends on its inputs in steps, and so has no gradient: a value of this shape to write to,
/// of the same samples as `operand`.
Var without_gradient(Var operand, const Shape& shape);

}  // namespace cornu::onnx::detail
