#include "cornu/models/metrics/metrics.h"

#include <gtest/gtest.h>

#include <limits>

#include "cornu/core/error.h"
#include "cornu/models/metrics/metric.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::nan;
using testing::result_of;

template <class M>
std::string shape_error(M metric, const Tensor& y_true, const Tensor& y_pred) {
  return error_of<ShapeError>([&] { metric.update(y_true, y_pred); });
}

template <class M>
std::string value_error(M metric, const Tensor& y_true, const Tensor& y_pred) {
  return error_of<ValueError>([&] { metric.update(y_true, y_pred); });
}

static_assert(Metric<Accuracy> && Metric<BinaryAccuracy> && Metric<CategoricalAccuracy>);
static_assert(Metric<SparseCategoricalAccuracy> && Metric<TopKAccuracy>);
static_assert(Metric<Precision> && Metric<Recall> && Metric<F1Score>);

TEST(Metrics, HaveKerasNames) {
  EXPECT_EQ(AnyMetric(Accuracy{}).name(), "accuracy");
  EXPECT_EQ(AnyMetric(BinaryAccuracy{}).name(), "binary_accuracy");
  EXPECT_EQ(AnyMetric(CategoricalAccuracy{}).name(), "categorical_accuracy");
  EXPECT_EQ(AnyMetric(SparseCategoricalAccuracy{}).name(), "sparse_categorical_accuracy");
  EXPECT_EQ(AnyMetric(TopKAccuracy{}).name(), "top_k_accuracy");
  EXPECT_EQ(AnyMetric(Precision{}).name(), "precision");
  EXPECT_EQ(AnyMetric(Recall{.class_id = 3}).name(), "recall_class_3");
  EXPECT_EQ(AnyMetric(F1Score{}).name(), "f1_score");
}

TEST(Metrics, AreZeroBeforeAnyUpdate) {
  for (const AnyMetric& metric : {AnyMetric(Accuracy{}), AnyMetric(BinaryAccuracy{}), AnyMetric(CategoricalAccuracy{}),
                                  AnyMetric(SparseCategoricalAccuracy{}), AnyMetric(TopKAccuracy{}),
                                  AnyMetric(Precision{}), AnyMetric(Recall{.class_id = 1}), AnyMetric(F1Score{})}) {
    EXPECT_EQ(metric.result(), 0) << metric.name();
  }
}

TEST(Metrics, AccumulateOverBatchesUntilReset) {
  const Tensor y_pred = Tensor::matrix({{0.9, 0.1}, {0.8, 0.2}, {0.3, 0.7}});
  for (AnyMetric metric : {AnyMetric(Accuracy{}), AnyMetric(SparseCategoricalAccuracy{}), AnyMetric(TopKAccuracy{1}),
                           AnyMetric(Recall{.class_id = 1})}) {
    metric.update(Tensor::vector({0, 1, 1}), y_pred);
    metric.update(Tensor::vector({1}), Tensor::matrix({{1, 0}}));
    EXPECT_EQ(metric.result(), metric.name() == "recall_class_1" ? 1 / 3.0 : 0.5) << metric.name();
    metric.reset();
    EXPECT_EQ(metric.result(), 0) << metric.name();
    metric.update(Tensor::vector({1}), Tensor::matrix({{0, 1}}));
    EXPECT_EQ(metric.result(), 1) << metric.name();
  }
}

TEST(Metrics, AllocateNothingOnceWarm) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const Tensor y_pred = Tensor::full({32, 10}, 0.1), labels({32});
  std::vector<AnyMetric> metrics{Accuracy{}, SparseCategoricalAccuracy{},    TopKAccuracy{}, Precision{},
                                 F1Score{},  SparseCategoricalCrossentropy{}};
  for (AnyMetric& metric : metrics) metric.update(labels, y_pred);
  const testing::AllocationCounter counter;
  for (AnyMetric& metric : metrics) {
    metric.reset();
    for (int i = 0; i < 3; ++i) metric.update(labels, y_pred);
    EXPECT_GE(metric.result(), 0);
  }
  EXPECT_EQ(counter.count(), 0);
}

// ---- Binary, categorical, sparse ----

TEST(BinaryAccuracy, IsTheFractionOnTheRightSideOfTheThreshold) {
  const Tensor y_true({4, 1}, {1, 1, 0, 0}), y_pred({4, 1}, {0.98, 1, 0, 0.6});
  EXPECT_EQ(result_of(BinaryAccuracy{}, y_true, y_pred), 0.75);
  EXPECT_EQ(result_of(BinaryAccuracy{.threshold = 0.7}, y_true, y_pred), 1);
  EXPECT_EQ(result_of(BinaryAccuracy{.threshold = 0.99}, y_true, y_pred), 0.75);
}

TEST(BinaryAccuracy, TheThresholdItselfAndNaNCountAsZero) {
  EXPECT_EQ(result_of(BinaryAccuracy{}, Tensor::vector({0, 1}), Tensor::vector({0.5, 0.5})), 0.5);
  EXPECT_EQ(result_of(BinaryAccuracy{}, Tensor::vector({0, 1, 1}), Tensor::vector({nan, nan, nan})), 1 / 3.0);
}

TEST(BinaryAccuracy, CountsEveryElementOfASample) {
  EXPECT_EQ(result_of(BinaryAccuracy{}, Tensor::matrix({{0, 1, 1}, {0, 0, 1}}),
                      Tensor::matrix({{0.1, 0.9, 0.2}, {0.6, 0.4, 0.8}})),
            4 / 6.0);
}

TEST(BinaryAccuracy, AcceptsShapesWithoutALastAxisOf1) {
  const Tensor flat = Tensor::vector({1, 0}), column({2, 1}, {0.9, 0.2});
  EXPECT_EQ(result_of(BinaryAccuracy{}, flat, column), 1);
  EXPECT_EQ(result_of(BinaryAccuracy{}, Tensor({2, 1}, {1, 0}), Tensor::vector({0.9, 0.2})), 1);
  EXPECT_EQ(
      value_error(BinaryAccuracy{}, column, flat),
      "binary_accuracy: label 0.9 in row 0; labels are whole numbers from 0 to 1; for soft labels use a loss as the "
      "metric, such as BinaryCrossentropy");
  EXPECT_EQ(shape_error(BinaryAccuracy{}, Tensor({2, 3}), column),
            "binary_accuracy: predictions are (2, 1) and labels (2, 3); one label for each prediction is required");
}

TEST(CategoricalAccuracy, ComparesPositionsOfTheMaxima) {
  const Tensor y_true = Tensor::matrix({{0, 0, 1}, {0, 1, 0}});
  EXPECT_EQ(result_of(CategoricalAccuracy{}, y_true, Tensor::matrix({{0.1, 0.9, 0.8}, {0.05, 0.95, 0}})), 0.5);
  EXPECT_EQ(result_of(CategoricalAccuracy{}, Tensor::matrix({{0.2, 0.2, 0.6}}), Tensor::matrix({{-5, -4, -3}})), 1);
  EXPECT_EQ(shape_error(CategoricalAccuracy{}, Tensor({2}), Tensor({2, 3})),
            "categorical_accuracy: predictions are (2, 3) and labels (2,); equal shapes are required");
}

TEST(SparseCategoricalAccuracy, ComparesWithTheLabel) {
  const Tensor y_pred = Tensor::matrix({{0.1, 0.6, 0.3}, {0.05, 0.95, 0}});
  EXPECT_EQ(result_of(SparseCategoricalAccuracy{}, Tensor::vector({2, 1}), y_pred), 0.5);
  EXPECT_EQ(result_of(SparseCategoricalAccuracy{}, Tensor({2, 1}, {2, 1}), y_pred), 0.5);
}

TEST(SparseCategoricalAccuracy, CountsOverEveryAxisButTheLast) {
  const Tensor y_pred({2, 2, 2}, {1, 0, 0, 1, 1, 0, 0, 1});
  EXPECT_EQ(result_of(SparseCategoricalAccuracy{}, Tensor({2, 2}, {0, 1, 1, 1}), y_pred), 0.75);
  EXPECT_EQ(result_of(SparseCategoricalAccuracy{}, Tensor({2, 2, 1}, {0, 1, 1, 1}), y_pred), 0.75);
}

TEST(SparseCategoricalAccuracy, TakesTheFirstOfEqualScoresAndNaNAsTheLargest) {
  EXPECT_EQ(result_of(SparseCategoricalAccuracy{}, Tensor::vector({0}), Tensor::matrix({{0.5, 0.5}})), 1);
  EXPECT_EQ(result_of(SparseCategoricalAccuracy{}, Tensor::vector({1}), Tensor::matrix({{0.5, 0.5}})), 0);
  EXPECT_EQ(result_of(SparseCategoricalAccuracy{}, Tensor::vector({1}), Tensor::matrix({{2, nan, 3}})), 1);
  EXPECT_EQ(result_of(SparseCategoricalAccuracy{}, Tensor::vector({2}), Tensor::matrix({{2, nan, 3}})), 0);
}

TEST(SparseCategoricalAccuracy, RefusesInvalidLabelsAndThenCountsNothing) {
  const Tensor y_pred({2, 3});
  EXPECT_EQ(value_error(SparseCategoricalAccuracy{}, Tensor::vector({0, 3}), y_pred),
            "sparse_categorical_accuracy: label 3 in row 1; labels are whole numbers from 0 to 2");
  EXPECT_EQ(value_error(SparseCategoricalAccuracy{}, Tensor::vector({-1, 0}), y_pred),
            "sparse_categorical_accuracy: label -1 in row 0; labels are whole numbers from 0 to 2");
  EXPECT_EQ(value_error(SparseCategoricalAccuracy{}, Tensor::vector({0.5, 0}), y_pred),
            "sparse_categorical_accuracy: label 0.5 in row 0; labels are whole numbers from 0 to 2");
  EXPECT_EQ(value_error(SparseCategoricalAccuracy{}, Tensor({2, 2}, {0, 1, 2, 3}), Tensor({2, 2, 3})),
            "sparse_categorical_accuracy: label 3 in row 1, position 1; labels are whole numbers from 0 to 2");
  EXPECT_THROW(result_of(SparseCategoricalAccuracy{}, Tensor::vector({nan, 0}), y_pred), ValueError);
  EXPECT_EQ(shape_error(SparseCategoricalAccuracy{}, Tensor({3}), y_pred),
            "sparse_categorical_accuracy: predictions are (2, 3) and labels (3,); one label for each row of classes is "
            "required");
  EXPECT_EQ(shape_error(SparseCategoricalAccuracy{}, Tensor({3}), Tensor({3})),
            "sparse_categorical_accuracy: predictions are (3,); (batch, ..., classes) is required");

  SparseCategoricalAccuracy metric;
  EXPECT_THROW(metric.update(Tensor::vector({0, 3}), y_pred), ValueError);
  EXPECT_EQ(metric.hits.seen, 0);
}

// ---- The choice between the three ----

TEST(Accuracy, IsBinaryForASingleOutput) {
  EXPECT_EQ(result_of(Accuracy{}, Tensor::vector({1, 1, 0}), Tensor({3, 1}, {0.9, 0.4, 0.1})), 2 / 3.0);
  EXPECT_EQ(result_of(Accuracy{}, Tensor({3, 1}, {1, 1, 0}), Tensor({3, 1}, {0.9, 0.4, 0.1})), 2 / 3.0);
  EXPECT_EQ(result_of(Accuracy{}, Tensor::vector({1, 1, 0}), Tensor::vector({0.9, 0.4, 0.1})), 2 / 3.0);
}

TEST(Accuracy, IsSparseForLabelsOfALowerRankOrWithALastAxisOf1) {
  const Tensor y_pred = Tensor::matrix({{0.1, 0.6, 0.3}, {0.05, 0.95, 0}});
  EXPECT_EQ(result_of(Accuracy{}, Tensor::vector({2, 1}), y_pred), 0.5);
  EXPECT_EQ(result_of(Accuracy{}, Tensor({2, 1}, {2, 1}), y_pred), 0.5);
  EXPECT_EQ(value_error(Accuracy{}, Tensor::vector({2, 7}), y_pred),
            "accuracy: label 7 in row 1; labels are whole numbers from 0 to 2");
}

TEST(Accuracy, IsCategoricalForLabelsOfTheSameShape) {
  // Comparing each element with a threshold, as binary accuracy does, would give 4 of 6.
  EXPECT_EQ(
      result_of(Accuracy{}, Tensor::matrix({{0, 0, 1}, {0, 1, 0}}), Tensor::matrix({{0.3, 0.3, 0.4}, {0.3, 0.4, 0.3}})),
      1);
  EXPECT_EQ(shape_error(Accuracy{}, Tensor({2, 4}), Tensor({2, 3})),
            "accuracy: predictions are (2, 3) and labels (2, 4); equal shapes are required");
}

TEST(Accuracy, ChoosesAtEachUpdate) {
  Accuracy accuracy;
  accuracy.update(Tensor::vector({1}), Tensor::matrix({{0, 1}}));
  accuracy.update(Tensor::matrix({{1, 0}}), Tensor::matrix({{0, 1}}));
  accuracy.update(Tensor::vector({1, 1}), Tensor({2, 1}, {0.7, 0.2}));
  EXPECT_EQ(accuracy.result(), 0.5);
}

// ---- Top k ----

TEST(TopKAccuracy, CountsLabelsAmongTheKLargest) {
  const Tensor y_pred = Tensor::matrix({{0.1, 0.9, 0.8}, {0.05, 0.95, 0}});
  const Tensor labels = Tensor::vector({2, 2}), one_hot = Tensor::matrix({{0, 0, 1}, {0, 0, 1}});
  const double expected[] = {0, 0.5, 1, 1};
  for (const Index k : {1, 2, 3, 4}) {
    EXPECT_EQ(result_of(TopKAccuracy{.k = k}, labels, y_pred), expected[k - 1]) << k;
    EXPECT_EQ(result_of(TopKAccuracy{.k = k}, one_hot, y_pred), expected[k - 1]) << k;
  }
  EXPECT_EQ(result_of(TopKAccuracy{}, Tensor::vector({5}), Tensor::matrix({{6, 5, 4, 3, 2, 1}})), 0) << "k is 5";
}

TEST(TopKAccuracy, TakesAllOfEqualScores) {
  for (const Real label : {0, 1, 2}) {
    EXPECT_EQ(result_of(TopKAccuracy{.k = 1}, Tensor::vector({label}), Tensor::matrix({{2, 2, 2}})), 1) << label;
  }
  EXPECT_EQ(result_of(TopKAccuracy{.k = 2}, Tensor::vector({3}), Tensor::matrix({{3, 2, 2, 2}})), 1);
  EXPECT_EQ(result_of(TopKAccuracy{.k = 2}, Tensor::vector({3}), Tensor::matrix({{3, 3, 2, 2}})), 0);
}

TEST(TopKAccuracy, CountsARowWithNaNAsAMiss) {
  EXPECT_EQ(result_of(TopKAccuracy{.k = 3}, Tensor::vector({0}), Tensor::matrix({{1, nan, 0}})), 0);
  EXPECT_EQ(result_of(TopKAccuracy{.k = 3}, Tensor::vector({1}), Tensor::matrix({{1, nan, 0}})), 0);
}

TEST(TopKAccuracy, RefusesAnInvalidKAndMissingClasses) {
  EXPECT_EQ(value_error(TopKAccuracy{.k = 0}, Tensor({2}), Tensor({2, 3})),
            "top_k_accuracy: k is 0; it must be at least 1");
  EXPECT_EQ(shape_error(TopKAccuracy{}, Tensor({2}), Tensor({2})),
            "top_k_accuracy: predictions are (2,); (batch, ..., classes) is required");
  EXPECT_EQ(value_error(TopKAccuracy{}, Tensor::vector({3, 0}), Tensor({2, 3})),
            "top_k_accuracy: label 3 in row 0; labels are whole numbers from 0 to 2");
}

// ---- Precision, recall, F1 ----

// Truth 0 0 1 1 1 2, predicted 0 1 1 1 2 2:
//   class  TP FP FN  precision recall  F1
//   0       1  0  1   1         1/2    2/3
//   1       2  1  1   2/3       2/3    2/3
//   2       1  1  0   1/2       1      2/3
const Tensor six_labels = Tensor::vector({0, 0, 1, 1, 1, 2});
const Tensor scores = Tensor::matrix({{9, 0, 0}, {0, 9, 0}, {0, 9, 0}, {0, 9, 0}, {0, 0, 9}, {0, 0, 9}});

TEST(PrecisionRecallF1, AreMeansOverTheClassesForIndicesByDefault) {
  EXPECT_NEAR(result_of(Precision{}, six_labels, scores), (1 + 2 / 3.0 + 0.5) / 3, 1e-15);
  EXPECT_NEAR(result_of(Recall{}, six_labels, scores), (0.5 + 2 / 3.0 + 1) / 3, 1e-15);
  EXPECT_NEAR(result_of(F1Score{}, six_labels, scores), 2 / 3.0, 1e-15);
}

TEST(PrecisionRecallF1, AreThoseOfTheGivenClassId) {
  EXPECT_EQ(result_of(Precision{.class_id = 0}, six_labels, scores), 1);
  EXPECT_EQ(result_of(Precision{.class_id = 2}, six_labels, scores), 0.5);
  EXPECT_EQ(result_of(Recall{.class_id = 0}, six_labels, scores), 0.5);
  EXPECT_EQ(result_of(Recall{.class_id = 2}, six_labels, scores), 1);
  EXPECT_EQ(result_of(F1Score{.class_id = 1}, six_labels, scores), 2 / 3.0);
}

TEST(PrecisionRecallF1, AreThoseOfClass1ForASingleOutput) {
  // TP 2, FP 1, FN 1 and TN 1 with the threshold 0.5.
  const Tensor y_true = Tensor::vector({1, 1, 1, 0, 0}), y_pred({5, 1}, {0.9, 0.6, 0.2, 0.7, 0.1});
  EXPECT_EQ(result_of(Precision{}, y_true, y_pred), 2 / 3.0);
  EXPECT_EQ(result_of(Recall{}, y_true, y_pred), 2 / 3.0);
  EXPECT_EQ(result_of(F1Score{}, y_true, y_pred), 2 / 3.0);
  EXPECT_EQ(result_of(Precision{.threshold = 0.8}, y_true, y_pred), 1);
  EXPECT_EQ(result_of(Recall{.threshold = 0.8}, y_true, y_pred), 1 / 3.0);
  EXPECT_EQ(result_of(Recall{.class_id = 0}, y_true, y_pred), 0.5);
  EXPECT_EQ(result_of(Precision{}, y_true, Tensor::vector({0.9, 0.6, 0.2, 0.7, 0.1})), 2 / 3.0)
      << "without the last axis";
}

TEST(PrecisionRecallF1, AreZeroWithoutPredictionsOrSamples) {
  const Tensor y_true = Tensor::vector({1, 1}), y_pred({2, 1}, {0.1, 0.2});
  EXPECT_EQ(result_of(Precision{}, y_true, y_pred), 0);
  EXPECT_EQ(result_of(Recall{}, Tensor::vector({0, 0}), y_pred), 0);
  EXPECT_EQ(result_of(F1Score{}, Tensor::vector({0, 0}), y_pred), 0);
}

TEST(PrecisionRecallF1, RefuseAClassIdOutOfRange) {
  EXPECT_EQ(value_error(Precision{.class_id = 3}, six_labels, scores),
            "precision: class_id is 3; the classes of predictions (6, 3) are 0 to 2");
  EXPECT_EQ(value_error(Recall{.class_id = -1}, six_labels, scores),
            "recall: class_id is -1; the classes of predictions (6, 3) are 0 to 2");
  EXPECT_EQ(value_error(F1Score{}, Tensor::vector({0, 0, 1, 1, 1, 3}), scores),
            "f1_score: label 3 in row 5; labels are whole numbers from 0 to 2");
}

}  // namespace
}  // namespace cornu
