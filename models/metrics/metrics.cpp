#include "cornu/models/metrics/metrics.h"

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/models/metrics/class_labels.h"

namespace cornu {

namespace {

using detail::Hits;
using detail::LabelWeights;
using detail::same_but_for_last_1;

void binary(const char* name, double threshold, Hits& hits, ConstView y_true, ConstView y_pred,
            ConstView sample_weight) {
  const Shape &truth = y_true.shape(), &shape = y_pred.shape();
  require(same_but_for_last_1(truth, shape) || same_but_for_last_1(shape, truth),
          "{}: predictions are {} and labels {}; one label for each prediction is required", name, shape, truth);
  detail::check_threshold(name, threshold);
  const LabelWeights weights(name, shape, sample_weight);
  for (Index i = 0; i < y_true.size(); ++i) {
    if (weights[i] != 0) detail::class_of_label(name, "label", y_true, i, 2);
  }
  const auto limit = static_cast<Real>(threshold);
  for (Index i = 0; i < y_pred.size(); ++i) hits.add(y_true[i] == Real(y_pred[i] > limit ? 1 : 0), weights[i]);
}

void check_scores(const char* name, const Shape& shape) {
  require(shape.rank() > 1 && shape[-1] > 0, "{}: predictions are {}; (batch, ..., classes) is required", name, shape);
}

void check_one_hot(const char* name, const Shape& truth, const Shape& shape) {
  check_scores(name, shape);
  require(truth == shape, "{}: predictions are {} and labels {}; equal shapes are required", name, shape, truth);
}

void check_labels(const char* name, ConstView y_true, const Shape& shape, ConstView sample_weight) {
  check_scores(name, shape);
  require(same_but_for_last_1(shape.without(-1), y_true.shape()),
          "{}: predictions are {} and labels {}; one label for each row of classes is required", name, shape,
          y_true.shape());
  const LabelWeights weights(name, shape.without(-1), sample_weight);
  for (Index row = 0; row < y_true.size(); ++row) {
    if (weights[row] != 0) detail::class_of_label(name, "label", y_true, row, shape[-1]);
  }
}

/// Counts the rows for which `right(scores, row)` is true.
template <class Right>
void count_rows(const char* name, Hits& hits, ConstView y_pred, ConstView sample_weight, Right right) {
  const LabelWeights weights(name, y_pred.shape().without(-1), sample_weight);
  const Index classes = y_pred.shape()[-1], rows = y_pred.size() / classes;
  for (Index row = 0; row < rows; ++row) {
    if (weights[row] != 0) hits.add(right(y_pred.data() + row * classes, row), weights[row]);
  }
}

void categorical(const char* name, Hits& hits, ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  check_one_hot(name, y_true.shape(), y_pred.shape());
  const Index classes = y_pred.shape()[-1];
  count_rows(name, hits, y_pred, sample_weight, [&](const Real* scores, Index row) {
    return position_of_max(scores, classes) == position_of_max(y_true.data() + row * classes, classes);
  });
}

void sparse(const char* name, Hits& hits, ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  check_labels(name, y_true, y_pred.shape(), sample_weight);
  const Index classes = y_pred.shape()[-1];
  count_rows(name, hits, y_pred, sample_weight, [&](const Real* scores, Index row) {
    return position_of_max(scores, classes) == static_cast<Index>(y_true[row]);
  });
}

/// Keras's rule: with several classes, these shapes mean that labels are class indices.
bool are_indices(const Shape& truth, const Shape& shape) {
  return truth.rank() < shape.rank() || (truth[-1] == 1 && shape[-1] > 1);
}

/// True if fewer than k scores are larger than that of the true class, and none is NaN.
bool among_first(const Real* scores, Index classes, Index label, Index k) {
  Index larger = 0;
  for (Index c = 0; c < classes; ++c) {
    if (scores[c] != scores[c]) return false;
    larger += scores[c] > scores[label];
  }
  return larger < k;
}

}  // namespace

void BinaryAccuracy::update(ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  binary("binary_accuracy", threshold, hits, y_true, y_pred, sample_weight);
}

void CategoricalAccuracy::update(ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  categorical("categorical_accuracy", hits, y_true, y_pred, sample_weight);
}

void SparseCategoricalAccuracy::update(ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  sparse("sparse_categorical_accuracy", hits, y_true, y_pred, sample_weight);
}

void Accuracy::update(ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  const Shape &truth = y_true.shape(), &shape = y_pred.shape();
  if (shape.rank() < 2 || shape[-1] == 1) {
    binary("accuracy", 0.5, hits, y_true, y_pred, sample_weight);
  } else if (are_indices(truth, shape)) {
    sparse("accuracy", hits, y_true, y_pred, sample_weight);
  } else {
    categorical("accuracy", hits, y_true, y_pred, sample_weight);
  }
}

void TopKAccuracy::update(ConstView y_true, ConstView y_pred, ConstView sample_weight) {
  const char* const name = "top_k_accuracy";
  require<ValueError>(k >= 1, "{}: k is {}; it must be at least 1", name, k);
  const Shape &truth = y_true.shape(), &shape = y_pred.shape();
  check_scores(name, shape);
  const Index classes = shape[-1];
  if (are_indices(truth, shape)) {
    check_labels(name, y_true, shape, sample_weight);
    count_rows(name, hits, y_pred, sample_weight, [&](const Real* scores, Index row) {
      return among_first(scores, classes, static_cast<Index>(y_true[row]), k);
    });
  } else {
    check_one_hot(name, truth, shape);
    count_rows(name, hits, y_pred, sample_weight, [&](const Real* scores, Index row) {
      return among_first(scores, classes, position_of_max(y_true.data() + row * classes, classes), k);
    });
  }
}

}  // namespace cornu
