#pragma once

#include <vector>

#include "cornu/core/kernels/tile_product.h"
#include "cornu/models/streaming/ring.h"

namespace cornu::detail {

/// A known matrix (depth, columns) and a bias, packed for products with a few rows at a time. relu: of the result.
class PackedProduct {
 public:
  /// bias: (columns), or empty.
  PackedProduct(ConstView matrix, ConstView bias, bool relu);

  Index depth() const { return depth_; }
  Index columns() const { return columns_; }
  /// product: the left operand. Results are written to `out`, with rows of out_row elements. spills: whole vectors may
  /// be written, up to stream_slack elements beyond the last row.
  void run(TileProduct product, Index rows, Real* out, Index out_row, bool spills) const;
  /// A product without relu of one row of depth() elements, which spills.
  void run_row(const Real* x, Real* out) const;

 private:
  Index depth_, columns_;
  bool relu_;
  struct Panel {
    Tensor numbers;
    Index first, width, step;  // columns, and the distance of rows
  };
  std::vector<Panel> panels_;
};

}  // namespace cornu::detail
