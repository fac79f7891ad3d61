#include "cornu/datasets/one_hot.h"

#include <algorithm>

#include "cornu/core/error.h"

namespace cornu {

namespace {

void check_classes(Index classes) {
  require<ValueError>(classes >= 1, "one_hot: {} classes; there must be at least 1", classes);
}

/// Checks a label and returns it as an index. The comparison is written to reject NaN.
Index checked(Real label, Index classes, Index row) {
  const bool in_range = label >= 0 && label < static_cast<Real>(classes);
  require<ValueError>(in_range && static_cast<Real>(static_cast<Index>(label)) == label,
                      "one_hot: label {} in row {}; labels must be whole numbers from 0 to {}", label, row,
                      classes - 1);
  return static_cast<Index>(label);
}

}  // namespace

Tensor one_hot(const Tensor& labels, Index classes) {
  check_classes(classes);
  Tensor result(labels.shape().inserted(labels.rank(), classes));
  for (Index row = 0; row < labels.size(); ++row) result[row * classes + checked(labels[row], classes, row)] = 1;
  return result;
}

OneHot::OneHot(DatasetRef dataset, Index classes) : dataset_(dataset), classes_(classes) {
  check_classes(classes);
  require(dataset.target_shape() == Shape{}, "OneHot: the dataset's targets are {}; they must be single labels, ()",
          dataset.target_shape());
}

void OneHot::gather(std::span<const Index> rows, View x, View y) const {
  const auto count = static_cast<Index>(rows.size());
  require(y.size() == count * classes_, "OneHot: y is {}; {} rows of {} elements are required", y.shape(), count,
          classes_);
  // Gathers the labels into the front of y and expands them from the last to the first: label i, at y[i], is read
  // before a row overwrites it.
  dataset_.gather(rows, x, View(y.data(), {count}));
  for (Index i = count - 1; i >= 0; --i) {
    const Index label = checked(y[i], classes_, rows[static_cast<std::size_t>(i)]);
    Real* row = y.data() + i * classes_;
    std::fill_n(row, classes_, Real{0});
    row[label] = 1;
  }
}

}  // namespace cornu
