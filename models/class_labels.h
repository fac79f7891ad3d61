#pragma once

#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/tensor.h"

/// What metrics read out of labels and predictions.
namespace cornu::detail {

/// The position of the largest of `classes` scores: the first of equal ones, of a NaN its position, as argmax has it.
inline Index class_of(const Real* scores, Index classes) {
  Index best = 0;
  for (Index k = 1; k < classes && scores[best] == scores[best]; ++k) {
    if (!(scores[k] <= scores[best])) best = k;
  }
  return best;
}

/// A label as a class. Throws ValueError unless it is one.
inline Index class_of_label(const char* name, const char* what, Real label, Index row, Index classes,
                            const char* hint = "") {
  require<ValueError>(label >= 0 && label < static_cast<Real>(classes) && label == std::floor(label),
                      "{}: {} {} in row {}; {}s are whole numbers from 0 to {}{}", name, what, label, row, what,
                      classes - 1, hint);
  return static_cast<Index>(label);
}

/// Whether `b` is `a`, but for a last axis of 1 that b may have in addition.
inline bool same_but_for_last_1(const Shape& a, const Shape& b) {
  return a == b || (b.rank() == a.rank() + 1 && b[-1] == 1 && b.without(-1) == a);
}

}  // namespace cornu::detail
