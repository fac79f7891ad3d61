#pragma once

#include "cornu/core/autodiff/tape.h"
#include "cornu/core/shape_hints.h"

/// Checks of the inputs of losses; internal to optim. All throw a ValueError that begins with the loss's name.
/// NaN and infinities pass: they make the loss non-finite, which is reported elsewhere.
/// `weights` are the sample weights, or empty: a target of weight 0 is not checked, so that padding may be -1.
namespace cornu::detail {

/// Throws for a softmax over one class: it is always 1.
void refuse_softmax_of_one(const char* loss, Var y_pred);
/// Throws for predictions of a single class, from a softmax or not, because there is nothing to learn.
void refuse_one_class(const char* loss, Var y_pred);

/// Throws for logits that are the output of a softmax or sigmoid.
void refuse_squashed(const char* loss, Var logits);

/// Throws for values outside [0, 1], up to rounding. `what` and `remedy` go into the error, such as "prediction" and
/// "end the model with a softmax".
void require_probabilities(const char* loss, ConstView values, const char* what, const char* remedy);

/// The known logits of y_pred: y_pred itself with `from_logits`, or the argument of the sigmoid or softmax that
/// returned it. An empty Var if there are none; then throws unless y_pred are probabilities.
Var sigmoid_logits_of(const char* loss, Var y_pred, bool from_logits);
Var softmax_logits_of(const char* loss, Var y_pred, bool from_logits);

/// The loss, or NaN if one of `values` is infinite: for losses that clip, where an infinity would become finite.
Var keep_infinities(Var loss, ConstView values);

/// Throws for binary labels outside [0, 1].
void require_binary_labels(const char* loss, ConstView y_true, ConstView weights = {});

/// Throws for values below 0.
void require_not_negative(const char* loss, ConstView values, const char* what, const char* remedy,
                          ConstView weights = {});

/// Throws for hinge labels outside [-1, 1], or for both 0 and -1 among them.
void require_hinge_labels(const char* loss, ConstView y_true);

/// True if the weight of value i is 0. Consecutive values may share a weight.
inline bool has_weight_0(ConstView values, ConstView weights, Index i) {
  const Index count = weights.size();
  return count > 0 && values.size() % count == 0 && weights[i / (values.size() / count)] == 0;
}

/// True if two shapes are equal, up to a last axis of 1 that one of them may lack.
inline bool alike(const Shape& a, const Shape& b) { return same_but_for_last_1(a, b) || same_but_for_last_1(b, a); }

/// Throws for weights below 0.
void require_weights(const char* loss, ConstView sample_weight);

}  // namespace cornu::detail
