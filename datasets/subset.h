#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/dataset.h"

namespace cornu {

/// Some rows of another dataset, in any order, which it refers to and does not copy.
class DatasetSubset {
 public:
  /// Throws ValueError, naming the row, for one that the dataset does not have.
  DatasetSubset(DatasetRef dataset, std::vector<Index> rows);

  const std::vector<Index>& rows() const { return rows_; }

  Index size() const { return std::ssize(rows_); }
  Shape feature_shape() const { return dataset_.feature_shape(); }
  Shape target_shape() const { return dataset_.target_shape(); }
  /// Throws ValueError for a row out of range, and what the dataset throws.
  void gather(std::span<const Index> rows, View x, View y) const;
  void prefetch(std::span<const Index> rows) const;

 private:
  DatasetRef dataset_;
  std::vector<Index> rows_;
};

/// All samples of a dataset, in two tensors.
TensorDataset gathered(DatasetRef dataset);

struct StratifiedSplit {
  DatasetSubset train, validation;
};

/// Keeps validation_fraction of each class for validation, drawn at random; the rest is for training, both in the
/// dataset's order. A class of one sample stays in training, and of two samples or more each part has one. What is left
/// over by rounding goes to the classes that are furthest from their fraction, so that the whole is as near to it as
/// these allow.
/// Throws ValueError unless 0 < validation_fraction < 1, neither part is empty, and targets are labels or one-hot, and
/// ShapeError where a sample has several labels.
StratifiedSplit stratified_split(DatasetRef dataset, double validation_fraction, std::uint64_t seed = 0);

/// The weight of each class with which all count alike, labels / (classes x labels of the class), for fit's
/// class_weight; classes that do not occur have none.
/// Targets are labels, (samples, ...), or one-hot, (samples, ..., classes): that they are if every row of the last axis
/// is a distribution. Throws ValueError, naming row and label, for a label that is no whole number from 0 on, and for
/// no samples at all.
std::map<Index, double> balanced_class_weight(DatasetRef dataset);
std::map<Index, double> balanced_class_weight(const Tensor& y);

}  // namespace cornu
