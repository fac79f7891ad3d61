#pragma once

#include <vector>

#include "cornu/core/kernels/tile_product.h"

namespace cornu::detail {

/// A known matrix (depth, columns) and a bias, packed for products with a few rows at a time. relu: of the result.
class PackedProduct {
 public:
  /// bias: (columns), or empty.
  PackedProduct(ConstView matrix, ConstView bias, bool relu);

  Index depth() const { return depth_; }
  Index columns() const { return columns_; }
  /// product: the left operand. Results are written to `out`, with rows of out_row elements.
  void run(TileProduct product, Index rows, Real* out, Index out_row) const;

 private:
  Index depth_, columns_;
  bool relu_;
  std::vector<Tensor> panels_;
};

}  // namespace cornu::detail
