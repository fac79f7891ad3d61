#include <algorithm>
#include <cmath>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// Products of matrices of whole numbers, with 64 bits. Shapes as in `matmul`.
Value integer_product(Call& call) {
  const std::span<const Index> x = call.integers(0), y = call.integers(1);
  Shape a = call.shape(0), b = call.shape(1);
  require(a.rank() > 0 && b.rank() > 0, "operands of shapes {} and {}; at least one axis is required", a, b);
  const bool is_row = a.rank() == 1, is_column = b.rank() == 1;
  if (is_row) a = a.inserted(0, 1);
  if (is_column) b = b.inserted(1, 1);
  const Index m = a[-2], k = a[-1], n = b[-1];
  require(b[-2] == k, "operands of shapes {} and {}; the inner dimensions differ", call.shape(0), call.shape(1));
  const Shape of_a = a.sub(0, a.rank() - 2), of_b = b.sub(0, b.rank() - 2), batch = broadcast(of_a, of_b, "MatMul");
  const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(batch.size() * m * n));
  Broadcast(of_a, of_b, batch).each([&](Index which, Index from_a, Index from_b) {
    for (Index i = 0; i < m; ++i) {
      for (Index j = 0; j < n; ++j) {
        Index sum = 0;
        for (Index l = 0; l < k; ++l) {
          Index product = 0;
          const bool overflows =
              __builtin_mul_overflow(x[static_cast<std::size_t>((from_a * m + i) * k + l)],
                                     y[static_cast<std::size_t>((from_b * k + l) * n + j)], &product) ||
              __builtin_add_overflow(sum, product, &sum);
          require<ValueError>(!overflows, "its integers overflow 64 bits");
        }
        result[static_cast<std::size_t>((which * m + i) * n + j)] = wrapped(call.type(0), sum);
      }
    }
  });
  Shape shape = batch;
  if (!is_row) shape = shape.inserted(shape.rank(), m);
  if (!is_column) shape = shape.inserted(shape.rank(), n);
  return whole_value(call.type(0), shape, result, call.source());
}

void product(Call& call) {
  call.is_real() ? call.result(matmul(call[0], call[1])) : call.result(0, integer_product(call));
}

/// y = alpha a b + beta c, with a and b transposed according to transA and transB.
void gemm(Call& call) {
  const bool is_transposed = call.value(1).layout == Layout::transposed;  // the stored weight is transposed already
  const Var a = call[0], b = call.value(1).var;
  require<FormatError>(call.is_real(1), "its operands are of different types");
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

/// Of matrices in the last two axes, by Gaussian elimination in double.
void determinant(Call& call) {
  const Var x = call[0];
  const Shape s = x.shape();
  require<FormatError>(s.rank() >= 2 && s[-1] == s[-2], "an input of shape {}; square matrices are required", s);
  const Var y = call.tape().output(s.sub(0, s.rank() - 2), {x});
  const Index n = s[-1];
  const std::span<double> m = call.memory<double>(static_cast<std::size_t>(n * n));
  const auto row = [&](Index i) { return m.data() + i * n; };
  for (Index k = 0; k < y.size(); ++k) {
    std::copy_n(x.value().data() + k * n * n, n * n, m.begin());
    double result = 1;
    for (Index j = 0; j < n; ++j) {
      Index pivot = j;
      for (Index i = j + 1; i < n; ++i) {
        if (std::abs(row(i)[j]) > std::abs(row(pivot)[j])) pivot = i;
      }
      if (pivot != j) {
        std::swap_ranges(row(j), row(j) + n, row(pivot));
        result = -result;
      }
      result *= row(j)[j];
      for (Index i = j + 1; i < n && row(j)[j] != 0; ++i) {
        const double factor = row(i)[j] / row(j)[j];
        for (Index c = j; c < n; ++c) row(i)[c] -= factor * row(j)[c];
      }
    }
    y.out()[k] = static_cast<Real>(result);
  }
  call.result(y);
}

}  // namespace

std::span<const Op> product_ops() {
  static constexpr Op ops[] = {
      {.name = "Det", .since = 11, .gradient = Gradient::none, .run = determinant},
      {.name = "Gemm",
       .since = 6,
       .inputs = {2, 3},
       .attributes = "alpha beta broadcast transA transB ",
       .weights = 0b110,
       .run = gemm},
      {.name = "MatMul", .inputs = {2, 2}, .takes = numbers, .weights = 0b11, .run = product},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
