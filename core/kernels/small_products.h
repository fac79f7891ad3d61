#pragma once

#include "cornu/core/kernels/blas.h"

namespace cornu {

/// Whether `small_product` is the faster way: for a single row or column, where BLAS rearranges more than it
/// multiplies, and for many rows times a few columns. A matter of the shapes alone (figures:
/// docs/decisions/vectors.md).
bool suits_small_product(const MatrixView& a, const MatrixView& b);

/// The same as `gemm` for shapes that suit it, without an empty side: c = alpha a b, or c += alpha a b where the sink
/// accumulates. Sums over k are made of blocks, so that their error does not grow with k. Every product is made, those
/// with a 0 too: 0 times infinity is NaN. But for one: see gemm of what a single row does not read.
void small_product(const MatrixView& a, const MatrixView& b, Real alpha, const Sink& c);

}  // namespace cornu
