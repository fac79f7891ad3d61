#include "cornu/onnx/ops/ops.h"

#include <array>

namespace cornu::onnx::detail {

namespace {

const Op* find(std::span<const Op> ops, std::string_view name) {
  for (const Op& op : ops) {
    if (op.name == name) return &op;
  }
  return nullptr;
}

}  // namespace

bool is_onnx_domain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

const Op* find_op(std::string_view domain, std::string_view name) {
  if (domain == "ai.onnx.preview.training") return find(training_ops(), name);
  if (!is_onnx_domain(domain)) return nullptr;
  for (const auto ops : {arithmetic_ops(), pointwise_ops(), product_ops(), reduction_ops(), normalization_ops(),
                         image_ops(), recurrent_ops(), shape_ops(), selection_ops(), loss_ops()}) {
    if (const Op* const op = find(ops, name)) return op;
  }
  return nullptr;
}

Var without_gradient(Var operand, const Shape& shape) {
  const Var y = operand.tape().output(shape, {operand});
  return y.backward([] {});
}

}  // namespace cornu::onnx::detail
