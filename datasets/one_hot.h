#pragma once

#include <span>

#include "cornu/core/tensor.h"
#include "cornu/datasets/dataset.h"

namespace cornu {

/// Row i of the result is all zeros but for a one at labels[i].
/// labels: any shape, whole numbers below classes. Returns (labels' shape..., classes).
/// Throws ValueError for a label that is none, naming row and label, and for classes < 1.
Tensor one_hot(const Tensor& labels, Index classes);

/// A dataset with its labels one-hot encoded while a batch is gathered: its target_shape is (classes). Refers to the
/// dataset and does not copy it.
class OneHot {
 public:
  /// Throws ValueError for classes < 1, ShapeError if the dataset's targets are not single labels.
  OneHot(DatasetRef dataset, Index classes);

  Index size() const { return dataset_.size(); }
  Shape feature_shape() const { return dataset_.feature_shape(); }
  Shape target_shape() const { return {classes_}; }
  /// Throws ValueError for a label that is none, naming row and label, and what the dataset throws.
  void gather(std::span<const Index> rows, View x, View y) const;
  void prefetch(std::span<const Index> rows) const { dataset_.prefetch(rows); }

 private:
  DatasetRef dataset_;
  Index classes_;
};

}  // namespace cornu
