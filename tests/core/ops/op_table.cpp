#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

const std::vector<OpRow>& op_table() {
  static const std::vector<OpRow> rows = [] {
    std::vector<OpRow> all;
    for (const auto& part : {linear_rows(), arithmetic_rows(), pointwise_rows(), reduce_rows(), normalize_rows(),
                             shape_rows(), image_rows(), sequence_rows(), comparison_rows(), function_rows(),
                             more_reduce_rows(), take_axis_rows(), repeat_rows(), gather_rows(), resampling_rows()}) {
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }();
  return rows;
}

}  // namespace cornu::testing
