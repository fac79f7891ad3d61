#include "cornu/datasets/subset.h"

#include <gtest/gtest.h>

#include <set>

#include "cornu/core/error.h"
#include "cornu/core/random.h"
#include "cornu/datasets/batches.h"
#include "cornu/datasets/one_hot.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"

namespace cornu {
namespace {

using testing::error_of;

/// Row i is the number i and has the given class.
TensorDataset of_classes(const std::vector<Index>& classes) {
  const auto size = std::ssize(classes);
  Tensor x({size, 1}), y(Shape{size});
  for (Index i = 0; i < size; ++i) {
    x[i] = static_cast<Real>(i);
    y[i] = static_cast<Real>(classes[static_cast<std::size_t>(i)]);
  }
  return {std::move(x), std::move(y)};
}

/// counts[k] samples of class k, mixed.
TensorDataset of_counts(const std::vector<Index>& counts) {
  std::vector<Index> classes;
  for (std::size_t k = 0; k < counts.size(); ++k)
    classes.insert(classes.end(), static_cast<std::size_t>(counts[k]), static_cast<Index>(k));
  Rng(1).shuffle(classes);
  return of_classes(classes);
}

std::vector<Index> counts_of(DatasetRef data, std::size_t classes) {
  std::vector<Index> counts(classes);
  const TensorDataset all = gathered(data);
  for (const Real label : all.y()) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

TEST(DatasetSubset, HasTheGivenRows) {
  const TensorDataset data = of_classes({5, 6, 7, 8});
  const DatasetSubset subset(data, {3, 0, 3});
  EXPECT_EQ(subset.size(), 3);
  EXPECT_EQ(gathered(subset).x(), Tensor::matrix({{3}, {0}, {3}}));
  EXPECT_EQ(gathered(subset).y(), Tensor::vector({8, 5, 8}));
  const std::vector<Index> beyond{3, -1, 1};
  subset.prefetch(beyond);
  Tensor x({3, 1}), y(Shape{3});
  EXPECT_EQ(error_of<ValueError>([&] { subset.gather(beyond, x, y); }),
            "DatasetSubset: row 3 is out of range; there are 3 rows");
  EXPECT_EQ(error_of<ValueError>([&] { DatasetSubset(data, {4}); }),
            "DatasetSubset: row 4 is out of range; the dataset has 4 rows");
}

TEST(DatasetSubset, GathersMoreRowsThanFitOnTheStack) {
  std::vector<Index> rows(1000);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = 999 - static_cast<Index>(i);
  const TensorDataset data = of_classes(std::vector<Index>(1000));
  const DatasetSubset subset(data, rows);
  const Tensor x = gathered(subset).x();
  for (Index i = 0; i < 1000; ++i) EXPECT_EQ(x[i], static_cast<Real>(999 - i));
}

TEST(StratifiedSplit, KeepsTheFractionOfEachClass) {
  const TensorDataset data = of_counts({100, 40, 10});
  const StratifiedSplit parts = stratified_split(data, 0.2);
  EXPECT_EQ(counts_of(parts.validation, 3), (std::vector<Index>{20, 8, 2}));
  EXPECT_EQ(counts_of(parts.train, 3), (std::vector<Index>{80, 32, 8}));
  std::set<Index> all(parts.train.rows().begin(), parts.train.rows().end());
  all.insert(parts.validation.rows().begin(), parts.validation.rows().end());
  EXPECT_EQ(all.size(), 150u) << "each sample is in one of them";
  EXPECT_TRUE(std::is_sorted(parts.train.rows().begin(), parts.train.rows().end()));
}

TEST(StratifiedSplit, RoundsToTheRightTotal) {
  // 1.5 of 5 in each of four classes: 6 in total, not 4 or 8.
  const TensorDataset four = of_counts({5, 5, 5, 5}), three = of_counts({7, 11, 13});
  EXPECT_EQ(stratified_split(four, 0.3).validation.size(), 6);
  EXPECT_EQ(stratified_split(three, 0.25).validation.size(), 8);
}

TEST(StratifiedSplit, EachPartHasASampleOfEachClassWithTwo) {
  const TensorDataset data = of_counts({50, 2, 1}), two = of_counts({50, 2});
  const StratifiedSplit parts = stratified_split(data, 0.1);
  EXPECT_EQ(counts_of(parts.validation, 3)[1], 1);
  EXPECT_EQ(counts_of(parts.train, 3)[1], 1);
  EXPECT_EQ(counts_of(parts.train, 3)[2], 1);
  const StratifiedSplit most = stratified_split(two, 0.9);
  EXPECT_EQ(counts_of(most.train, 2), (std::vector<Index>{5, 1}));
}

TEST(StratifiedSplit, DependsOnlyOnTheSeed) {
  const TensorDataset data = of_counts({30, 30});
  EXPECT_EQ(stratified_split(data, 0.5, 1).train.rows(), stratified_split(data, 0.5, 1).train.rows());
  EXPECT_NE(stratified_split(data, 0.5, 1).train.rows(), stratified_split(data, 0.5, 2).train.rows());
}

TEST(StratifiedSplit, AcceptsOneHotTargets) {
  const TensorDataset data = of_counts({30, 10});
  const OneHot one_hot(data, 2);
  EXPECT_EQ(stratified_split(one_hot, 0.5).train.rows(), stratified_split(data, 0.5).train.rows());
}

TEST(StratifiedSplit, RejectsInvalidFractionsAndTargets) {
  const TensorDataset data = of_counts({3, 3}), single = of_classes({0, 1, 2}),
                      numbers(Tensor({2, 1}), Tensor::vector({1, 0.5}));
  EXPECT_EQ(error_of<ValueError>([&] { stratified_split(data, 1); }),
            "stratified_split: validation_fraction is 1; it must lie between 0 and 1");
  EXPECT_EQ(
      error_of<ValueError>([&] { stratified_split(single, 0.5); }),
      "stratified_split: of 3 samples in 3 classes, 3 are left for training and 0 for validation; both need samples");
  EXPECT_EQ(error_of<ValueError>([&] { stratified_split(numbers, 0.5); }),
            "label 0.5 in row 1 is not a class; classes are whole numbers from 0 on");
}

TEST(BalancedClassWeight, GivesAllClassesTheSameTotalWeight) {
  const std::map<Index, double> expected{{0, 10 / (3 * 6.0)}, {1, 10 / (3 * 3.0)}, {4, 10 / 3.0}};
  const TensorDataset data = of_classes({0, 0, 1, 0, 4, 1, 0, 0, 1, 0});
  EXPECT_EQ(balanced_class_weight(data), expected);
  EXPECT_EQ(balanced_class_weight(data.y()), expected);
  EXPECT_EQ(balanced_class_weight(one_hot(data.y(), 5)), expected);
}

TEST(BalancedClassWeight, CountsEachLabelOfASample) {
  // Six labels: class 0 four times, class 2 twice. Taken for rows of scores, they would be classes 2 and 0.
  const Tensor labels({2, 3}, {0, 0, 2, 2, 0, 0});
  const std::map<Index, double> expected{{0, 6 / (2 * 4.0)}, {2, 6 / (2 * 2.0)}};
  EXPECT_EQ(balanced_class_weight(labels), expected);
  const TensorDataset data(Tensor({2, 1}), labels), of_rows(Tensor({2, 1}), one_hot(labels, 3));
  EXPECT_EQ(balanced_class_weight(data), expected);
  EXPECT_EQ(balanced_class_weight(of_rows), expected);
  EXPECT_EQ(balanced_class_weight(Tensor({2, 3, 1}, {0, 0, 2, 2, 0, 0})), expected);
  EXPECT_EQ(balanced_class_weight(one_hot(labels, 3)), expected);
  // Labels 0 and 1 whose first rows could be one-hot.
  const std::map<Index, double> of_bits{{0, 8 / (2 * 3.0)}, {1, 8 / (2 * 5.0)}};
  EXPECT_EQ(balanced_class_weight(Tensor({4, 2}, {0, 1, 1, 0, 0, 1, 1, 1})), of_bits);
  // A smoothed one-hot row has the class of its largest element.
  const std::map<Index, double> smoothed{{0, 1}, {1, 1}};
  EXPECT_EQ(balanced_class_weight(Tensor({2, 2}, {0.9, 0.1, 0.1, 0.9})), smoothed);
  EXPECT_EQ(error_of<ValueError>([] {
              balanced_class_weight(Tensor({2, 2}, {0, 1, 0.5, 3}));
            }),
            "label 0.5 in row 1 is not a class; classes are whole numbers from 0 on, or one-hot rows");
}

TEST(StratifiedSplit, RejectsSeveralLabelsPerSample) {
  const TensorDataset data(Tensor({4, 1}), Tensor({4, 2}, {0, 2, 1, 1, 0, 2, 1, 1}));
  EXPECT_EQ(error_of<ShapeError>([&] { stratified_split(data, 0.5); }),
            "stratified_split: targets of shape (2,) have 8 labels for 4 samples; one label per sample is required");
}

TEST(BalancedClassWeight, RejectsInvalidLabels) {
  EXPECT_EQ(error_of<ValueError>([] {
              balanced_class_weight(Tensor::vector({0, -1}));
            }),
            "label -1 in row 1 is not a class; classes are whole numbers from 0 on");
  EXPECT_EQ(error_of<ValueError>([] { balanced_class_weight(Tensor()); }),
            "balanced_class_weight: there are no samples");
}

}  // namespace
}  // namespace cornu
