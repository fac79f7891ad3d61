#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

/// Counts of predicted classes by true class: rows are the truth, columns the predictions.
/// A fraction whose denominator is 0 is 0, scikit-learn's default for zero_division. Macro averages are unweighted
/// means over the classes that occur in the truth or the predictions.
class ConfusionMatrix {
 public:
  /// With 0 classes, their number is that of the first scores, or grows with the labels, up to 4096. Throws ValueError
  /// for a negative number.
  explicit ConfusionMatrix(Index classes = 0);

  /// Counts a batch. Its shapes decide how it is read:
  ///   y_pred (batch)                classes, from 0
  ///   y_pred (batch, ..., 1)        probability of class 1 of two, which is predicted above the threshold (for logits,
  ///                                 pass the classes from predict_classes instead)
  ///   y_pred (batch, ..., classes)  scores; the argmax is predicted
  ///   y_true (batch, ...) or (batch, ..., 1) labels, or (batch, ..., classes) one-hot or other scores
  /// Throws ShapeError if the shapes do not match; ValueError for a label that is not a class, naming row and label,
  /// and for a threshold outside [0, 1]. A batch that throws is not counted. Warm, it allocates nothing.
  void update(ConstView y_true, ConstView y_pred, double threshold = 0.5);
  /// Sets all counts to 0; keeps the number of classes.
  void reset();
  void state(auto& visit) {
    visit("growing", growing_);
    visit("classes", classes_);
    visit("counts", counts_);
  }

  Index classes() const { return counts_.empty() ? 0 : classes_; }  // 0 if moved from
  /// Number of samples counted.
  Index total() const;

  // For one class; all throw ValueError if there is no such class.

  Index count(Index truth, Index prediction) const;
  /// How often class c is the truth, and how often it was predicted.
  Index support(Index c) const;
  Index predicted(Index c) const;
  /// TP / (TP + FP): the fraction of predictions of c that are right.
  double precision(Index c) const;
  /// TP / (TP + FN): the fraction of samples of class c that were found.
  double recall(Index c) const;
  /// Harmonic mean of precision and recall.
  double f1(Index c) const;

  // For all classes.

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

/// Counts labels (samples) and predictions (samples), or any other shapes that ConfusionMatrix::update takes.
ConfusionMatrix confusion_matrix(ConstView labels, ConstView predictions, Index classes = 0);

/// The counts as a table with one row per true class.
std::string to_string(const ConfusionMatrix& matrix);

/// Precision, recall, F1 and support of each class that occurs, and their averages, as scikit-learn prints them. Rows
/// are labelled with the class indices, or with class_names. Throws ValueError unless there is one name per class.
std::string classification_report(const ConfusionMatrix& matrix, std::span<const std::string> class_names = {});
std::string classification_report(const ConfusionMatrix& matrix, std::initializer_list<std::string> class_names);

}  // namespace cornu
