#pragma once

#include "cornu/core/matrix_view.h"
#include "cornu/core/sink.h"

namespace cornu {

/// c = alpha a b, or c += alpha a b where the sink accumulates. a: (m, k), b: (k, n), each possibly transposed; c: m n
/// numbers. The shapes must fit. Throws ShapeError where a size is beyond BLAS's 32-bit integers.
/// Where a is a single row and b, not transposed, has 64 columns or more, a row of b that is multiplied by exactly 0 is
/// not read: a NaN or an infinity in it does not show (and likewise where b is a single column and a, transposed, has
/// as many). With more rows than one, and with a narrower b, 0 times infinity is NaN. (docs/decisions/vectors.md)
/// OpenBLAS takes one thread for it: the result must not depend on the number of cores, and small products are slower
/// on several (docs/decisions/blas-threads.md). Any number of threads may multiply at the same time. Where OpenBLAS
/// does not know the processor the first call tells it which kernels to use (docs/decisions/blas-kernels.md).
/// Throws std::bad_alloc if OpenBLAS needs a buffer for this thread and there is no address space for it.
void gemm(MatrixView a, MatrixView b, Sink c, Real alpha = 1);

/// What the first call of gemm does besides, done at once: before a program starts threads, say, because it may change
/// OpenBLAS's kernels and threads and, for a moment, the environment.
void set_up_blas();

/// The same check for an op to make before it asks for memory: m x k times k x n. Throws ShapeError, naming `what`.
void require_blas_sizes(const char* what, Index m, Index k, Index n);

}  // namespace cornu
