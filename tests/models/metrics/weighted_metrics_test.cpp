#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/models/metrics/auc.h"
#include "cornu/models/metrics/metrics.h"
#include "cornu/models/metrics/regression_metrics.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

// Metrics with sample weights: sum(weight * value) / sum(weight), as in Keras, against plain loops.

namespace cornu {
namespace {

using testing::error_of;

constexpr Index weighted_samples = 6, weighted_steps = 4;

double square_of(double x) { return x * x; }

/// A metric, data for it, and the value of one label: the elements of y_true and y_pred that belong to it.
struct WeightedCase {
  std::string name;
  AnyMetric metric;
  Index classes;  // elements of y_pred per label
  enum { labels, rows } truth;
  std::function<double(const Real* y, const Real* p)> value;
  double (*of_mean)(double) = [](double mean) { return mean; };
};

std::vector<WeightedCase> weighted_cases() {
  const auto largest = [](const Real* p) { return std::max_element(p, p + 3) - p; };
  const auto is = [](bool right) { return right ? 1.0 : 0.0; };
  const auto absolute = [](const Real* y, const Real* p) { return std::abs(static_cast<double>(p[0] - y[0])); };
  const auto of_label = [=](const Real* y, const Real* p) { return is(largest(p) == static_cast<Index>(y[0])); };
  const auto of_side = [=](const Real* y, const Real* p) { return is((p[0] > Real(0.5)) == (y[0] == 1)); };
  return {
      {"labels", Accuracy{}, 3, WeightedCase::labels, of_label},
      {"sparse", SparseCategoricalAccuracy{}, 3, WeightedCase::labels, of_label},
      {"one-hot", CategoricalAccuracy{}, 3, WeightedCase::rows,
       [=](const Real* y, const Real* p) { return is(largest(p) == largest(y)); }},
      {"top 2", TopKAccuracy{.k = 2}, 3, WeightedCase::labels,
       [=](const Real* y, const Real* p) {
         const Real score = p[static_cast<Index>(y[0])];
         return is((p[0] > score) + (p[1] > score) + (p[2] > score) < 2);
       }},
      {"0 and 1", BinaryAccuracy{}, 1, WeightedCase::labels, of_side},
      {"accuracy of one output", Accuracy{}, 1, WeightedCase::labels, of_side},
      {"a loss", MeanAbsoluteError{}, 1, WeightedCase::labels, absolute},
      {"a loss of rows", MeanSquaredError{}, 1, WeightedCase::labels,
       [=](const Real* y, const Real* p) { return square_of(absolute(y, p)); }},
      {"root of a mean", RootMeanSquaredError{}, 1, WeightedCase::labels,
       [=](const Real* y, const Real* p) { return square_of(absolute(y, p)); },
       [](double mean) { return std::sqrt(mean); }},
  };
}

TEST(WeightedMetrics, AreMeansByWeightForWeightsOfSamplesAndOfLabels) {
  Rng rng(3);
  for (WeightedCase& one : weighted_cases()) {
    for (const Shape& shape : {Shape{0}, Shape{weighted_samples}, Shape{weighted_samples, weighted_steps}}) {
      SCOPED_TRACE(message("{}, weights {}", one.name, shape));
      one.metric.reset();
      double total = 0, weights = 0;
      for (int batch = 0; batch < 3; ++batch) {
        const Index labels = weighted_samples * weighted_steps;
        const Index of_truth = one.truth == WeightedCase::rows ? one.classes : 1;
        Tensor y({weighted_samples, weighted_steps, of_truth}), p({weighted_samples, weighted_steps, one.classes});
        rng.fill_uniform(p, 0, 1);
        for (Index i = 0; i < labels; ++i) {
          const Index label = rng.below(std::max(one.classes, Index{2}));
          y[i * of_truth + (of_truth > 1 ? label : 0)] = of_truth > 1 ? Real{1} : static_cast<Real>(label);
        }
        if (of_truth == 1) y.reshape({weighted_samples, weighted_steps});
        Tensor weight(shape);
        rng.fill_uniform(weight, 0, 2);
        one.metric.update(y, p, weight);
        for (Index i = 0; i < labels; ++i) {
          const double by =
              weight.empty() ? 1 : static_cast<double>(weight[weight.size() == labels ? i : i / weighted_steps]);
          total += by * one.value(y.data() + i * of_truth, p.data() + i * one.classes);
          weights += by;
        }
      }
      EXPECT_NEAR(one.metric.result(), one.of_mean(total / weights), 1e-5);
    }
  }
}

TEST(WeightedMetrics, IgnoreLabelsOfWeight0) {
  const Tensor y = Tensor::matrix({{1, 0, -1}, {0, -1e9, -1}}), weight = Tensor::matrix({{1, 1, 0}, {1, 0, 0}});
  const Tensor p({2, 3, 2}, {0, 1, 0, 1, 0, 1, 1, 0, 0, 1, 0, 1});
  for (AnyMetric metric :
       {AnyMetric(Accuracy{}), AnyMetric(SparseCategoricalAccuracy{}), AnyMetric(TopKAccuracy{.k = 1})}) {
    metric.update(y, p, weight);
    EXPECT_NEAR(metric.result(), 2 / 3.0, 1e-12) << metric.name();
  }
  AnyMetric binary = BinaryAccuracy{};
  binary.update(y, Tensor::matrix({{1, 1, 1}, {0, 1, 1}}), weight);
  EXPECT_NEAR(binary.result(), 2 / 3.0, 1e-12);
}

TEST(WeightedMetrics, RejectWeightsOfOtherShapes) {
  AnyMetric metric = Accuracy{};
  EXPECT_EQ(error_of<ShapeError>([&] {
              metric.update(Tensor({2, 3}), Tensor({2, 3, 2}), Tensor({2, 2}));
            }),
            "accuracy: sample weights are (2, 2) and losses (2, 3); one weight for each sample or for each loss is "
            "required");
}

TEST(WeightedMetrics, UseClassWeightsToo) {
  Sequential model{Input{1}, Dense{.units = 2, .kernel_initializer = zeros}};
  model.compile({.optimizer = SGD{.learning_rate = 0},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .metrics = {Accuracy{}},
                 .weighted_metrics = {SparseCategoricalAccuracy{}}});
  const History history =
      model.fit(Tensor({4, 1}), Tensor::vector({0, 1, 1, 0}),
                {.verbose = Verbose::silent, .class_weight = {{0, 3}}, .sample_weight = Tensor::vector({1, 1, 1, 0})});
  EXPECT_EQ(history["accuracy"].front(), 0.5);  // class 0 is predicted
  EXPECT_NEAR(history["sparse_categorical_accuracy"].front(), 3 / 5.0, 1e-6);
}

TEST(WeightedMetrics, MustTakeWeights) {
  Sequential model{Input{1}, Dense{1}};
  EXPECT_EQ(error_of<ValueError>(
                [&] { model.compile({.optimizer = SGD{}, .loss = MeanSquaredError{}, .weighted_metrics = {AUC{}}}); }),
            "sequential: compile: the metric auc takes no weights; move it from weighted_metrics to metrics");
  EXPECT_FALSE(model.compiled());
}

TEST(WeightedMetrics, AreSavedWithTheModel) {
  Sequential model{Input{1}, Dense{1}};
  model.compile({.optimizer = SGD{},
                 .loss = MeanSquaredError{},
                 .metrics = {MeanAbsoluteError{}},
                 .weighted_metrics = {MeanAbsoluteError{}, RootMeanSquaredError{}}});
  const Tensor x({3, 1}, {1, 2, 3}), y({3, 1}, {2, 0, 1}), weights = Tensor::vector({1, 0.5, 4});
  const testing::TemporaryFolder folder;
  model.save(folder / "model.safetensors");
  const Logs before = model.test_on_batch(x, y, weights);
  const Logs after = Sequential::load(folder / "model.safetensors").test_on_batch(x, y, weights);
  for (const char* name : {"mean_absolute_error", "weighted_mean_absolute_error", "root_mean_squared_error"}) {
    EXPECT_EQ(after[name], before[name]) << name;
  }
  EXPECT_NE(before["mean_absolute_error"], before["weighted_mean_absolute_error"]);
}

/// Counts of correct predictions were whole numbers in earlier versions.
TEST(WeightedMetrics, ReadTheCountsOfEarlierVersions) {
  Json state = Json::Object{};
  state.set("right", Json(std::int64_t{3}));
  state.set("seen", Json(std::int64_t{4}));
  AnyMetric metric = Accuracy{};
  OptionVisitor visit(state);
  EXPECT_TRUE(metric.state(visit));
  EXPECT_EQ(metric.result(), 0.75);
}

}  // namespace
}  // namespace cornu
