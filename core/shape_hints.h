#pragma once

#include <algorithm>
#include <string>

#include "cornu/core/error.h"
#include "cornu/core/shape.h"

/// Parts of errors about shapes and values. For .cpp files only.
namespace cornu::detail {

/// The position of element i: "row 3", or "row 3, position 1" if rows have several elements. Allocates: call it only
/// when there is an error.
inline std::string place(const Shape& shape, Index i) {
  const Index width = shape.rank() == 0 || shape[0] == 0 ? 1 : shape.size() / shape[0];
  return width == 1 ? message("row {}", i) : message("row {}, position {}", i / width, i % width);
}

/// A likely remedy for a sample of the wrong shape; "" if there is none.
inline const char* sample_hint(const Shape& came, const Shape& required) {
  if (matches(required, came) || came.size() != required.size()) return "";
  return required.rank() == 1 ? " (is a Flatten missing?)" : " (is a Reshape missing?)";
}

/// The same for predictions with too many axes: more than y_true has, plus an axis of classes if y_true holds labels.
/// Probably the axes of an image were not flattened.
inline const char* prediction_hint(const Shape& y_pred, const Shape& y_true, bool labels = false) {
  const bool one_label = y_true.rank() == 2 && (y_true[-1] == 1 || (y_pred.rank() > 0 && y_true[-1] == y_pred[-1]));
  const Index required = labels && !one_label ? y_true.rank() + 1 : std::max(y_true.rank(), Index{2});
  return y_pred.rank() > required ? " (is a Flatten missing?)" : "";
}

}  // namespace cornu::detail
