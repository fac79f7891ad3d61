#pragma once

#include <map>

#include "cornu/models/sequential_state.h"

namespace cornu::detail {

/// Throws ValueError for a class that a model with `outputs` outputs does not have, and for a weight that is negative
/// or not finite. A single output has the classes 0 and 1, or -1 and 1 for a hinge loss.
void check_class_weight(const std::map<Index, double>& class_weight, Index outputs);

/// True if the outputs of a sample are the scores of its possible classes. The loss decides, or a softmax at the end of
/// the model. The targets do not: regression targets may look like distributions.
bool rows_are_classes(const SequentialState& model);
/// True if the outputs have a mask.
bool leaves_out_steps(const SequentialState& model);

}  // namespace cornu::detail
