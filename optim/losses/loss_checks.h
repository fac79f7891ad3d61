#pragma once

#include "cornu/core/tape.h"

/// What losses refuse because it cannot be meant: for optim/*.cpp alone. NaN and infinities pass: they make the loss
/// non-finite, which has an error of its own. All errors are ValueErrors that begin with the loss's name.
/// `weights` are the loss's sample weights, or none: a truth of weight 0 is not looked at, so that padding may be -1.
namespace cornu::detail {

/// A softmax over one class is 1 whatever the model computes.
void refuse_softmax_of_one(const char* loss, Var y_pred);
/// The same for losses of classes: a single one, however it was made, teaches nothing.
void refuse_one_class(const char* loss, Var y_pred);

/// Logits that have been through a softmax or sigmoid already.
void refuse_squashed(const char* loss, Var logits);

/// Values outside [0, 1], but for rounding. `what` and `remedy` are for the error: "prediction", "end the model with a
/// softmax".
void require_probabilities(const char* loss, ConstView values, const char* what, const char* remedy);

/// The loss, or NaN if one of `values` is infinite: for losses that limit them, which would make the infinity finite.
Var keep_infinities(Var loss, ConstView values);

/// Labels of yes-or-no questions outside [0, 1].
void require_binary_labels(const char* loss, ConstView y_true, ConstView weights = {});

/// Values below 0.
void require_not_negative(const char* loss, ConstView values, const char* what, const char* remedy,
                          ConstView weights = {});

/// Labels of a hinge outside [-1, 1], and both 0 and -1 among them.
void require_hinge_labels(const char* loss, ConstView y_true);

/// Whether a weight is given for value i of these, or for several values together, and is 0.
inline bool has_weight_0(ConstView values, ConstView weights, Index i) {
  const Index count = weights.size();
  return count > 0 && values.size() % count == 0 && weights[i / (values.size() / count)] == 0;
}

/// Weights below 0.
void require_weights(const char* loss, ConstView sample_weight);

}  // namespace cornu::detail
