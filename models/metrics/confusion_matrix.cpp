#include "cornu/models/metrics/confusion_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/text/printable.h"
#include "cornu/models/metrics/class_labels.h"

namespace cornu {

namespace {

constexpr const char* matrix_name = "confusion matrix";
constexpr Index most_unasked_classes = 4096;  // one absurd label must not allocate all memory

double fraction(Index part, Index whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// One class per row, from labels (width 0), probabilities of class 1 (width 1) or scores.
struct Rows {
  const char* what;
  ConstView values;
  Index width;
  Real threshold;
  Index size() const { return width == 0 ? values.size() : values.size() / width; }

  Index operator[](Index row) const {
    if (width == 0) return static_cast<Index>(values[row]);
    if (width == 1) return values[row] > threshold ? 1 : 0;
    return position_of_max(values.data() + row * width, width);
  }
  /// Checks all labels and returns the largest plus one.
  Index check_labels(const char* name, Index classes, const char* hint = "") const {
    Index most = 0;
    for (Index row = 0; row < values.size(); ++row) {
      most = std::max(most, detail::class_of_label(name, what, values, row, classes, hint) + 1);
    }
    return most;
  }
};

}  // namespace

ConfusionMatrix::ConfusionMatrix(Index classes) : growing_(classes == 0) {
  require<ValueError>(classes >= 0, "{}: {} classes; at least 1 is required, or 0 to count all that occur", matrix_name,
                      classes);
  ask_for(classes);
}

void ConfusionMatrix::update(ConstView y_true, ConstView y_pred, double threshold) {
  const char* const name = matrix_name;
  detail::check_threshold(name, threshold);
  const Shape &truth_shape = y_true.shape(), &shape = y_pred.shape();
  const char* const wrong =
      "{}: labels are {} and predictions {}; one label or one-hot row per prediction (a class or a row of scores) is "
      "required";
  require(shape.rank() > 0 && truth_shape.rank() > 0, wrong, name, truth_shape, shape);
  const bool of_classes = shape.rank() == 1;
  const Shape outer = of_classes ? shape : shape.without(-1);
  const bool of_labels = detail::same_but_for_last_1(outer, truth_shape);
  require(of_labels || (truth_shape.rank() == outer.rank() + 1 && truth_shape.without(-1) == outer), wrong, name,
          truth_shape, shape);

  const Rows truth{"label", y_true, of_labels ? 0 : truth_shape[-1], Real(0.5)};
  const Rows prediction{"prediction", y_pred, of_classes ? 0 : shape[-1], static_cast<Real>(threshold)};
  require(of_classes || prediction.width > 0, "{}: predictions {} have no classes", name, shape);
  require(of_labels || truth.width > 0, "{}: labels {} have no classes", name, truth_shape);

  const Index from_scores = std::max(prediction.width == 1 ? 2 : prediction.width, of_labels ? 0 : truth.width);
  Index needed = growing_ ? std::max(classes(), from_scores) : classes();
  require(from_scores <= needed,
          "{}: labels are {} and predictions {}; they have more than the {} classes of the matrix", name, truth_shape,
          shape, needed);
  if (growing_ && from_scores == 0) {
    const char* const hint = " (for more, give the number of classes)";
    const Index most = std::max(needed, most_unasked_classes);
    needed = std::max({needed, truth.check_labels(name, most, hint), prediction.check_labels(name, most, hint)});
  } else {
    if (of_labels) truth.check_labels(name, needed);
    if (of_classes) prediction.check_labels(name, needed);
  }
  ask_for(needed);
  for (Index row = 0; row < prediction.size(); ++row) {
    ++counts_[static_cast<std::size_t>(truth[row] * classes() + prediction[row])];
  }
}

void ConfusionMatrix::ask_for(Index classes) {
  const Index before = this->classes();
  if (classes <= before) return;
  std::vector<Index> counts(static_cast<std::size_t>(Shape{classes, classes}.size()));  // Shape checks for overflow
  for (Index row = 0; row < before; ++row) {
    std::copy_n(counts_.begin() + row * before, before, counts.begin() + row * classes);
  }
  counts_ = std::move(counts);
  classes_ = classes;
}

void ConfusionMatrix::reset() { std::fill(counts_.begin(), counts_.end(), 0); }

Index ConfusionMatrix::total() const { return std::accumulate(counts_.begin(), counts_.end(), Index{0}); }

void ConfusionMatrix::check(Index c) const {
  require<ValueError>(c >= 0 && c < classes(), "{}: no class {}; classes are numbered from 0, and there are {}",
                      matrix_name, c, classes());
}

Index ConfusionMatrix::count(Index truth, Index prediction) const {
  check(truth);
  check(prediction);
  return counts_[static_cast<std::size_t>(truth * classes() + prediction)];
}

Index ConfusionMatrix::support(Index c) const {
  check(c);
  const auto row = counts_.begin() + c * classes();
  return std::accumulate(row, row + classes(), Index{0});
}

Index ConfusionMatrix::predicted(Index c) const {
  check(c);
  Index sum = 0;
  for (Index truth = 0; truth < classes(); ++truth) sum += count(truth, c);
  return sum;
}

double ConfusionMatrix::precision(Index c) const { return fraction(count(c, c), predicted(c)); }

double ConfusionMatrix::recall(Index c) const { return fraction(count(c, c), support(c)); }

double ConfusionMatrix::f1(Index c) const { return fraction(2 * count(c, c), predicted(c) + support(c)); }

double ConfusionMatrix::accuracy() const {
  Index right = 0;
  for (Index c = 0; c < classes(); ++c) right += count(c, c);
  return fraction(right, total());
}

double ConfusionMatrix::macro_average(double (ConfusionMatrix::*figure)(Index) const) const {
  double sum = 0;
  Index occurring = 0;
  for (Index c = 0; c < classes(); ++c) {
    if (support(c) + predicted(c) == 0) continue;
    sum += (this->*figure)(c);
    ++occurring;
  }
  return occurring == 0 ? 0 : sum / static_cast<double>(occurring);
}

ConfusionMatrix confusion_matrix(ConstView labels, ConstView predictions, Index classes) {
  ConfusionMatrix result(classes);
  result.update(labels, predictions);
  return result;
}

std::string to_string(const ConfusionMatrix& matrix) {
  std::size_t width = 1;
  for (Index truth = 0; truth < matrix.classes(); ++truth) {
    width = std::max(width, fmt::format("{}", truth).size());
    for (Index c = 0; c < matrix.classes(); ++c) {
      width = std::max(width, fmt::format("{}", matrix.count(truth, c)).size());
    }
  }
  std::string text = "       predicted\ntruth ";
  for (Index c = 0; c < matrix.classes(); ++c) text += fmt::format(" {:>{}}", c, width);
  for (Index truth = 0; truth < matrix.classes(); ++truth) {
    text += fmt::format("\n{:>5} ", truth);
    for (Index c = 0; c < matrix.classes(); ++c) text += fmt::format(" {:>{}}", matrix.count(truth, c), width);
  }
  return text + "\n";
}

std::string classification_report(const ConfusionMatrix& matrix, std::span<const std::string> class_names) {
  require<ValueError>(class_names.empty() || std::ssize(class_names) == matrix.classes(),
                      "classification report: {} names for {} classes; one for each is required", class_names.size(),
                      matrix.classes());
  const auto called = [&](Index c) {
    return class_names.empty() ? fmt::format("{}", c) : detail::printable(class_names[static_cast<std::size_t>(c)]);
  };
  const std::string_view weighted = "weighted avg";
  std::size_t width = weighted.size();
  for (Index c = 0; c < matrix.classes(); ++c) width = std::max(width, called(c).size());

  std::string text;
  const auto row = [&](std::string_view title, double precision, double recall, double f1, Index support) {
    text += fmt::format("{:>{}}  {:>9.2f} {:>9.2f} {:>9.2f} {:>9}\n", title, width, precision, recall, f1, support);
  };
  text += fmt::format("{:>{}}  {:>9} {:>9} {:>9} {:>9}\n\n", "", width, "precision", "recall", "f1-score", "support");
  const Index total = matrix.total();
  double precision = 0, recall = 0, f1 = 0;
  for (Index c = 0; c < matrix.classes(); ++c) {
    const Index support = matrix.support(c);
    if (support + matrix.predicted(c) == 0) continue;
    row(called(c), matrix.precision(c), matrix.recall(c), matrix.f1(c), support);
    const double weight = fraction(support, total);
    precision += weight * matrix.precision(c);
    recall += weight * matrix.recall(c);
    f1 += weight * matrix.f1(c);
  }
  text += fmt::format("\n{:>{}}  {:>9} {:>9} {:>9.2f} {:>9}\n", "accuracy", width, "", "", matrix.accuracy(), total);
  row("macro avg", matrix.macro_precision(), matrix.macro_recall(), matrix.macro_f1(), total);
  row(weighted, precision, recall, f1, total);
  return text;
}

std::string classification_report(const ConfusionMatrix& matrix, std::initializer_list<std::string> class_names) {
  return classification_report(matrix, std::span(class_names.begin(), class_names.size()));
}

}  // namespace cornu
