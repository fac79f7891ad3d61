#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/metrics/direction.h"

/// Metrics of numbers that are foretold. y_pred: (batch, ...); y_true: the same shape, a last axis of 1 may be missing
/// in either. Of the mean absolute error and its like, the losses are metrics too: `.metrics = {MeanAbsoluteError{}}`.
/// With no samples seen they are 0. Throw ShapeError for shapes that do not go together.
namespace cornu {

/// The square root of the mean of (y_pred - y_true)^2 over all numbers.
struct RootMeanSquaredError {
  static constexpr Direction direction = Direction::down;

  double total = 0;
  Index seen = 0;

  void reset() { *this = {}; }
  void update(ConstView y_true, ConstView y_pred);
  double result() const;
  void state(auto& visit) {
    visit("total", total);
    visit("seen", seen);
  }
};

/// The part of the truths' variance that the predictions explain, 1 - sum (y_true - y_pred)^2 / sum (y_true - mean)^2:
/// 1 is the best, 0 what foretelling the mean gets. Each of the last axis's outputs has its own, which are averaged:
/// all alike, or by the truths' variances. Where the truths are all the same, 1 if they were foretold exactly, else 0.
/// With num_regressors, p, the score that is adjusted for so many features, 1 - (1 - R2) (n - 1) / (n - p - 1), as soon
/// as there are more than p + 1 samples. As in Keras. Throws ValueError for a negative num_regressors.
struct R2Score {
  static constexpr Direction direction = Direction::up;

  enum Aggregation { uniform_average, variance_weighted_average };

  Aggregation class_aggregation = uniform_average;
  Index num_regressors = 0;

  struct Output {
    double mean = 0, variance = 0, residual = 0;  // the latter two times the number of samples
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
