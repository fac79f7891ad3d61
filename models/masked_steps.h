#pragma once

#include "cornu/core/autodiff/tape.h"

namespace cornu::detail {

/// What the loss and the metrics see of a batch. If the predictions have a mask, only the steps that count, as rows.
struct CountedSteps {
  Var y_pred;
  ConstView y_true, sample_weight;
  bool none = false;  ///< the mask leaves out all steps

  /// Throws ShapeError for targets or weights without the steps of a masked y_pred.
  CountedSteps(Var predictions, ConstView targets, ConstView weights);
};

}  // namespace cornu::detail
