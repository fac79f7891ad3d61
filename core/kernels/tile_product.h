#pragma once

#include "cornu/core/tensor.h"

namespace cornu::detail {

/// A batch of small matrix products of operands that are read in place, without packing. Tiles of the result are summed
/// in registers:
///
///     sum(o, r, j) = sum over k of left(o, r, k) right(k, j)      o < outer, r < rows, j < columns
///
/// The forward pass of a convolution and both of its gradients are such products, so that no matrix of windows
/// ("im2col") is needed (docs/decisions/convolution.md).
struct TileProduct {
  /// left(o, r, k) is at left + o left_outer + r left_row + offset(k). The offsets are those of three nested loops,
  /// over `segments`, `parts` and `length`, with the strides segment_stride, part_stride and step.
  const Real* left = nullptr;
  Index left_outer = 0, left_row = 0;
  Index segments = 1, segment_stride = 0;
  Index parts = 1, part_stride = 0;
  /// A left operand in a ring: the parts from `wrap_part` on are `wrap` elements earlier.
  Index wrap_part = 0, wrap = 0;
  Index length = 0, step = 1;

  /// right(k, j) is at right + k right_step + j. Each row must have tile_columns(columns) readable elements.
  const Real* right = nullptr;
  Index right_step = 0;

  Index outer = 1, rows = 0, columns = 0;

  /// Result (o, r, j) is written to out + o out_outer + r out_row + j.
  Real* out = nullptr;
  Index out_outer = 0, out_row = 0;
  /// Not null: the result is sum + bias[j], or max(0, sum + bias[j]) if `relu`. It must have tile_columns(columns)
  /// elements.
  /// Null: the sum is added to `out`. Whole vectors are written (0 is added beyond the columns), so each row of
  /// `out` must have tile_columns(columns) elements.
  const Real* bias = nullptr;
  bool relu = false;
  /// With a bias: whole vectors may be written up to here. Elements beyond the columns must be overwritten later.
  const Real* spill_end = nullptr;
};

/// The most columns of a TileProduct, and `columns` rounded up to whole vectors of this processor.
Index tile_most_columns();
Index tile_columns(Index columns);

/// Requires columns <= tile_most_columns().
void multiply(const TileProduct& product);

}  // namespace cornu::detail
