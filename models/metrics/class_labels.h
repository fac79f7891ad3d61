#pragma once

#include <cmath>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/tensor.h"

/// How metrics read labels and predictions.
namespace cornu::detail {

/// Throws ValueError for a threshold outside [0, 1].
inline void check_threshold(const char* name, double threshold) {
  require<ValueError>(threshold >= 0 && threshold <= 1,
                      "{}: threshold is {}; it must be in [0, 1]: predictions are probabilities", name, threshold);
}

/// Hint for a binary label that is neither 0 nor 1; "" if there is no likely cause.
inline const char* label_remedy(Real label) {
  if (label == -1) return "; map -1 and 1 to 0 and 1 by (y + 1) / 2, which Hinge takes as well";
  if (label > 0 && label < 1) return "; for soft labels use a loss as the metric, such as BinaryCrossentropy";
  return "";
}

/// A label as a class index. Throws ValueError unless it is a whole number from 0 to classes - 1.
inline Index class_of_label(const char* name, const char* what, Real label, Index row, Index classes,
                            const char* hint = "") {
  require<ValueError>(label >= 0 && label < static_cast<Real>(classes) && label == std::floor(label),
                      "{}: {} {} in row {}; {}s are whole numbers from 0 to {}{}", name, what, label, row, what,
                      classes - 1,
                      *hint == 0 && classes == 2 && std::string_view(what) == "label" ? label_remedy(label) : hint);
  return static_cast<Index>(label);
}

}  // namespace cornu::detail
