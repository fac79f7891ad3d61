#pragma once

#include "cornu/core/matrix_view.h"
#include "cornu/core/sink.h"

namespace cornu {

/// c = alpha a b, or c += alpha a b if the sink accumulates. a: (m, k), b: (k, n), each possibly transposed. c: m n
/// elements. The shapes must match; they are not checked.
/// Throws ShapeError if a size exceeds BLAS's 32-bit integers, and std::bad_alloc if OpenBLAS needs a buffer for this
/// thread and there is no address space for it.
///
/// Zeros: if a is a single contiguous row and b is not transposed and has at least 64 columns, rows of b that are
/// multiplied by exactly 0 are skipped: a NaN or infinity in them has no effect. The same holds for columns of a
/// transposed a with at least 64 rows if b is a single contiguous column. Otherwise 0 times infinity is NaN
/// (docs/decisions/vectors.md).
///
/// Threads: OpenBLAS uses one thread, so that the result does not depend on the number of cores; small products are
/// also slower with several threads (docs/decisions/blas-threads.md). Any number of threads may call gemm at the same
/// time. If OpenBLAS does not know the processor, the first call selects its kernels (docs/decisions/blas-kernels.md).
void gemm(MatrixView a, MatrixView b, Sink c, Real alpha = 1);

namespace detail {
/// Checks the sizes of the product (m, k) times (k, n) before an op allocates memory for it. Throws ShapeError,
/// prefixed with `what`, if one exceeds BLAS's 32-bit integers.
void require_blas_sizes(const char* what, Index m, Index k, Index n);

/// Does the one-time setup of the first gemm. Call it before starting threads: it may change OpenBLAS's kernels and
/// thread count and, temporarily, the environment.
void set_up_blas();
}  // namespace detail

}  // namespace cornu
