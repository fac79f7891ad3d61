#include "cornu/onnx/ops/ops.h"

#include <array>

#include "cornu/core/error.h"

namespace cornu::onnx::detail {

namespace {

const Op* find(std::span<const Op> ops, std::string_view name) {
  for (const Op& op : ops) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

}  // namespace

std::span<const std::span<const Op>> all_ops() {
  static const std::array tables{
      arithmetic_ops(), pointwise_ops(),  elementary_ops(),    product_ops(),     einsum_ops(),    reduction_ops(),
      extreme_ops(),    cumulative_ops(), normalization_ops(), convolution_ops(), pooling_ops(),   padding_ops(),
      resize_ops(),     attention_ops(),  recurrent_ops(),     shape_ops(),       selection_ops(), scatter_ops(),
      sorting_ops(),    generator_ops(),  signal_ops(),        sampling_ops(),    box_ops(),       column_ops(),
      loss_ops(),       control_ops()};
  return tables;
}

bool is_onnx_domain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

const Op* find_op(std::string_view domain, std::string_view name) {
  if (domain == "ai.onnx.preview.training") return find(training_ops(), name);
  if (!is_onnx_domain(domain)) return nullptr;
  for (const std::span<const Op> ops : all_ops()) {
    if (const Op* const op = find(ops, name)) return op;
  }
  return nullptr;
}

Var without_gradient(Var operand, const Shape& shape) {
  const Var y = operand.tape().output(shape, {operand});
  return y.backward([] {});
}

Index axis_of(Index axis, const Shape& shape) {
  const Index result = axis < 0 ? axis + shape.rank() : axis;
  require<FormatError>(0 <= result && result < shape.rank(), "axis is {}, the input has shape {}", axis, shape);
  return result;
}

}  // namespace cornu::onnx::detail
