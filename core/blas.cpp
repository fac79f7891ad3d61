#include "cornu/core/blas.h"

#include <cblas.h>

#include <algorithm>
#include <limits>

#include "cornu/core/error.h"

namespace cornu {

namespace {

int blas_size(Index n) {
  require(n <= std::numeric_limits<int>::max(), "matmul: a dimension of {} is beyond BLAS's 32-bit sizes", n);
  return static_cast<int>(n);
}

CBLAS_TRANSPOSE flag(MatrixView m) { return m.transposed ? CblasTrans : CblasNoTrans; }

// Of the two one is used, that of Real.
[[maybe_unused]] void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a, int lda,
                           const float* b, int ldb, float beta, float* c, int ldc) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
}

[[maybe_unused]] void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const double* a, int lda,
                           const double* b, int ldb, double beta, double* c, int ldc) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, beta, c, ldc);
}

void use_one_thread() {
  static const bool done = [] {
    openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace

void gemm(MatrixView a, MatrixView b, Sink c) {
  const int m = blas_size(a.outer()), n = blas_size(b.inner()), k = blas_size(a.inner());
  if (m == 0 || n == 0) return;
  if (k == 0) {  // An empty sum: BLAS would complain about the leading dimension of an empty matrix.
    if (!c.accumulates()) std::fill(c.view().begin(), c.view().end(), Real{0});
    return;
  }
  use_one_thread();
  call(flag(a), flag(b), m, n, k, a.data, blas_size(a.columns), b.data, blas_size(b.columns),
       c.accumulates() ? Real{1} : Real{0}, c.data(), n);
}

}  // namespace cornu
