#pragma once

#include <optional>
#include <string>

#include "cornu/core/tensor.h"
#include "cornu/models/confusion_matrix.h"

/// Metrics, by Keras's names, each a Metric as models/metric.h tells. With no samples seen all are 0. Their updates
/// allocate nothing once they are warm, and throw ShapeError for labels that do not go with the predictions and
/// ValueError, naming row and label, for a label that is no class. A row of scores predicts the class of its largest
/// one: the first of equal ones, and of a NaN its position.
namespace cornu {

namespace detail {

/// How many of how many predictions were right.
struct Hits {
  Index right = 0, seen = 0;
  void state(auto& visit) {
    visit("right", right);
    visit("seen", seen);
  }
  double fraction() const { return seen == 0 ? 0 : static_cast<double>(right) / static_cast<double>(seen); }
};

}  // namespace detail

/// The fraction of numbers on the right side of the threshold. y_pred: (batch, ...); y_true: the same shape, 0 or 1,
/// a last axis of 1 may be missing in either. A NaN counts as below the threshold.
struct BinaryAccuracy {
  double threshold = 0.5;
  detail::Hits hits{};

  void options(auto& visit) { visit("threshold", threshold); }
  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred);
  double result() const { return hits.fraction(); }
};

/// The fraction of rows whose largest score is at the largest number of the truth.
/// y_pred: (batch, ..., classes), y_true the same shape, one-hot or any distribution.
struct CategoricalAccuracy {
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred);
  double result() const { return hits.fraction(); }
};

/// The fraction of rows whose largest score is the label's.
/// y_pred: (batch, ..., classes); y_true: (batch, ...) or (batch, ..., 1), whole numbers below classes.
struct SparseCategoricalAccuracy {
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred);
  double result() const { return hits.fraction(); }
};

/// The one of the three that the shapes ask for, by Keras's rule: binary for a last axis of 1 (and for predictions of
/// rank 1), sparse for labels of a lower rank or with a last axis of 1, categorical otherwise.
struct Accuracy {
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred);
  double result() const { return hits.fraction(); }
};

/// The fraction of rows in which fewer than k scores are larger than that of the true class: of equal scores all are
/// among the first k if one is, as in Keras. A row with a NaN is a miss.
/// y_pred: (batch, ..., classes); y_true labels or one-hot, told apart by the shapes as in Accuracy.
struct TopKAccuracy {
  Index k = 5;
  detail::Hits hits{};

  void options(auto& visit) { visit("k", k); }
  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  /// Throws ValueError for k below 1.
  void update(ConstView y_true, ConstView y_pred);
  double result() const { return hits.fraction(); }
};

namespace detail {

/// What Precision, Recall and F1Score have in common: counts, and the figure for a class or for all.
struct ClassCounts {
  ConfusionMatrix matrix{};
  bool one_output = false;

  void state(auto& visit) {
    visit("one_output", one_output);
    matrix.state(visit);
  }
  void update(const char* name, const std::optional<Index>& class_id, double threshold, ConstView y_true,
              ConstView y_pred);
  double figure(const std::optional<Index>& class_id, double (ConfusionMatrix::*of_class)(Index) const,
                double (ConfusionMatrix::*of_all)() const) const;
};

std::string name_with_class(const char* name, const std::optional<Index>& class_id);

}  // namespace detail

/// Of what was taken for a class, the fraction that is of it; TP / (TP + FP), 0 for none. Of one class where class_id
/// is given; otherwise of class 1 where the model has one output (predicted above the threshold), and the mean over
/// the classes that occur where it has several.
/// y_pred: (batch), (batch, ..., 1) or (batch, ..., classes); y_true: labels or one-hot. Called "precision", or
/// "precision_class_3". Throws ValueError if there is no class class_id.
struct Precision {
  std::optional<Index> class_id{};
  double threshold = 0.5;
  detail::ClassCounts counts{};

  std::string name() const { return detail::name_with_class("precision", class_id); }
  void options(auto& visit) {
    visit("class_id", class_id);
    visit("threshold", threshold);
  }
  void state(auto& visit) { counts.state(visit); }
  void reset() { counts.matrix.reset(); }
  void update(ConstView y_true, ConstView y_pred) { counts.update("precision", class_id, threshold, y_true, y_pred); }
  double result() const {
    return counts.figure(class_id, &ConfusionMatrix::precision, &ConfusionMatrix::macro_precision);
  }
};

/// Of what is of a class, the fraction that was found; TP / (TP + FN), 0 for none. The rest as for Precision.
struct Recall {
  std::optional<Index> class_id{};
  double threshold = 0.5;
  detail::ClassCounts counts{};

  std::string name() const { return detail::name_with_class("recall", class_id); }
  void options(auto& visit) {
    visit("class_id", class_id);
    visit("threshold", threshold);
  }
  void state(auto& visit) { counts.state(visit); }
  void reset() { counts.matrix.reset(); }
  void update(ConstView y_true, ConstView y_pred) { counts.update("recall", class_id, threshold, y_true, y_pred); }
  double result() const { return counts.figure(class_id, &ConfusionMatrix::recall, &ConfusionMatrix::macro_recall); }
};

/// The harmonic mean of a class's precision and recall; 2 TP / (2 TP + FP + FN), 0 for none. The rest as for Precision.
struct F1Score {
  std::optional<Index> class_id{};
  double threshold = 0.5;
  detail::ClassCounts counts{};

  std::string name() const { return detail::name_with_class("f1_score", class_id); }
  void options(auto& visit) {
    visit("class_id", class_id);
    visit("threshold", threshold);
  }
  void state(auto& visit) { counts.state(visit); }
  void reset() { counts.matrix.reset(); }
  void update(ConstView y_true, ConstView y_pred) { counts.update("f1_score", class_id, threshold, y_true, y_pred); }
  double result() const { return counts.figure(class_id, &ConfusionMatrix::f1, &ConfusionMatrix::macro_f1); }
};

}  // namespace cornu
