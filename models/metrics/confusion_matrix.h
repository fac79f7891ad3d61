#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

/// How often which class was taken for which: rows are the truth, columns what was predicted.
/// Fractions whose denominator is 0 are 0, as scikit-learn's zero_division has it by default. Macro averages are plain
/// means over the classes that occur in the truth or among the predictions.
class ConfusionMatrix {
 public:
  /// Without a number of classes, it is that of the first scores that come, or grows with the labels, up to 4096.
  /// Throws ValueError for a negative one.
  explicit ConfusionMatrix(Index classes = 0);

  /// Counts a batch. Its shapes tell what is meant:
  ///   y_pred (batch)                classes, from 0
  ///   y_pred (batch, ..., 1)        the probability of class 1 of two, predicted if above the threshold (of the logits
  ///                                 of a model, predict_classes makes classes)
  ///   y_pred (batch, ..., classes)  scores; the largest one is predicted, as argmax has it
  ///   y_true (batch, ...) or (batch, ..., 1) labels, or (batch, ..., classes) one-hot or any other scores
  /// Throws ShapeError if they do not go together, ValueError, naming row and label, for one that is no class, and for
  /// a threshold outside [0, 1]; nothing is counted then. Warm, it allocates nothing.
  void update(ConstView y_true, ConstView y_pred, double threshold = 0.5);
  /// Forgets all counts, and keeps the classes.
  void reset();
  void state(auto& visit) {
    visit("growing", growing_);
    visit("classes", classes_);
    visit("counts", counts_);
  }

  Index classes() const { return counts_.empty() ? 0 : classes_; }  // 0 once it was moved from
  /// What was counted in all.
  Index total() const;

  // For each class; all throw ValueError for a class that is not there.

  Index count(Index truth, Index prediction) const;
  /// How often it is the truth, and how often it was predicted.
  Index support(Index c) const;
  Index predicted(Index c) const;
  /// Of what was taken for c, the fraction that is c.
  double precision(Index c) const;
  /// Of what is c, the fraction that was found.
  double recall(Index c) const;
  /// The harmonic mean of precision and recall.
  double f1(Index c) const;

  // For all classes together.

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

/// Counts labels (samples) and predictions (samples), or any others that ConfusionMatrix::update takes.
ConfusionMatrix confusion_matrix(ConstView labels, ConstView predictions, Index classes = 0);

/// The counts as a table, a row for each true class.
std::string to_string(const ConfusionMatrix& matrix);

/// Precision, recall, F1 and support for each class that occurs, and their averages, as scikit-learn prints them.
/// Classes are called by their numbers, or by the names given; throws ValueError unless there is one for each.
std::string classification_report(const ConfusionMatrix& matrix, std::span<const std::string> class_names = {});
std::string classification_report(const ConfusionMatrix& matrix, std::initializer_list<std::string> class_names);

}  // namespace cornu
