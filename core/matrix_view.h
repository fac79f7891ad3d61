#pragma once

#include "cornu/core/tensor.h"

namespace cornu {

/// A matrix as BLAS sees it: (rows, columns) elements in row-major order with a row stride, optionally transposed.
struct MatrixView {
  const Real* data = nullptr;
  Index rows = 0, columns = 0;  // as stored
  Index stride = 0;             // from one stored row to the next, in elements
  bool transposed = false;

  MatrixView(const Real* numbers, Index row_count, Index column_count, bool is_transposed = false)
      : data(numbers), rows(row_count), columns(column_count), stride(column_count), transposed(is_transposed) {}
  /// The matrix of a view of rank 2.
  MatrixView(const ConstView& view) : MatrixView(view.data(), view.shape()[0], view.shape()[1]) {}
  MatrixView(const View& view) : MatrixView(ConstView(view)) {}

  /// Rows and columns after transposition.
  Index outer() const { return transposed ? columns : rows; }
  Index inner() const { return transposed ? rows : columns; }
  /// Rows [first, first + count) of the matrix: stored columns if it is transposed.
  MatrixView outer_part(Index first, Index count) const {
    MatrixView part = *this;
    part.data += transposed ? first : first * stride;
    (transposed ? part.columns : part.rows) = count;
    return part;
  }
};

inline MatrixView transposed(MatrixView m) {
  m.transposed = !m.transposed;
  return m;
}

}  // namespace cornu
