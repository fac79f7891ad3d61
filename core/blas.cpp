#include "cornu/core/blas.h"

#include <cblas.h>

#include <algorithm>
#include <limits>

#include "cornu/core/error.h"

namespace cornu {

namespace {

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

void require_blas_sizes(const char* what, Index m, Index k, Index n) {
  for (const Index size : {m, k, n}) {
    require(size <= std::numeric_limits<int>::max(), "{}: a dimension of {} is beyond BLAS's 32-bit sizes", what, size);
  }
}

void gemm(MatrixView a, MatrixView b, Sink c) {
  require_blas_sizes("gemm", a.outer(), a.inner(), b.inner());
  const int m = static_cast<int>(a.outer()), k = static_cast<int>(a.inner()), n = static_cast<int>(b.inner());
  if (m == 0 || n == 0) return;
  if (k == 0) {  // An empty sum: BLAS would complain about the leading dimension of an empty matrix.
    if (!c.accumulates()) std::fill(c.view().begin(), c.view().end(), Real{0});
    return;
  }
  use_one_thread();
  call(flag(a), flag(b), m, n, k, a.data, a.transposed ? m : k, b.data, b.transposed ? k : n,
       c.accumulates() ? Real{1} : Real{0}, c.data(), n);
}

}  // namespace cornu
