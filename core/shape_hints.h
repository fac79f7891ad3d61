#pragma once

#include <algorithm>

#include "cornu/core/shape.h"

/// Likely remedies to append to errors about shapes; "" if there is none. For .cpp files only.
namespace cornu::detail {

/// For a sample of the wrong shape.
inline const char* sample_hint(const Shape& came, const Shape& required) {
  if (came == required || came.size() != required.size()) return "";
  return required.rank() == 1 ? " (is a Flatten missing?)" : " (is a Reshape missing?)";
}

/// For predictions with too many axes: more than y_true has, plus an axis of classes if y_true holds labels. Probably
/// the axes of an image were not flattened.
inline const char* prediction_hint(const Shape& y_pred, const Shape& y_true, bool labels = false) {
  const bool one_label = y_true.rank() == 2 && (y_true[-1] == 1 || (y_pred.rank() > 0 && y_true[-1] == y_pred[-1]));
  const Index required = labels && !one_label ? y_true.rank() + 1 : std::max(y_true.rank(), Index{2});
  return y_pred.rank() > required ? " (is a Flatten missing?)" : "";
}

}  // namespace cornu::detail
