#include "cornu/models/metrics/regression_metrics.h"

#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/option_checks.h"
#include "cornu/models/metrics/class_labels.h"

namespace cornu {

namespace {

void check(const char* name, const Shape& truth, const Shape& shape) {
  require(detail::same_but_for_last_1(truth, shape) || detail::same_but_for_last_1(shape, truth),
          "{}: predictions are {} and targets {}; equal shapes are required", name, shape, truth);
}

}  // namespace

void RootMeanSquaredError::update(ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  check("root_mean_squared_error", y_true.shape(), y_pred.shape());
  const detail::LabelWeights weights("root_mean_squared_error", y_pred.shape(), sample_weight);
  for (Index i = 0; i < y_pred.size(); ++i) {
    if (weights[i] == 0) continue;  // padding may be any value
    const double error = static_cast<double>(y_pred[i]) - static_cast<double>(y_true[i]);
    total += weights[i] * error * error;
    seen += weights[i];
  }
}

double RootMeanSquaredError::result() const { return seen == 0 ? 0 : std::sqrt(total / seen); }

void R2Score::reset() {
  outputs.assign(outputs.size(), {});
  samples = 0;
}

void R2Score::update(ConstView y_true, ConstView y_pred) {
  const Shape& shape = y_pred.shape();
  check("r2_score", y_true.shape(), shape);
  detail::require_not_negative("r2_score", "num_regressors", num_regressors);
  const Index width = shape.rank() > 1 ? shape[-1] : 1;
  require(samples == 0 || std::ssize(outputs) == width, "r2_score: predictions are {}, but earlier ones had {} outputs",
          shape, outputs.size());
  outputs.resize(static_cast<std::size_t>(width));
  for (Index i = 0; i < y_pred.size(); i += width) {
    const auto count = static_cast<double>(++samples);
    for (Index k = 0; k < width; ++k) {
      Output& output = outputs[static_cast<std::size_t>(k)];
      const auto truth = static_cast<double>(y_true[i + k]), error = truth - static_cast<double>(y_pred[i + k]);
      const double from_mean = truth - output.mean;  // Welford, 1962: differences of large squares would cancel
      output.mean += from_mean / count;
      output.variance += from_mean * (truth - output.mean);
      output.residual += error * error;
    }
  }
}

double R2Score::result() const {
  if (samples == 0) return 0;
  double total = 0, weights = 0;
  for (const Output& output : outputs) {
    const double score = output.variance != 0   ? 1 - output.residual / output.variance
                         : output.residual == 0 ? 1.0
                                                : 0.0;
    const double weight = class_aggregation == uniform_average ? 1 : output.variance;
    total += weight * score;
    weights += weight;
  }
  const double score = weights == 0 ? 0 : total / weights;
  const Index left = samples - num_regressors - 1;
  if (num_regressors == 0 || left < 1) return score;
  return 1 - (1 - score) * static_cast<double>(samples - 1) / static_cast<double>(left);
}

}  // namespace cornu
