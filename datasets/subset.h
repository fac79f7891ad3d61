#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/dataset.h"

namespace cornu {

/// Some rows of another dataset, in any order, without copying. The dataset must outlive it.
class DatasetSubset {
 public:
  /// Throws ValueError, naming the row, for a row out of range.
  DatasetSubset(DatasetRef dataset, std::vector<Index> rows);

  const std::vector<Index>& rows() const { return rows_; }

  Index size() const { return std::ssize(rows_); }
  Shape feature_shape() const { return dataset_.feature_shape(); }
  Shape target_shape() const { return dataset_.target_shape(); }
  /// Throws ValueError for a row out of range, and whatever the dataset throws.
  void gather(std::span<const Index> rows, View x, View y) const;
  void prefetch(std::span<const Index> rows) const;
  /// Enough if the rows are in ascending order.
  Index split_gap() const { return dataset_.split_gap(); }

 private:
  DatasetRef dataset_;
  std::vector<Index> rows_;
};

/// Copies all samples of a dataset into two tensors.
TensorDataset gathered(DatasetRef dataset);

struct StratifiedSplit {
  DatasetSubset train, validation;
};

/// Draws validation_fraction of each class at random for validation; the rest is for training. Both parts keep the
/// dataset's order. A class with one sample stays in training; a larger class has at least one sample in each part.
/// Samples left over by rounding go to the classes furthest from their fraction, so that the total is as close to
/// validation_fraction as these rules allow.
/// Throws ValueError unless 0 < validation_fraction < 1, both parts have samples, and targets are labels or one-hot;
/// ShapeError if a sample has several labels.
StratifiedSplit stratified_split(DatasetRef dataset, double validation_fraction, std::uint64_t seed = 0);

/// Balanced class weights for fit's class_weight: labels / (classes x labels of the class). Classes without samples get
/// no entry.
/// Targets are labels, (samples, ...), or one-hot, (samples, ..., classes); they count as one-hot if every row of the
/// last axis is a distribution. Throws ValueError, naming row and label, for a label that is not a whole number from 0
/// on, and for an empty dataset.
std::map<Index, double> balanced_class_weight(DatasetRef dataset);
std::map<Index, double> balanced_class_weight(const Tensor& y);

}  // namespace cornu
