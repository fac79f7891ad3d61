#pragma once

#include "cornu/core/kernels/sequence_steps.h"

namespace cornu::detail {

/// out = bias + a A + b B, for rows a and b of numbers and matrices with padded rows. Whole vectors are read and
/// written.
struct RowProduct {
  const Real* a = nullptr;
  Index a_count = 0;
  const Real* a_matrix = nullptr;
  const Real* b = nullptr;
  Index b_count = 0;
  const Real* b_matrix = nullptr;
  const Real* bias = nullptr;  // or null
  Index columns = 0;
  Index step = padded_columns(columns);  // from row to row of the matrices: a whole number of vectors
};

void row_product(const RowProduct& product, Real* out);

}  // namespace cornu::detail
