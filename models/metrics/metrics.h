#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/metrics/confusion_matrix.h"
#include "cornu/models/metrics/direction.h"
#include "cornu/optim/losses/losses.h"

/// Metrics, by Keras's names, each a Metric as models/metrics/metric.h tells. With no samples seen all are 0. Their
/// updates allocate nothing once they are warm, and throw ShapeError for labels that do not go with the predictions and
/// ValueError, naming row and label, for a label that is no class. A row of scores predicts the class of its largest
/// one: the first of equal ones, and of a NaN its position.
namespace cornu {

class OptionVisitor;

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
/// a last axis of 1 may be missing in either. A NaN counts as below the threshold. Throws ValueError for other labels
/// and for a threshold outside [0, 1].
struct BinaryAccuracy {
  static constexpr Direction direction = Direction::up;
  double threshold = 0.5;
  detail::Hits hits{};

  void options(auto& visit) { visit("threshold", threshold); }
  void state(auto& visit) { hits.state(visit); }
  bool reads_logits(Logits) const { return false; }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred);
  double result() const { return hits.fraction(); }
};

/// The fraction of rows whose largest score is at the largest number of the truth.
/// y_pred: (batch, ..., classes), y_true the same shape, one-hot or any distribution.
struct CategoricalAccuracy {
  static constexpr Direction direction = Direction::up;
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred);
  bool reads_logits(Logits) const { return true; }  ///< their order is that of the probabilities
  double result() const { return hits.fraction(); }
};

/// The fraction of rows whose largest score is the label's.
/// y_pred: (batch, ..., classes); y_true: (batch, ...) or (batch, ..., 1), whole numbers below classes.
struct SparseCategoricalAccuracy {
  static constexpr Direction direction = Direction::up;
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred);
  bool reads_logits(Logits) const { return true; }  ///< their order is that of the probabilities
  double result() const { return hits.fraction(); }
};

/// The one of the three that the shapes ask for, by Keras's rule: binary for a last axis of 1 (and for predictions of
/// rank 1, with the threshold 0.5), sparse for labels of a lower rank or with a last axis of 1, categorical otherwise.
struct Accuracy {
  static constexpr Direction direction = Direction::up;
  detail::Hits hits{};

  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  void update(ConstView y_true, ConstView y_pred);
  /// Rows of logits have the largest one where their probabilities have it, and are not rounded to 1.
  bool reads_logits(Logits logits, Index outputs) const { return logits == Logits::softmax || outputs > 1; }
  double result() const { return hits.fraction(); }
};

/// The fraction of rows in which fewer than k scores are larger than that of the true class: of equal scores all are
/// among the first k if one is, as in Keras. A row with a NaN is a miss.
/// y_pred: (batch, ..., classes); y_true labels or one-hot, told apart by the shapes as in Accuracy.
struct TopKAccuracy {
  static constexpr Direction direction = Direction::up;
  Index k = 5;
  detail::Hits hits{};

  void options(auto& visit) { visit("k", k); }
  void state(auto& visit) { hits.state(visit); }
  void reset() { hits = {}; }
  /// Throws ValueError for k below 1.
  void update(ConstView y_true, ConstView y_pred);
  bool reads_logits(Logits) const { return true; }  ///< their order is that of the probabilities
  double result() const { return hits.fraction(); }
};

/// How the figures of several classes or outputs become one.
enum class Averaging {
  none,      ///< not at all: `per_class` gives them; `result` wants a class_id
  micro,     ///< the figure of the counts of all classes together
  macro,     ///< the mean; of one-of-n predictions, over the classes that occur
  weighted,  ///< the mean weighted by how often each class is the truth
};
constexpr std::array<std::string_view, 4> option_names(Averaging) { return {"none", "micro", "macro", "weighted"}; }

namespace detail {

/// The options that Precision, Recall and F1Score have in common.
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
/// Whether the largest outputs are looked for, and no threshold: logits have their order, and are not rounded to 1.
template <class M>
bool goes_by_order(const M& metric, Index outputs, bool largest_by_default) {
  return outputs > 1 && !metric.threshold && (metric.one_of_n || metric.top_k || largest_by_default);
}
template <class M>
void visit_class_options(M& metric, auto& visit) {
  if (visit.reading()) {  // of a file from before there was `average`
    metric.one_of_n = true;
    metric.average = Averaging::macro;
  }
  visit("class_id", metric.class_id);
  visit("threshold", metric.threshold);
  visit("top_k", metric.top_k);
  visit("average", metric.average);
  visit("one_of_n", metric.one_of_n);
}

/// What Precision, Recall and F1Score count.
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

  std::vector<Counts> of_class{};  // of both classes for one output
  bool one_output = false, one_of_n = false;

  void state(OptionVisitor& visit);
  void reset();
  /// `largest_by_default`: without threshold and top_k, one-hot truths ask for the largest output.
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

/// Of what was taken for a class, the fraction that is of it; TP / (TP + FP), 0 for none.
/// y_pred: (batch), (batch, ..., 1) or (batch, ..., outputs), probabilities.
///
/// One output: class 1 is predicted above the threshold, 0.5 if none is given; y_true are labels 0 and 1. The figure is
/// class 1's, or that of class_id.
///
/// Several outputs, each a yes or no of its own, as in Keras: predicted are those above the threshold, 0.5 if none is
/// given; with top_k those among the k largest of their row (and above the threshold, if it is given). y_true has
/// y_pred's shape, of 0 and 1. `average` is micro if none is given; macro is the mean over all outputs.
///
/// Several outputs, one class of n: the largest output is predicted. So it is where y_true are class indices (and
/// neither threshold nor top_k is given), or `one_of_n` asks for it. `average` is macro if none is given, the mean over
/// the classes that occur.
///
/// With class_id the figure is that of one class or output, called "precision_class_3".
/// Throws ValueError for options out of range and for labels that are no classes, ShapeError for other shapes.
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
  /// The figure of each class or output so far.
  std::vector<double> per_class() const { return counts.per_class(&detail::ClassCounts::precision); }
};

/// Of what is of a class, the fraction that was found; TP / (TP + FN), 0 for none. The rest as for Precision.
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
  /// The figure of each class or output so far.
  std::vector<double> per_class() const { return counts.per_class(&detail::ClassCounts::recall); }
};

/// The harmonic mean of a class's precision and recall; 2 TP / (2 TP + FP + FN), 0 for none. The rest as for Precision,
/// but that several outputs are one class of n where neither threshold nor top_k is given, as in Keras: truths that
/// have several ones in a row are then an error.
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
  /// The figure of each class or output so far.
  std::vector<double> per_class() const { return counts.per_class(&detail::ClassCounts::f1); }
};

}  // namespace cornu
