#include "cornu/core/error.h"
#include "cornu/onnx/ops.h"

namespace cornu::onnx::detail {

namespace {

void product(Call& call) { call.result(matmul(call[0], call[1])); }

/// y = alpha a b + beta c, a and b transposed where it is said.
void gemm(Call& call) {
  const bool is_transposed = call.value(1).layout == Layout::transposed;  // already, in memory
  const Var a = call[0], b = call.value(1).var;
  const double alpha = call.real("alpha", 1), beta = call.real("beta", 1);
  const MatmulOptions options{.transpose_a = call.integer("transA", 0) != 0,
                              .transpose_b = call.integer("transB", 0) != 0 && !is_transposed};
  require<FormatError>(a.rank() == 2 && b.rank() == 2, "operands of shapes {} and {}; two matrices are required",
                       a.shape(), b.shape());
  const bool plain = alpha == 1 && beta == 1 && !options.transpose_a && !options.transpose_b;
  if (plain && call.has(2) && call[2].shape() == Shape{b.shape()[1]}) return call.result(affine(a, b, call[2]));
  Var y = matmul(a, b, options);
  if (alpha != 1) y = alpha * y;
  if (call.has(2)) y = y + (beta == 1 ? call[2] : beta * call[2]);
  call.result(y);
}

}  // namespace

std::span<const Op> product_ops() {
  static constexpr Op ops[] = {
      {"Gemm", 6, 2, 3, 1, "alpha beta broadcast transA transB ", 0b110, gemm},
      {"MatMul", 1, 2, 2, 1, "", 0b11, product},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
