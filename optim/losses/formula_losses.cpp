#include "cornu/optim/losses/formula_losses.h"

#include <algorithm>
#include <numbers>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/option_checks.h"
#include "cornu/core/shape_hints.h"
#include "cornu/optim/losses/loss_checks.h"

namespace cornu {

namespace {

constexpr double keras_epsilon = 1e-7;     // bounds and offsets, as in Keras
constexpr double smallest_square = 1e-24;  // CosineSimilarity: squared norm up to which a vector has no direction

void require_alike(const char* loss, Var y_pred, Var y_true) {
  require(y_pred.shape() == y_true.shape(), "{}: y_pred is {} but y_true is {}; equal shapes are required{}", loss,
          y_pred.shape(), y_true.shape(), detail::prediction_hint(y_pred.shape(), y_true.shape()));
}

/// The mean over the last axis. A 1-D x has one element per sample and is returned as is.
Var mean_of_sample(Var x) { return x.shape().rank() > 1 ? mean(x, -1) : x; }

void require_focal(const char* loss, double alpha, double gamma, double label_smoothing) {
  detail::require_fraction(loss, "alpha", alpha);
  require<ValueError>(gamma == 0 || gamma >= 1, "{}: gamma is {}; it must be 0, or at least 1", loss, gamma);
  detail::require_fraction(loss, "label_smoothing", label_smoothing);
}

/// The loss, or NaN if clipping has hidden an infinity.
Var with_infinities(Var loss, Var y_pred, Var y_true) {
  return detail::keep_infinities(detail::keep_infinities(loss, y_pred.value()), y_true.value());
}

Var limited(Var x, double low, double high) { return minimum(maximum(x, low), high); }

}  // namespace

Var MeanAbsoluteError::operator()(Var y_pred, Var y_true) const {
  require_alike("mean_absolute_error", y_pred, y_true);
  return mean_of_sample(abs(y_pred - y_true));
}

Var MeanAbsolutePercentageError::operator()(Var y_pred, Var y_true) const {
  require_alike("mean_absolute_percentage_error", y_pred, y_true);
  return mean_of_sample(abs((y_true - y_pred) / maximum(abs(y_true), keras_epsilon))) * 100;
}

Var MeanSquaredLogarithmicError::operator()(Var y_pred, Var y_true) const {
  require_alike("mean_squared_logarithmic_error", y_pred, y_true);
  detail::require_not_negative("mean_squared_logarithmic_error", y_true.value(), "target",
                               "its logarithm is not meaningful; use MeanSquaredError");
  const Var loss =
      mean_of_sample(square(log(maximum(y_pred, keras_epsilon) + 1) - log(maximum(y_true, keras_epsilon) + 1)));
  return with_infinities(loss, y_pred, y_true);
}

Var Huber::operator()(Var y_pred, Var y_true) const {
  require_alike("huber", y_pred, y_true);
  detail::require_positive("huber", "delta", delta);
  const Var error = abs(y_pred - y_true), small = minimum(error, delta);
  return mean_of_sample(small * (error - small * 0.5));  // small is min(error, delta)
}

Var LogCosh::operator()(Var y_pred, Var y_true) const {
  require_alike("log_cosh", y_pred, y_true);
  const Var error = abs(y_pred - y_true);  // cosh is even
  return mean_of_sample(error + log(exp(error * -2) + 1) - std::numbers::ln2);
}

Var Poisson::operator()(Var y_pred, Var y_true) const {
  require_alike("poisson", y_pred, y_true);
  detail::require_not_negative("poisson", y_true.value(), "target", "targets are counts");
  detail::require_not_negative("poisson", y_pred.value(), "prediction",
                               "predictions are rates: end the model with exp or softplus");
  return mean_of_sample(y_pred - y_true * log(y_pred + keras_epsilon));
}

Var KLDivergence::operator()(Var y_pred, Var y_true) const {
  require_alike("kl_divergence", y_pred, y_true);
  detail::require_probabilities("kl_divergence", y_true.value(), "target",
                                "each row is a distribution over the classes");
  detail::require_probabilities("kl_divergence", y_pred.value(), "prediction", "end the model with a softmax");
  const Var p = limited(y_pred, keras_epsilon, 1), y = limited(y_true, keras_epsilon, 1);
  return with_infinities(sum(y * log(y / p), -1), y_pred, y_true);
}

Var Hinge::operator()(Var y_pred, Var y_true) const {
  require_alike("hinge", y_pred, y_true);
  detail::require_hinge_labels("hinge", y_true.value());
  const ConstView y = y_true.value();
  const bool from_zero = std::all_of(y.begin(), y.end(), [](Real value) { return value == 0 || value == 1; });
  const Var loss = mean_of_sample(maximum(1 - (from_zero ? y_true * 2 - 1 : y_true) * y_pred, 0));
  return with_infinities(loss, y_pred, y_true);
}

Var CosineSimilarity::operator()(Var y_pred, Var y_true) const {
  require_alike("cosine_similarity", y_pred, y_true);
  const Var pred = sum(square(y_pred), -1), truth = sum(square(y_true), -1);
  // 1 if both vectors have a direction, else 0, which makes loss and gradient 0.
  const View directed = y_pred.tape().scratch(pred.shape());
  const auto has_direction = [](Real squares) { return !(squares <= Real(smallest_square)); };  // true for NaN
  for (Index i = 0; i < directed.size(); ++i) {
    directed[i] = has_direction(pred.value()[i]) && has_direction(truth.value()[i]) ? 1 : 0;
  }
  // maximum before sqrt, because the gradient of sqrt at 0 is infinite.
  const auto norm = [](Var squares) { return sqrt(maximum(squares, smallest_square)); };
  const Var cosine = sum(y_pred * y_true, -1) / (norm(pred) * norm(truth));
  return -(cosine * y_pred.tape().input(directed));
}

Var BinaryFocalCrossentropy::operator()(Var y_pred, Var y_true) const {
  require_alike("binary_focal_crossentropy", y_pred, y_true);
  require_focal("binary_focal_crossentropy", alpha, gamma, label_smoothing);
  detail::refuse_softmax_of_one("binary_focal_crossentropy", y_pred);
  if (from_logits) detail::refuse_squashed("binary_focal_crossentropy", y_pred);
  detail::require_binary_labels("binary_focal_crossentropy", y_true.value());
  const Var y = y_true * (1 - label_smoothing) + label_smoothing / 2;
  const Var logits = detail::sigmoid_logits_of("binary_focal_crossentropy", y_pred, from_logits);
  const Var p = logits ? sigmoid(logits) : limited(y_pred, keras_epsilon, 1 - keras_epsilon);
  const Var loss =
      logits ? maximum(logits, 0) - logits * y + log(exp(-abs(logits)) + 1) : -(y * log(p) + (1 - y) * log(1 - p));
  const Var wrong = y * (1 - p) + (1 - y) * p;
  const Var focal = pow(wrong, gamma) * loss;
  const Var losses = mean_of_sample(apply_class_balancing ? (y * alpha + (1 - y) * (1 - alpha)) * focal : focal);
  return logits ? losses : with_infinities(losses, y_pred, y_true);
}

Var CategoricalFocalCrossentropy::operator()(Var y_pred, Var y_true) const {
  require_alike("categorical_focal_crossentropy", y_pred, y_true);
  require_focal("categorical_focal_crossentropy", alpha, gamma, label_smoothing);
  detail::refuse_one_class("categorical_focal_crossentropy", y_pred);
  if (from_logits) detail::refuse_squashed("categorical_focal_crossentropy", y_pred);
  detail::require_not_negative("categorical_focal_crossentropy", y_true.value(), "target",
                               "targets are one-hot, or the probability of each class");
  const Var y = y_true * (1 - label_smoothing) + label_smoothing / static_cast<double>(y_pred.shape()[-1]);
  const Var logits = detail::softmax_logits_of("categorical_focal_crossentropy", y_pred, from_logits);
  if (logits) {
    const Var log_p = log_softmax(logits);
    return sum(pow(1 - exp(log_p), gamma) * (y * log_p), -1) * -alpha;
  }
  const Var p = limited(y_pred / sum(y_pred, -1, {.keepdims = true}), keras_epsilon, 1 - keras_epsilon);
  return with_infinities(sum(pow(1 - p, gamma) * (y * log(p)), -1) * -alpha, y_pred, y_true);
}

}  // namespace cornu
