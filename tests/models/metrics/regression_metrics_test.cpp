#include <gtest/gtest.h>

#include <cmath>

#include "cornu/models/metrics/mean_iou.h"
#include "cornu/models/metrics/metric.h"
#include "cornu/models/metrics/regression_metrics.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"

// Regression metrics and MeanIoU.

namespace cornu {
namespace {

using testing::error_of;
using testing::normal;
using testing::result_of;

static_assert(Metric<RootMeanSquaredError> && Metric<R2Score> && Metric<MeanIoU>);

TEST(MoreMetrics, HaveKerasNames) {
  EXPECT_EQ(AnyMetric(RootMeanSquaredError{}).name(), "root_mean_squared_error");
  EXPECT_EQ(AnyMetric(R2Score{}).name(), "r2_score");
  EXPECT_EQ(AnyMetric(MeanIoU{2}).name(), "mean_io_u");
  EXPECT_EQ(AnyMetric(MeanAbsoluteError{}).name(), "mean_absolute_error");
}

TEST(MoreMetrics, AreZeroBeforeAnyUpdate) {
  for (const AnyMetric& metric : {AnyMetric(RootMeanSquaredError{}), AnyMetric(R2Score{}), AnyMetric(MeanIoU{2}),
                                  AnyMetric(MeanAbsoluteError{})}) {
    EXPECT_EQ(metric.result(), 0) << metric.name();
  }
}

TEST(MoreMetrics, AreTheSameInOneOrSeveralBatches) {
  const Tensor y_pred = normal({9, 2}), y_true = normal({9, 2}, 6);
  for (AnyMetric metric : {AnyMetric(RootMeanSquaredError{}), AnyMetric(R2Score{}), AnyMetric(MeanAbsoluteError{}),
                           AnyMetric(MeanIoU{.num_classes = 2, .sparse_y_true = false, .sparse_y_pred = false})}) {
    metric.update(y_true, y_pred);
    const double whole = metric.result();
    metric.reset();
    for (const Index first : {0, 3, 6}) {
      metric.update(ConstView(y_true.data() + 2 * first, {3, 2}), ConstView(y_pred.data() + 2 * first, {3, 2}));
    }
    EXPECT_NEAR(metric.result(), whole, sizeof(Real) == 4 ? 1e-6 : 1e-14) << metric.name();
    EXPECT_NE(whole, 0) << metric.name();
  }
}

TEST(MoreMetrics, AllocateNothingOnceWarm) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const Tensor y_pred = normal({9, 2}), y_true = normal({9, 2}, 6);
  std::vector<AnyMetric> metrics{RootMeanSquaredError{}, R2Score{},
                                 MeanIoU{.num_classes = 2, .sparse_y_true = false, .sparse_y_pred = false}};
  for (AnyMetric& metric : metrics) metric.update(y_true, y_pred);
  const testing::AllocationCounter counter;
  for (AnyMetric& metric : metrics) {
    metric.reset();
    metric.update(y_true, y_pred);
    EXPECT_NE(metric.result(), 0);
  }
  EXPECT_EQ(counter.count(), 0);
}

TEST(RootMeanSquaredError, IsTheRootOfTheMeanOfAllSquares) {
  EXPECT_DOUBLE_EQ(
      result_of(RootMeanSquaredError{}, Tensor::matrix({{0, 1}, {0, 0}}), Tensor::matrix({{1, 1}, {0, 0}})), 0.5);
  EXPECT_DOUBLE_EQ(result_of(RootMeanSquaredError{}, Tensor::vector({1, 2}), Tensor::matrix({{4}, {6}})),
                   std::sqrt(12.5));
}

TEST(R2Score, IsOneMinusTheUnexplainedFractionOfTheVariance) {
  const Tensor y_true = Tensor::vector({1, 2, 3, 6}), y_pred = Tensor::vector({1, 3, 3, 5});
  EXPECT_DOUBLE_EQ(result_of(R2Score{}, y_true, y_pred), 1 - 2 / 14.0);
  EXPECT_DOUBLE_EQ(result_of(R2Score{}, y_true, Tensor::full({4, 1}, 3)), 0);
  EXPECT_DOUBLE_EQ(result_of(R2Score{}, y_true, y_true), 1);
}

TEST(R2Score, AveragesTheOutputs) {
  const Tensor y_true({3, 2}, {0, 0, 1, 10, 2, 20}), y_pred({3, 2}, {0, 0, 1, 10, 1, 10});
  // Mean of 1 - 1/2 and 1 - 100/200; with the other predictions the second is 1 - 400/200.
  EXPECT_DOUBLE_EQ(result_of(R2Score{}, y_true, y_pred), 0.5);
  const Tensor other({3, 2}, {0, 0, 1, 10, 1, 0});
  EXPECT_DOUBLE_EQ(result_of(R2Score{}, y_true, other), (0.5 - 1) / 2);
  EXPECT_DOUBLE_EQ(result_of(R2Score{.class_aggregation = R2Score::variance_weighted_average}, y_true, other),
                   (0.5 * 2 - 1 * 200) / 202);
}

TEST(R2Score, IsAdjustedForTheNumberOfRegressors) {
  const Tensor y_true = Tensor::vector({1, 2, 3, 6}), y_pred = Tensor::vector({1, 3, 3, 5});
  EXPECT_NEAR(result_of(R2Score{.num_regressors = 1}, y_true, y_pred), 1 - 2 / 14.0 * 3 / 2, 1e-15);
  for (const Index many : {3, 5}) {
    EXPECT_DOUBLE_EQ(result_of(R2Score{.num_regressors = many}, y_true, y_pred), 1 - 2 / 14.0) << "undefined";
  }
}

TEST(R2Score, IsAccurateFarFromZero) {
  const Real far = sizeof(Real) == 4 ? Real(1e6) : Real(1e12);
  Tensor y_true = Tensor::vector({1, 2, 3, 6}), y_pred = Tensor::vector({1, 3, 3, 5});
  for (Tensor* tensor : {&y_true, &y_pred}) {
    for (Real& x : *tensor) x += far;
  }
  EXPECT_NEAR(result_of(R2Score{}, y_true, y_pred), 1 - 2 / 14.0, 1e-12);
}

TEST(R2Score, OfConstantTargetsIsOneOrZero) {
  EXPECT_EQ(result_of(R2Score{}, Tensor::vector({2, 2}), Tensor::vector({2, 2})), 1);
  EXPECT_EQ(result_of(R2Score{}, Tensor::vector({2, 2}), Tensor::vector({2, 3})), 0);
}

TEST(RegressionMetrics, RefuseShapesThatDoNotFit) {
  EXPECT_EQ(error_of<ShapeError>([] {
              result_of(R2Score{}, Tensor(Shape{2}), Tensor({2, 2}));
            }),
            "r2_score: predictions are (2, 2) and targets (2,); equal shapes are required");
  EXPECT_EQ(error_of<ShapeError>([] { result_of(RootMeanSquaredError{}, Tensor(Shape{3}), Tensor(Shape{2})); }),
            "root_mean_squared_error: predictions are (2,) and targets (3,); equal shapes are required");
  R2Score metric;
  metric.update(Tensor({2, 2}), Tensor({2, 2}));
  EXPECT_EQ(error_of<ShapeError>([&] {
              metric.update(Tensor({2, 3}), Tensor({2, 3}));
            }),
            "r2_score: predictions are (2, 3), but earlier ones had 2 outputs");
}

TEST(MeanIoU, MatchesKerasDocumentation) {
  // keras.metrics.MeanIoU(num_classes=2): 1 of 3 for each class.
  EXPECT_DOUBLE_EQ(result_of(MeanIoU{2}, Tensor::vector({0, 0, 1, 1}), Tensor::vector({0, 1, 0, 1})), 1 / 3.0);
}

TEST(MeanIoU, AveragesTheClassesThatOccur) {
  // Class 0: 2 of 3, class 1: 0 of 1, class 3: 1 of 1; class 2 does not occur.
  EXPECT_DOUBLE_EQ(result_of(MeanIoU{4}, Tensor::vector({0, 0, 0, 3}), Tensor::vector({0, 0, 1, 3})), 5 / 9.0);
}

TEST(MeanIoU, TakesLabelsAndScoresOfImages) {
  const Tensor y_true({1, 2, 2}, {0, 1, 2, 1}), y_pred({1, 2, 2}, {0, 1, 1, 2});
  const auto scores_of = [](const Tensor& labels) {
    Tensor result({1, 2, 2, 3});
    for (Index i = 0; i < 4; ++i) result[3 * i + static_cast<Index>(labels[i])] = Real(0.9);
    return result;
  };
  const double expected = (1 + 1 / 3.0 + 0) / 3;
  EXPECT_DOUBLE_EQ(result_of(MeanIoU{3}, y_true, y_pred), expected);
  EXPECT_DOUBLE_EQ(result_of(MeanIoU{.num_classes = 3, .sparse_y_pred = false}, y_true, scores_of(y_pred)), expected);
  EXPECT_DOUBLE_EQ(result_of(MeanIoU{.num_classes = 3, .sparse_y_true = false, .sparse_y_pred = false},
                             scores_of(y_true), scores_of(y_pred)),
                   expected);
  Tensor with_axis = y_true;
  with_axis.reshape({1, 2, 2, 1});
  EXPECT_DOUBLE_EQ(result_of(MeanIoU{.num_classes = 3, .sparse_y_pred = false}, with_axis, scores_of(y_pred)),
                   expected);
}

TEST(MeanIoU, ExcludesTheIgnoredClass) {
  const Tensor y_true = Tensor::vector({0, 0, 1, 255}), y_pred = Tensor::vector({0, 1, 1, 0});
  EXPECT_DOUBLE_EQ(result_of(MeanIoU{.num_classes = 2, .ignore_class = 255}, y_true, y_pred), 0.5);
  EXPECT_DOUBLE_EQ(
      result_of(MeanIoU{.num_classes = 2, .ignore_class = 0}, Tensor::vector({0, 1, 1}), Tensor::vector({0, 1, 0})),
      (0.5 + 0) / 2);
}

TEST(MeanIoU, RefusesInvalidShapesAndLabels) {
  EXPECT_EQ(
      error_of<ShapeError>([] {
        result_of(MeanIoU{3}, Tensor(Shape{2}), Tensor({2, 3}));
      }),
      "mean_io_u: predictions are (2, 3) and labels (2,); one prediction for each label is required (for scores set "
      ".sparse_y_pred = false)");
  EXPECT_EQ(error_of<ShapeError>([] {
              result_of(MeanIoU{.num_classes = 3, .sparse_y_pred = false}, Tensor(Shape{2}), Tensor({2, 4}));
            }),
            "mean_io_u: predictions are (2, 4); with sparse_y_pred = false, (..., 3) is required");
  EXPECT_EQ(error_of<ValueError>([] {
              result_of(MeanIoU{2}, Tensor::vector({0, 255}), Tensor(Shape{2}));
            }),
            "mean_io_u: label 255 in row 1; labels are whole numbers from 0 to 1");
  EXPECT_EQ(error_of<ValueError>([] {
              result_of(MeanIoU{2}, Tensor(Shape{2}), Tensor::vector({0, 0.5}));
            }),
            "mean_io_u: prediction 0.5 in row 1; predictions are whole numbers from 0 to 1");
  EXPECT_EQ(error_of<ValueError>([] { result_of(MeanIoU{0}, Tensor(Shape{2}), Tensor(Shape{2})); }),
            "mean_io_u: num_classes is 0; it must be at least 1");
}

}  // namespace
}  // namespace cornu
