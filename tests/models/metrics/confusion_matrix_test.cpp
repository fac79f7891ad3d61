#include "cornu/models/metrics/confusion_matrix.h"

#include <gtest/gtest.h>

#include <limits>

#include "cornu/core/error.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::nan;

/// All counts in row-major order.
std::vector<Index> counts(const ConfusionMatrix& matrix) {
  std::vector<Index> result;
  for (Index truth = 0; truth < matrix.classes(); ++truth) {
    for (Index prediction = 0; prediction < matrix.classes(); ++prediction) {
      result.push_back(matrix.count(truth, prediction));
    }
  }
  return result;
}

// The example in scikit-learn's documentation of classification_report.
const Tensor five_labels = Tensor::vector({0, 1, 2, 2, 2});
const Tensor five_predictions = Tensor::vector({0, 0, 2, 2, 1});

TEST(ConfusionMatrix, HasTrueClassesInRowsAndPredictionsInColumns) {
  const ConfusionMatrix matrix = confusion_matrix(five_labels, five_predictions);
  EXPECT_EQ(matrix.classes(), 3);
  EXPECT_EQ(counts(matrix), (std::vector<Index>{1, 0, 0, 1, 0, 0, 0, 1, 2}));
  EXPECT_EQ(matrix.total(), 5);
  EXPECT_EQ(matrix.support(2), 3);
  EXPECT_EQ(matrix.predicted(0), 2);
}

TEST(ConfusionMatrix, ComputesTheMetricsOfEachClassAndTheirMeans) {
  const ConfusionMatrix matrix = confusion_matrix(five_labels, five_predictions);
  EXPECT_EQ(matrix.accuracy(), 0.6);
  EXPECT_EQ(matrix.precision(0), 0.5);
  EXPECT_EQ(matrix.recall(0), 1);
  EXPECT_EQ(matrix.f1(0), 2 / 3.0);
  EXPECT_EQ(matrix.precision(1), 0);
  EXPECT_EQ(matrix.precision(2), 1);
  EXPECT_EQ(matrix.recall(2), 2 / 3.0);
  EXPECT_EQ(matrix.f1(2), 0.8);
  EXPECT_EQ(matrix.macro_precision(), 0.5);
  EXPECT_NEAR(matrix.macro_recall(), 5 / 9.0, 1e-15);
  EXPECT_NEAR(matrix.macro_f1(), (2 / 3.0 + 0.8) / 3, 1e-15);
}

TEST(ConfusionMatrix, FractionsWithADenominatorOfZeroAreZero) {
  const ConfusionMatrix none;
  EXPECT_EQ(none.classes(), 0);
  EXPECT_EQ(none.accuracy(), 0);
  EXPECT_EQ(none.macro_f1(), 0);
  const ConfusionMatrix matrix = confusion_matrix(Tensor::vector({0, 0}), Tensor::vector({1, 1}), 3);
  for (const Index c : {0, 1, 2}) {
    EXPECT_EQ(matrix.precision(c), 0);
    EXPECT_EQ(matrix.recall(c), 0);
    EXPECT_EQ(matrix.f1(c), 0);
  }
}

TEST(ConfusionMatrix, ExcludesClassesThatDoNotOccurFromItsMeans) {
  const ConfusionMatrix matrix = confusion_matrix(five_labels, five_predictions, 10);
  EXPECT_EQ(matrix.classes(), 10);
  EXPECT_EQ(matrix.macro_precision(), 0.5);
}

TEST(ConfusionMatrix, TakesOneHotRowsAndScores) {
  const Tensor one_hot = Tensor::matrix({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {0, 0, 1}, {0, 0, 1}});
  const Tensor scores = Tensor::matrix({{5, 1, 1}, {0.5, 0.5, 0}, {-3, -2, -1}, {0, 0, 1}, {0, 1, 0}});
  const std::vector<Index> expected = counts(confusion_matrix(five_labels, five_predictions));
  EXPECT_EQ(counts(confusion_matrix(five_labels, scores)), expected);
  EXPECT_EQ(counts(confusion_matrix(one_hot, scores)), expected);
  EXPECT_EQ(counts(confusion_matrix(one_hot, five_predictions)), expected);
  EXPECT_EQ(counts(confusion_matrix(Tensor({5, 1}, {0, 1, 2, 2, 2}), scores)), expected);
}

TEST(ConfusionMatrix, TakesPredictionsForEachPositionOfASample) {
  const Tensor scores({2, 2, 2}, {1, 0, 0, 1, 1, 0, 0, 1});
  EXPECT_EQ(counts(confusion_matrix(Tensor({2, 2}, {0, 1, 1, 1}), scores)), (std::vector<Index>{1, 0, 1, 2}));
}

TEST(ConfusionMatrix, TakesAColumnAsProbabilitiesOfClass1) {
  const Tensor labels = Tensor::vector({0, 0, 1, 1}), column({4, 1}, {0.1, 0.6, 0.5, 0.9});
  EXPECT_EQ(counts(confusion_matrix(labels, column)), (std::vector<Index>{1, 1, 1, 1}));
  ConfusionMatrix strict;
  strict.update(labels, column, 0.8);
  EXPECT_EQ(counts(strict), (std::vector<Index>{2, 0, 1, 1}));
}

TEST(ConfusionMatrix, TakesNaNAsTheLargestScoreAsArgmaxDoes) {
  EXPECT_EQ(confusion_matrix(Tensor::vector({0}), Tensor::matrix({{1, nan, 5}})).count(0, 1), 1);
}

TEST(ConfusionMatrix, GrowsWithTheLabelsAndKeepsItsCounts) {
  ConfusionMatrix matrix;
  matrix.update(Tensor::vector({0, 1}), Tensor::vector({1, 1}));
  matrix.update(Tensor::vector({3, 0}), Tensor::vector({0, 1}));
  EXPECT_EQ(matrix.classes(), 4);
  EXPECT_EQ(counts(matrix), (std::vector<Index>{0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}));
  matrix.reset();
  EXPECT_EQ(matrix.total(), 0);
  EXPECT_EQ(matrix.classes(), 4);
}

TEST(ConfusionMatrix, RefusesInvalidLabelsAndThenCountsNothing) {
  ConfusionMatrix matrix(3);
  EXPECT_EQ(error_of<ValueError>([&] {
              matrix.update(Tensor::vector({0, 3}), Tensor::vector({0, 0}));
            }),
            "confusion matrix: label 3 in row 1; labels are whole numbers from 0 to 2");
  EXPECT_EQ(error_of<ValueError>([&] {
              matrix.update(Tensor::vector({0, 0}), Tensor::vector({0.5, 0}));
            }),
            "confusion matrix: prediction 0.5 in row 0; predictions are whole numbers from 0 to 2");
  EXPECT_EQ(
      error_of<ValueError>([&] {
        confusion_matrix(Tensor::vector({-1}), Tensor::matrix({{0, 1}}));
      }),
      "confusion matrix: label -1 in row 0; labels are whole numbers from 0 to 1; map -1 and 1 to 0 and 1 by (y + 1) / "
      "2, which Hinge takes as well");
  EXPECT_EQ(matrix.total(), 0);
}

TEST(ConfusionMatrix, RefusesAnAbsurdlyLargeLabel) {
  EXPECT_EQ(error_of<ValueError>([&] { confusion_matrix(Tensor::vector({1000000}), Tensor::vector({0})); }),
            "confusion matrix: label 1000000 in row 0; labels are whole numbers from 0 to 4095 (for more, give the "
            "number of classes)");
  EXPECT_EQ(confusion_matrix(Tensor::vector({5000}), Tensor::vector({0}), 5001).count(5000, 0), 1);
}

TEST(ConfusionMatrix, RefusesShapesThatDoNotMatch) {
  const std::string required = "; one label or one-hot row per prediction (a class or a row of scores) is required";
  EXPECT_EQ(error_of<ShapeError>([&] { confusion_matrix(Tensor({3}), Tensor({2})); }),
            "confusion matrix: labels are (3,) and predictions (2,)" + required);
  EXPECT_EQ(error_of<ShapeError>([&] {
              confusion_matrix(Tensor({3, 2}), Tensor({2, 2}));
            }),
            "confusion matrix: labels are (3, 2) and predictions (2, 2)" + required);
  EXPECT_EQ(error_of<ShapeError>([&] { confusion_matrix(Tensor({3}), Tensor(Shape{})); }),
            "confusion matrix: labels are (3,) and predictions ()" + required);
  EXPECT_EQ(
      error_of<ShapeError>([&] {
        confusion_matrix(Tensor({3}), Tensor({3, 4}), 2);
      }),
      "confusion matrix: labels are (3,) and predictions (3, 4); they have more than the 2 classes of the matrix");
  EXPECT_EQ(error_of<ValueError>([&] { ConfusionMatrix(-1); }),
            "confusion matrix: -1 classes; at least 1 is required, or 0 to count all that occur");
}

TEST(ConfusionMatrix, RefusesAClassOutOfRange) {
  const ConfusionMatrix matrix = confusion_matrix(five_labels, five_predictions);
  const std::string text = "confusion matrix: no class 3; classes are numbered from 0, and there are 3";
  EXPECT_EQ(error_of<ValueError>([&] { matrix.count(0, 3); }), text);
  EXPECT_EQ(error_of<ValueError>([&] { matrix.precision(3); }), text);
  EXPECT_EQ(error_of<ValueError>([&] { matrix.support(3); }), text);
  EXPECT_THROW(matrix.recall(-1), ValueError);
}

TEST(ConfusionMatrix, AllocatesNothingOnceWarm) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  ConfusionMatrix matrix;
  matrix.update(five_labels, five_predictions);
  const testing::AllocationCounter counter;
  matrix.update(five_labels, five_predictions);
  matrix.update(five_predictions, five_labels);
  EXPECT_EQ(counter.count(), 0);
}

TEST(ConfusionMatrix, PrintsAsATable) {
  EXPECT_EQ(to_string(confusion_matrix(five_labels, five_predictions)),
            "       predicted\n"
            "truth  0 1 2\n"
            "    0  1 0 0\n"
            "    1  1 0 0\n"
            "    2  0 1 2\n");
  EXPECT_EQ(to_string(confusion_matrix(Tensor({120}), Tensor({120}), 2)),
            "       predicted\n"
            "truth    0   1\n"
            "    0  120   0\n"
            "    1    0   0\n");
}

TEST(ClassificationReport, MatchesScikitLearn) {
  const ConfusionMatrix matrix = confusion_matrix(five_labels, five_predictions);
  EXPECT_EQ(classification_report(matrix, {"class 0", "class 1", "class 2"}),
            "              precision    recall  f1-score   support\n"
            "\n"
            "     class 0       0.50      1.00      0.67         1\n"
            "     class 1       0.00      0.00      0.00         1\n"
            "     class 2       1.00      0.67      0.80         3\n"
            "\n"
            "    accuracy                           0.60         5\n"
            "   macro avg       0.50      0.56      0.49         5\n"
            "weighted avg       0.70      0.60      0.61         5\n");
}

TEST(ClassificationReport, ShowsIndicesWithoutNamesAndOmitsClassesThatDoNotOccur) {
  const std::string report = classification_report(confusion_matrix(five_labels, five_predictions, 10));
  EXPECT_NE(report.find("\n           2       1.00      0.67      0.80         3\n\n    accuracy"), std::string::npos)
      << report;
}

TEST(ClassificationReport, WidensForLongNames) {
  const ConfusionMatrix matrix = confusion_matrix(Tensor::vector({0}), Tensor::vector({0}));
  const std::string report = classification_report(matrix, {"a class of a long name"});
  EXPECT_NE(report.find("\na class of a long name       1.00"), std::string::npos) << report;
  EXPECT_NE(report.find("\n          weighted avg       1.00"), std::string::npos) << report;
}

TEST(ClassificationReport, RequiresOneNamePerClass) {
  EXPECT_EQ(error_of<ValueError>([] {
              classification_report(confusion_matrix(five_labels, five_predictions), {"one", "two"});
            }),
            "classification report: 2 names for 3 classes; one for each is required");
}

}  // namespace
}  // namespace cornu
