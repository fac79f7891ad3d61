#include "cornu/core/kernels/row_product.h"

#include "cornu/core/kernels/row_loops.h"
#include "cornu/core/kernels/vectorized.h"

namespace cornu::detail {

void row_product(const RowProduct& product, Real* out) {
  vectorized([=](auto bytes) { RowLoops<bytes>::product(product, out); });
}

}  // namespace cornu::detail
