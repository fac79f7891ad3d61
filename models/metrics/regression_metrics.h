#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "cornu/core/direction.h"
#include "cornu/core/tensor.h"

/// Regression metrics. y_pred: (batch, ...). y_true: the same shape; either may lack a last axis of 1. With no samples
/// seen they are 0. They throw ShapeError if the shapes do not match.
/// For the mean absolute error and similar, use the loss as a metric: `.metrics = {MeanAbsoluteError{}}`.
namespace cornu {

/// The square root of the mean of (y_pred - y_true)^2 over all elements.
struct RootMeanSquaredError {
  static constexpr Direction direction = Direction::down;

  double total = 0, seen = 0;  // sums of weights

  void reset() { *this = {}; }
  void update(ConstView y_true, ConstView y_pred, ConstView sample_weight = {});
  double result() const;
  void state(auto& visit) {
    visit("total", total);
    visit("seen", seen);
  }
};

/// Coefficient of determination, 1 - sum (y_true - y_pred)^2 / sum (y_true - mean)^2: the fraction of the targets'
/// variance that the predictions explain. 1 is best; predicting the mean gets 0. It is computed for each output of the
/// last axis and then averaged, uniformly or weighted by the targets' variances. For constant targets it is 1 if all
/// predictions are exact, else 0. With num_regressors p > 0, it is the adjusted score 1 - (1 - R2) (n - 1) / (n - p -
/// 1) if n, the number of samples, is above p + 1. As in Keras. Throws ValueError for a negative num_regressors.
struct R2Score {
  static constexpr Direction direction = Direction::up;

  enum Aggregation { uniform_average, variance_weighted_average };

  Aggregation class_aggregation = uniform_average;
  Index num_regressors = 0;

  struct Output {
    double mean = 0, variance = 0, residual = 0;  // variance and residual are multiplied by the number of samples
    void options(auto& visit) {
      visit("mean", mean);
      visit("variance", variance);
      visit("residual", residual);
    }
  };
  std::vector<Output> outputs{};
  Index samples = 0;

  void reset();
  void update(ConstView y_true, ConstView y_pred);
  double result() const;
  void options(auto& visit) {
    visit("class_aggregation", class_aggregation);
    visit("num_regressors", num_regressors);
  }
  void state(auto& visit) {
    visit("outputs", outputs);
    visit("samples", samples);
  }
};
constexpr std::array<std::string_view, 2> option_names(R2Score::Aggregation) {
  return {"uniform_average", "variance_weighted_average"};
}

}  // namespace cornu
