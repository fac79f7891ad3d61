#pragma once

#include <limits>

#include "cornu/core/tensor.h"

namespace cornu {

/// Constraints on weights, applied after every optimizer step. Set as an option of a layer:
///     Dense{.units = 8, .kernel_constraint = MaxNorm{}}
/// Defaults are Keras's. Norms are Euclidean, over one axis or a range of axes. Use axis 0 for the incoming weights of
/// each unit of a Dense kernel, and axes 0 to 2 for those of each filter of a Conv2D kernel: `MaxNorm{.axis = {0, 2}}`.
struct AxisRange {
  Index first = 0, last = 0;  ///< inclusive

  AxisRange() = default;
  AxisRange(Index axis) : first(axis), last(axis) {}
  AxisRange(Index from, Index to) : first(from), last(to) {}
  void options(auto& visit) {
    visit("first", first);
    visit("last", last);
  }
};
/// Norms are at most max_value.
struct MaxNorm {
  double max_value = 2;
  AxisRange axis = 0;
};
/// Norms are 1.
struct UnitNorm {
  AxisRange axis = 0;
};
/// Weights are at least 0.
struct NonNeg {};

/// Any of the above: w = max(w, 0) if non_negative, then w = w clamp(norm, min_norm, max_norm) / (1e-7 + norm).
struct Constraint {
  bool non_negative = false;
  double min_norm = 0, max_norm = std::numeric_limits<double>::infinity();
  AxisRange axis = 0;

  Constraint() = default;
  /// Throws ValueError if max_value is negative or NaN.
  Constraint(MaxNorm norm);
  Constraint(UnitNorm norm) : min_norm(1), max_norm(1), axis(norm.axis) {}
  Constraint(NonNeg) : non_negative(true) {}

  explicit operator bool() const { return non_negative || limits_norm(); }
  /// Applies the constraint to w in place. Throws ShapeError if w lacks one of the axes.
  void operator()(View w) const;

  void options(auto& visit) {
    visit("non_negative", non_negative);
    visit("min_norm", min_norm);
    visit("max_norm", max_norm);
    visit("axis", axis);
  }

 private:
  bool limits_norm() const { return min_norm > 0 || max_norm < std::numeric_limits<double>::infinity(); }
};

}  // namespace cornu
