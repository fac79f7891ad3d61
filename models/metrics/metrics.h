#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/direction.h"
#include "cornu/core/tensor.h"
#include "cornu/models/metrics/confusion_matrix.h"
#include "cornu/optim/losses/losses.h"

/// Classification metrics with Keras's names; see models/metrics/metric.h for the interface. With no samples seen, all
/// are 0.
/// `update` allocates nothing once warm. It throws ShapeError if labels and predictions do not match, ValueError for an
/// invalid label, naming it and its row. A row of scores predicts the class with the largest score: the first of equal
/// ones; a NaN counts as largest.
namespace cornu {

class OptionVisitor;

namespace detail {

/// Counts correct predictions, each by its weight.
struct Hits {
  double right = 0, seen = 0;
  void state(auto& visit) {
    visit("right", right);
    visit("seen", seen);
  }
  void add(bool is_right, double weight) {
    right += is_right ? weight : 0;
    seen += weight;
  }
  double fraction() const { return seen == 0 ? 0 : right / seen; }
};

}  // namespace detail

/// The fraction of elements on the right side of the threshold. y_pred: (batch, ...). y_true: the same shape, 0 or 1;
/// either may lack a last axis of 1. A NaN counts as below the threshold. Throws ValueError for other labels and for a
/// threshold outside [0, 1].
struct BinaryAccuracy {
  static constexpr Direction direction = Direction::up;
  double threshold = 0.5;
  detail::Hits hits{};

  void options(auto& visit) { visit("threshold", threshold); }
  void state(auto& visit) { hits.state(visit); }
  bool reads_logits(Logits) const { return false; }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred, ConstView sample_weight = {});
  double result() const { return hits.fraction(); }
};

/// The fraction of rows whose largest score is at the position of the largest true value.
/// y_pred: (batch, ..., classes). y_true: the same shape, one-hot or any distribution.
struct CategoricalAccuracy {
  static constexpr Direction direction = Direction::up;
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred, ConstView sample_weight = {});
  bool reads_logits(Logits) const { return true; }  ///< only their order matters
  double result() const { return hits.fraction(); }
};

/// The fraction of rows whose largest score is that of the label.
/// y_pred: (batch, ..., classes). y_true: (batch, ...) or (batch, ..., 1), whole numbers below classes.
struct SparseCategoricalAccuracy {
  static constexpr Direction direction = Direction::up;
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred, ConstView sample_weight = {});
  bool reads_logits(Logits) const { return true; }  ///< only their order matters
  double result() const { return hits.fraction(); }
};

/// Selects one of the three by shape, as Keras does: binary for a last axis of 1 and for predictions of rank 1
/// (threshold 0.5), sparse for labels of lower rank or with a last axis of 1, categorical otherwise.
struct Accuracy {
  static constexpr Direction direction = Direction::up;
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred, ConstView sample_weight = {});
  /// Rows of logits have the same largest element as their probabilities, and are not rounded to 1.
  bool reads_logits(Logits logits, Index outputs) const { return logits == Logits::softmax || outputs > 1; }
  double result() const { return hits.fraction(); }
};

/// The fraction of rows in which fewer than k scores exceed that of the true class. As in Keras, equal scores are all
/// in the top k if one of them is. A row with a NaN is a miss.
/// y_pred: (batch, ..., classes). y_true: labels or one-hot, decided by the shapes as in Accuracy.
struct TopKAccuracy {
  static constexpr Direction direction = Direction::up;
  Index k = 5;
  detail::Hits hits{};

  void options(auto& visit) { visit("k", k); }
  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  /// Throws ValueError for k below 1.
  void update(ConstView y_true, ConstView y_pred, ConstView sample_weight = {});
  bool reads_logits(Logits) const { return true; }  ///< only their order matters
  double result() const { return hits.fraction(); }
};

/// How the values of several classes or outputs are combined.
enum class Averaging {
  none,      ///< not combined: use `per_class`, or `result` with a class_id
  micro,     ///< computed from the counts of all classes together
  macro,     ///< the mean; for one-of-n predictions over the classes that occur
  weighted,  ///< the mean weighted by the number of true samples of each class
};
constexpr std::array<std::string_view, 4> option_names(Averaging) { return {"none", "micro", "macro", "weighted"}; }

namespace detail {

/// The options shared by Precision, Recall and F1Score.
struct ClassOptions {
  std::optional<Index> class_id{};
  std::optional<double> threshold{};
  std::optional<Index> top_k{};
  std::optional<Averaging> average{};
  bool one_of_n = false;
};

template <class M>
ClassOptions class_options(const M& metric) {
  return {metric.class_id, metric.threshold, metric.top_k, metric.average, metric.one_of_n};
}
/// True if the largest outputs are predicted, without a threshold. Then only the order of the scores matters, and
/// logits are not rounded to 1.
template <class M>
bool goes_by_order(const M& metric, Index outputs, bool largest_by_default) {
  return outputs > 1 && !metric.threshold && (metric.one_of_n || metric.top_k || largest_by_default);
}
template <class M>
void visit_class_options(M& metric, auto& visit) {
  if (visit.reading()) {  // the defaults of files written before `average` existed
    metric.one_of_n = true;
    metric.average = Averaging::macro;
  }
  visit("class_id", metric.class_id);
  visit("threshold", metric.threshold);
  visit("top_k", metric.top_k);
  visit("average", metric.average);
  visit("one_of_n", metric.one_of_n);
}

/// The counts behind Precision, Recall and F1Score.
struct ClassCounts {
  struct Counts {
    Index tp = 0, fp = 0, fn = 0;
    void options(auto& visit) {
      visit("tp", tp);
      visit("fp", fp);
      visit("fn", fn);
    }
  };
  using Figure = double (*)(const Counts&);

  std::vector<Counts> of_class{};  // both classes if there is one output
  bool one_output = false, one_of_n = false;

  void state(OptionVisitor& visit);
  void reset();
  /// `largest_by_default`: without threshold and top_k, one-hot targets mean that the largest output is predicted.
  void update(const char* name, const ClassOptions& options, bool largest_by_default, ConstView y_true,
              ConstView y_pred);
  double result(const char* name, const ClassOptions& options, Figure figure) const;
  std::vector<double> per_class(Figure figure) const;

  static double precision(const Counts& c);
  static double recall(const Counts& c);
  static double f1(const Counts& c);
};

std::string name_with_class(const char* name, const std::optional<Index>& class_id);

}  // namespace detail

/// The fraction of predictions of a class that are right: TP / (TP + FP), 0 if there are none.
/// y_pred: probabilities, (batch), (batch, ..., 1) or (batch, ..., outputs).
///
/// One output: class 1 is predicted above the threshold (default 0.5); y_true are labels 0 and 1. The result is that of
/// class 1, or of class_id.
///
/// Several independent yes-or-no outputs, as in Keras: outputs above the threshold (default 0.5) are predicted; with
/// top_k, the k largest of each row (and above the threshold, if one is given). y_true has y_pred's shape, with
/// elements 0 and 1. `average` defaults to micro; macro is the mean over all outputs.
///
/// Several outputs, one class of n: the largest output is predicted. This applies if y_true are class indices (and
/// neither threshold nor top_k is given), or if `one_of_n` is set. `average` defaults to macro, the mean over the
/// classes that occur.
///
/// With class_id, the result is that of one class or output, and the metric is called "precision_class_3".
/// Throws ValueError for options out of range and for invalid labels, ShapeError for other shapes.
struct Precision {
  static constexpr Direction direction = Direction::up;
  using enum Averaging;

  std::optional<Index> class_id{};
  std::optional<double> threshold{};
  std::optional<Index> top_k{};
  std::optional<Averaging> average{};
  bool one_of_n = false;
  detail::ClassCounts counts{};

  std::string name() const { return detail::name_with_class("precision", class_id); }
  void options(auto& visit) { detail::visit_class_options(*this, visit); }
  void state(OptionVisitor& visit) { counts.state(visit); }
  bool reads_logits(Logits, Index outputs) const { return detail::goes_by_order(*this, outputs, false); }
  void reset() { counts.reset(); }
  void update(ConstView y_true, ConstView y_pred) {
    counts.update("precision", detail::class_options(*this), false, y_true, y_pred);
  }
  double result() const {
    return counts.result("precision", detail::class_options(*this), &detail::ClassCounts::precision);
  }
  /// The value of each class or output so far.
  std::vector<double> per_class() const { return counts.per_class(&detail::ClassCounts::precision); }
};

/// The fraction of samples of a class that are found: TP / (TP + FN), 0 if there are none. Otherwise like Precision.
struct Recall {
  static constexpr Direction direction = Direction::up;
  using enum Averaging;

  std::optional<Index> class_id{};
  std::optional<double> threshold{};
  std::optional<Index> top_k{};
  std::optional<Averaging> average{};
  bool one_of_n = false;
  detail::ClassCounts counts{};

  std::string name() const { return detail::name_with_class("recall", class_id); }
  void options(auto& visit) { detail::visit_class_options(*this, visit); }
  void state(OptionVisitor& visit) { counts.state(visit); }
  bool reads_logits(Logits, Index outputs) const { return detail::goes_by_order(*this, outputs, false); }
  void reset() { counts.reset(); }
  void update(ConstView y_true, ConstView y_pred) {
    counts.update("recall", detail::class_options(*this), false, y_true, y_pred);
  }
  double result() const { return counts.result("recall", detail::class_options(*this), &detail::ClassCounts::recall); }
  /// The value of each class or output so far.
  std::vector<double> per_class() const { return counts.per_class(&detail::ClassCounts::recall); }
};

/// The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN), 0 if there are none. Otherwise like Precision,
/// with one exception, as in Keras: several outputs are one class of n unless threshold or top_k is given. Several ones
/// in a row of y_true are then an error.
struct F1Score {
  static constexpr Direction direction = Direction::up;
  using enum Averaging;

  std::optional<Index> class_id{};
  std::optional<double> threshold{};
  std::optional<Index> top_k{};
  std::optional<Averaging> average{};
  bool one_of_n = false;
  detail::ClassCounts counts{};

  std::string name() const { return detail::name_with_class("f1_score", class_id); }
  void options(auto& visit) { detail::visit_class_options(*this, visit); }
  void state(OptionVisitor& visit) { counts.state(visit); }
  bool reads_logits(Logits, Index outputs) const { return detail::goes_by_order(*this, outputs, true); }
  void reset() { counts.reset(); }
  void update(ConstView y_true, ConstView y_pred) {
    counts.update("f1_score", detail::class_options(*this), true, y_true, y_pred);
  }
  double result() const { return counts.result("f1_score", detail::class_options(*this), &detail::ClassCounts::f1); }
  /// The value of each class or output so far.
  std::vector<double> per_class() const { return counts.per_class(&detail::ClassCounts::f1); }
};

}  // namespace cornu
