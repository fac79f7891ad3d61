#pragma once

#include "cornu/core/tensor.h"

namespace cornu {

/// A matrix as BLAS sees it: rows x columns numbers in row-major order, `stride` from one row to the next, or the
/// transpose of such.
struct MatrixView {
  const Real* data = nullptr;
  Index rows = 0, columns = 0;  // as stored
  Index stride = 0;
  bool transposed = false;

  MatrixView(const Real* numbers, Index row_count, Index column_count, bool is_transposed = false)
      : data(numbers), rows(row_count), columns(column_count), stride(column_count), transposed(is_transposed) {}
  /// Of a view of rank 2.
  MatrixView(const ConstView& view) : MatrixView(view.data(), view.shape()[0], view.shape()[1]) {}
  MatrixView(const View& view) : MatrixView(ConstView(view)) {}

  Index outer() const { return transposed ? columns : rows; }
  Index inner() const { return transposed ? rows : columns; }
  /// The matrix's rows [first, first + count): of a transposed one these are columns as stored.
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
