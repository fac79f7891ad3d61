#pragma once

#include <algorithm>

#include "cornu/core/shape.h"

/// The likely remedy, for the end of an error about shapes; "" if none is likely. For .cpp files alone.
namespace cornu::detail {

/// For a sample that came in another shape than the required one.
inline const char* sample_hint(const Shape& came, const Shape& required) {
  if (came == required || came.size() != required.size()) return "";
  return required.rank() == 1 ? " (is a Flatten missing?)" : " (is a Reshape missing?)";
}

/// For predictions with an axis for each of the truth's, or, if the truth is `labels`, one more: images whose axes have
/// come through to the predictions.
inline const char* prediction_hint(const Shape& y_pred, const Shape& y_true, bool labels = false) {
  const bool one_label = y_true.rank() == 2 && (y_true[-1] == 1 || (y_pred.rank() > 0 && y_true[-1] == y_pred[-1]));
  const Index required = labels && !one_label ? y_true.rank() + 1 : std::max(y_true.rank(), Index{2});
  return y_pred.rank() > required ? " (is a Flatten missing?)" : "";
}

}  // namespace cornu::detail
