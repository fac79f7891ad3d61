#include "cornu/core/error.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// Runs the graph that the condition selects. Both may read the values around the node.
void run_if(Call& call) { call.run_graph(call.number(0) != 0 ? "then_branch" : "else_branch"); }

}  // namespace

std::span<const Op> control_ops() {
  static constexpr Op ops[] = {
      {.name = "If", .outputs = many, .attributes = "else_branch then_branch ", .takes = booleans, .run = run_if},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
