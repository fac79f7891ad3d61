#pragma once

#include <span>

#include "cornu/core/tensor.h"
#include "cornu/datasets/dataset.h"

namespace cornu {

/// One-hot encoding: row i of the result is 1 at labels[i] and 0 elsewhere.
/// labels: any shape, whole numbers below classes. Returns (labels' shape..., classes).
/// Throws ValueError for an invalid label, naming row and label, and for classes < 1.
Tensor one_hot(const Tensor& labels, Index classes);

/// A dataset whose labels are one-hot encoded when a batch is gathered; its target_shape is (classes). Refers to the
/// original dataset, which must outlive it.
class OneHot {
 public:
  /// Throws ValueError for classes < 1, and ShapeError if the dataset's targets are not single labels.
  OneHot(DatasetRef dataset, Index classes);

  Index size() const { return dataset_.size(); }
  Shape feature_shape() const { return dataset_.feature_shape(); }
  Shape target_shape() const { return {classes_}; }
  /// Throws ValueError for an invalid label, naming row and label, and whatever the dataset throws.
  void gather(std::span<const Index> rows, View x, View y) const;
  void prefetch(std::span<const Index> rows) const { dataset_.prefetch(rows); }
  Index split_gap() const { return dataset_.split_gap(); }

 private:
  DatasetRef dataset_;
  Index classes_;
};

}  // namespace cornu
