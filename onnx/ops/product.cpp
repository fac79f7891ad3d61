#include <algorithm>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// Throws ValueError unless sums of `terms` integer products, with the addend, are exact in any order.
void require_exact(const Call& call, Index terms, double alpha, double beta) {
  if (call.kind(0) == Kind::real) return;
  const auto largest = [&](std::size_t input) {
    double result = 0;
    if (!call.has(input)) return result;
    for (const Real number : call[input].value()) result = std::max(result, std::abs(static_cast<double>(number)));
    return result;
  };
  const double bound = std::max(1.0, std::abs(alpha)) * largest(0) * largest(1) * static_cast<double>(terms) +
                       std::max(1.0, std::abs(beta)) * largest(2);
  require<ValueError>(bound <= std::ldexp(1.0, std::numeric_limits<Real>::digits),
                      "a product of integers may be as large as {}, which is more than Cornu can represent exactly",
                      bound);
}

void product(Call& call) {
  const Var a = call[0], b = call[1];
  require_exact(call, a.rank() == 0 ? 0 : a.shape()[-1], 1, 1);
  call.result(matmul(a, b), call.kind(0));
}

/// y = alpha a b + beta c, with a and b transposed according to transA and transB.
void gemm(Call& call) {
  const bool is_transposed = call.value(1).layout == Layout::transposed;  // the stored weight is transposed already
  const Var a = call[0], b = call.value(1).var;
  const double alpha = call.real("alpha", 1), beta = call.real("beta", 1);
  const MatmulOptions options{.transpose_a = call.integer("transA", 0) != 0,
                              .transpose_b = call.integer("transB", 0) != 0 && !is_transposed};
  require<FormatError>(a.rank() == 2 && b.rank() == 2, "operands of shapes {} and {}; two matrices are required",
                       a.shape(), b.shape());
  require_exact(call, b.shape()[options.transpose_b ? 1 : 0], alpha, beta);
  const bool plain = alpha == 1 && beta == 1 && !options.transpose_a && !options.transpose_b;
  if (plain && call.has(2) && call[2].shape() == Shape{b.shape()[1]}) {
    return call.result(affine(a, b, call[2]), call.kind(0));
  }
  Var y = matmul(a, b, options);
  if (alpha != 1) y = alpha * y;
  if (call.has(2)) y = y + (beta == 1 ? call[2] : beta * call[2]);
  call.result(y, call.kind(0));
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
