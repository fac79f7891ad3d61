#include "cornu/optim/losses/loss_checks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "cornu/core/error.h"
#include "cornu/core/kernels/lanes.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/shape_hints.h"

namespace cornu::detail {

namespace {

constexpr Real rounding = Real(1e-4);        // tolerance for predictions
constexpr Real label_rounding = Real(1e-6);  // tolerance for computed labels, such as means and remainders
constexpr Real infinity = std::numeric_limits<Real>::infinity();

/// The index of the first finite value outside [low, high] whose weight is not 0; -1 if there is none.
Index find_outside(ConstView values, Real low, Real high, ConstView weights = {}) {
  constexpr Index block = 1024;
  const Real* const x = values.data();
  for (Index first = 0; first < values.size(); first += block) {
    const Index end = std::min(first + block, values.size());
    int outside = 0;
    vectorized([=, &outside] {
      int found = 0;
      for (Index i = first; i < end; ++i) found |= static_cast<int>(x[i] < low) | static_cast<int>(x[i] > high);
      outside = found;
    });
    for (Index i = first; outside != 0 && i < end; ++i) {
      if (std::isfinite(x[i]) && (x[i] < low || x[i] > high) && !has_weight_0(values, weights, i)) return i;
    }
  }
  return -1;
}

/// Returns `logits`. If empty, throws unless y_pred are probabilities.
Var logits_or_checked(const char* loss, Var y_pred, Var logits, const char* remedy) {
  if (!logits) require_probabilities(loss, y_pred.value(), "prediction", remedy);
  return logits;
}

}  // namespace

void refuse_softmax_of_one(const char* loss, Var y_pred) {
  const Var made = y_pred.unshaped();
  require<ValueError>(
      !made.softmax_logits() || made.rank() == 0 || made.shape()[-1] != 1,
      "{}: the predictions are a softmax over one class, which is always 1; for two classes use a sigmoid "
      "and binary_crossentropy, as in Dense{{1, sigmoid}}",
      loss);
}

void refuse_one_class(const char* loss, Var y_pred) {
  refuse_softmax_of_one(loss, y_pred);
  require<ValueError>(y_pred.rank() == 0 || y_pred.shape()[-1] != 1,
                      "{}: the predictions {} have one class, whose probability is always 1; for two classes use a "
                      "sigmoid and binary_crossentropy, as in Dense{{1, sigmoid}}",
                      loss, y_pred.shape());
}

void refuse_squashed(const char* loss, Var logits) {
  const char* const function = logits.squashed_by();
  require<ValueError>(function == nullptr,
                      "{}: from_logits is set, but the predictions are the output of a {}; remove from_logits or "
                      "the {}",
                      loss, function == nullptr ? "" : function, function == nullptr ? "" : function);
}

void require_probabilities(const char* loss, ConstView values, const char* what, const char* remedy) {
  const Index at = find_outside(values, -rounding, 1 + rounding);
  if (at < 0) return;
  throw ValueError(
      message("{}: {} {} in {} is not a probability; {}", loss, what, values[at], place(values.shape(), at), remedy));
}

Var sigmoid_logits_of(const char* loss, Var y_pred, bool from_logits) {
  return logits_or_checked(loss, y_pred, from_logits ? y_pred : y_pred.sigmoid_logits(),
                           "end the model with a sigmoid, or set from_logits = true");
}

Var softmax_logits_of(const char* loss, Var y_pred, bool from_logits) {
  return logits_or_checked(loss, y_pred, from_logits ? y_pred : y_pred.softmax_logits(),
                           "end the model with a softmax, or set from_logits = true");
}

Var keep_infinities(Var loss, ConstView values) {
  const bool infinite = std::any_of(values.begin(), values.end(), [](Real value) { return std::isinf(value); });
  return infinite ? loss + std::numeric_limits<double>::quiet_NaN() : loss;
}

void require_binary_labels(const char* loss, ConstView y_true, ConstView weights) {
  const Index at = find_outside(y_true, -label_rounding, 1 + label_rounding, weights);
  if (at < 0) return;
  const Real label = y_true[at];
  const char* const remedy = label == -1    ? "map -1 and 1 to 0 and 1 by (y + 1) / 2, or use Hinge"
                             : label == 255 ? "divide labels of 0 and 255 by 255"
                             : label == std::floor(label) && label > 1
                                 ? "for several classes use SparseCategoricalCrossentropy, for regression "
                                   "MeanSquaredError"
                                 : "for regression use a loss such as MeanSquaredError";
  throw ValueError(
      message("{}: label {} in {}; labels must be in [0, 1]: {}", loss, label, place(y_true.shape(), at), remedy));
}

void require_not_negative(const char* loss, ConstView values, const char* what, const char* remedy, ConstView weights) {
  const Index at = find_outside(values, -label_rounding, infinity, weights);
  if (at < 0) return;
  throw ValueError(
      message("{}: {} {} in {} is negative; {}", loss, what, values[at], place(values.shape(), at), remedy));
}

void require_hinge_labels(const char* loss, ConstView y_true) {
  Index zero = -1, minus_one = -1;
  for (Index i = 0; i < y_true.size(); ++i) {
    const Real label = y_true[i];
    if (std::abs(label) > 1 && std::isfinite(label)) [[unlikely]]
      throw ValueError(
          message("{}: label {} in {}; labels must be -1 and 1, or 0 and 1", loss, label, place(y_true.shape(), i)));
    if (label == 0) zero = i;
    if (label == -1) minus_one = i;
  }
  if (zero >= 0 && minus_one >= 0) [[unlikely]]
    throw ValueError(message("{}: labels 0 in {} and -1 in {}; labels must be -1 and 1, or 0 and 1", loss,
                             place(y_true.shape(), zero), place(y_true.shape(), minus_one)));
}

void require_weights(const char* loss, ConstView sample_weight) {
  for (Index i = 0; i < sample_weight.size(); ++i) {
    if (sample_weight[i] < 0) [[unlikely]]
      throw ValueError(message("{}: sample weight {} in {}; weights must not be negative", loss, sample_weight[i],
                               place(sample_weight.shape(), i)));
  }
}

}  // namespace cornu::detail
