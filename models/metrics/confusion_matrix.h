#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

/// Counts of true against predicted classes: rows are true classes, columns predicted ones.
/// Fractions with a denominator of 0 are 0, like scikit-learn's default zero_division. Macro averages are plain means
/// over the classes that occur among the labels or the predictions.
class ConfusionMatrix {
 public:
  /// With 0 classes, the number of classes is that of the scores or one-hot rows counted. For class indices it grows
  /// with them, up to 4096. Throws ValueError for a negative number.
  explicit ConfusionMatrix(Index classes = 0);

  /// Counts a batch. The shapes decide how it is read:
  ///   y_pred (batch)                class indices
  ///   y_pred (batch, ..., 1)        the probability of class 1 of two, predicted if above the threshold (for logits,
  ///                                 convert the outputs with predict_classes first)
  ///   y_pred (batch, ..., classes)  scores; the largest is predicted, as by argmax
  ///   y_true (batch, ...) or (batch, ..., 1) labels, or (batch, ..., classes) one-hot or other scores
  /// Throws ShapeError if the shapes do not match, ValueError for an invalid label, naming it and its row, and for a
  /// threshold outside [0, 1]; nothing is counted then. Allocates nothing once warm.
  void update(ConstView y_true, ConstView y_pred, double threshold = 0.5);
  /// Sets all counts to 0; the number of classes stays.
  void reset();
  void state(auto& visit) {
    visit("growing", growing_);
    visit("classes", classes_);
    visit("counts", counts_);
  }

  Index classes() const { return counts_.empty() ? 0 : classes_; }  // 0 if moved from
  /// The sum of all counts.
  Index total() const;

  // Per class; all throw ValueError for a class out of range.

  Index count(Index truth, Index prediction) const;
  /// How often c is the true class, and how often it was predicted.
  Index support(Index c) const;
  Index predicted(Index c) const;
  /// TP / (TP + FP): the fraction of predictions of c that are right.
  double precision(Index c) const;
  /// TP / (TP + FN): the fraction of samples of c that were found.
  double recall(Index c) const;
  /// The harmonic mean of precision and recall.
  double f1(Index c) const;

  // Over all classes.

  double accuracy() const;
  double macro_precision() const { return macro_average(&ConfusionMatrix::precision); }
  double macro_recall() const { return macro_average(&ConfusionMatrix::recall); }
  double macro_f1() const { return macro_average(&ConfusionMatrix::f1); }

 private:
  void ask_for(Index classes);
  void check(Index c) const;
  double macro_average(double (ConfusionMatrix::*figure)(Index) const) const;

  bool growing_ = false;
  Index classes_ = 0;
  std::vector<Index> counts_;
};

/// Counts labels (samples) and predictions (samples), or other shapes that ConfusionMatrix::update accepts.
ConfusionMatrix confusion_matrix(ConstView labels, ConstView predictions, Index classes = 0);

/// The counts as a table, one row per true class.
std::string to_string(const ConfusionMatrix& matrix);

/// Precision, recall, F1 and support of each class that occurs, and their averages, in scikit-learn's format.
/// Classes are shown by index, or by `class_names`; throws ValueError unless there is one name per class.
std::string classification_report(const ConfusionMatrix& matrix, std::span<const std::string> class_names = {});
std::string classification_report(const ConfusionMatrix& matrix, std::initializer_list<std::string> class_names);

}  // namespace cornu
