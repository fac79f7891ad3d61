#pragma once

#include "cornu/core/tensor.h"

namespace cornu {

/// Products of small matrices that are read where they lie, of which a tile at a time is summed up in registers:
///
///     sum(o, r, j) = sum over k of left(o, r, k) right(k, j)      o < outer, r < rows, j < columns
///
/// A convolution's forward pass and both of its gradients are such products of parts of images, so that no matrix of
/// windows ("im2col") is ever written (docs/decisions/convolution.md).
struct TileProduct {
  /// left(o, r, k) is at left + o left_outer + r left_row + the place of k. The places of successive k are a loop over
  /// `segments`, in it one over `parts`, in it one over `length`, each with its stride.
  const Real* left = nullptr;
  Index left_outer = 0, left_row = 0;
  Index segments = 1, segment_stride = 0;
  Index parts = 1, part_stride = 0;
  Index length = 0, step = 1;

  /// right(k, j) is at right + k right_step + j. There must be tile_columns(columns) numbers in each row.
  const Real* right = nullptr;
  Index right_step = 0;

  Index outer = 1, rows = 0, columns = 0;

  /// Result (o, r, j) goes to out + o out_outer + r out_row + j.
  Real* out = nullptr;
  Index out_outer = 0, out_row = 0;
  /// Not null: the result is sum + bias[j], at least 0 if `relu`. There must be tile_columns(columns) numbers.
  /// Null: the sum is added to what is there, in whole vectors: beyond the columns 0 is added, in memory that must be.
  const Real* bias = nullptr;
  bool relu = false;
  /// With a bias: up to here whole vectors may be written, also beyond the columns, because it is written again later.
  const Real* spill_end = nullptr;
};

/// At most so many columns are possible in one TileProduct, and `columns` of them take up that many in memory: a
/// number of whole vectors of this processor.
Index tile_most_columns();
Index tile_columns(Index columns);

/// Requires columns <= tile_most_columns().
void multiply(const TileProduct& product);

}  // namespace cornu
