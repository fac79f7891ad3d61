#pragma once

#include "cornu/core/kernels/blas.h"

namespace cornu::detail {

/// True if `small_product` is faster than BLAS: for a single row or column, where BLAS copies more than it multiplies,
/// and for many rows times a few columns. Depends only on the shapes. Figures: docs/decisions/vectors.md.
bool suits_small_product(const MatrixView& a, const MatrixView& b);

/// c = alpha a b, or c += alpha a b if the sink accumulates: `gemm` for shapes for which suits_small_product is true
/// and no size is 0. Sums over k are computed in blocks, which limits their rounding error. 0 times infinity is NaN,
/// except for the zeros of a single row that gemm skips.
void small_product(const MatrixView& a, const MatrixView& b, Real alpha, const Sink& c);

}  // namespace cornu::detail
