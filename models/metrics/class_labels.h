#pragma once

#include <cmath>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/shape_hints.h"
#include "cornu/core/tensor.h"
#include "cornu/optim/losses/mean_over_rows.h"

/// How metrics read labels and predictions.
namespace cornu::detail {

/// Throws ValueError for a threshold outside the range of probabilities.
inline void check_threshold(const char* name, double threshold) {
  require<ValueError>(threshold >= 0 && threshold <= 1,
                      "{}: threshold is {}; it must be in [0, 1]: predictions are probabilities", name, threshold);
}

/// A remedy for a binary label that is neither 0 nor 1; "" if none is likely.
inline const char* label_remedy(Real label) {
  if (label == -1) return "; map -1 and 1 to 0 and 1 by (y + 1) / 2, which Hinge takes as well";
  if (label > 0 && label < 1) return "; for soft labels use a loss as the metric, such as BinaryCrossentropy";
  return "";
}

/// Converts label i to a class index. Throws ValueError unless it is a whole number from 0 to classes - 1.
inline Index class_of_label(const char* name, const char* what, ConstView labels, Index i, Index classes,
                            const char* hint = "") {
  const Real label = labels[i];
  if (!(label >= 0 && label < static_cast<Real>(classes) && label == std::floor(label))) [[unlikely]] {
    throw ValueError(message(
        "{}: {} {} in {}; {}s are whole numbers from 0 to {}{}", name, what, label, place(labels.shape(), i), what,
        classes - 1, *hint == 0 && classes == 2 && std::string_view(what) == "label" ? label_remedy(label) : hint));
  }
  return static_cast<Index>(label);
}

/// The weights of labels of this shape: sample weights of the same shape or of its first axes, such as (batch); 1 if
/// there are none. Throws ShapeError for other shapes.
class LabelWeights {
 public:
  LabelWeights(const char* name, const Shape& labels, ConstView sample_weight)
      : weights_(sample_weight),
        spread_(sample_weight.size() == 0 ? 1 : losses_per_weight(name, labels, sample_weight)) {}

  double operator[](Index i) const { return weights_.size() == 0 ? 1 : static_cast<double>(weights_[i / spread_]); }

 private:
  ConstView weights_;
  Index spread_;
};

}  // namespace cornu::detail
