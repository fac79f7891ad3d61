// The code shared by Precision, Recall and F1Score.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/options/options.h"
#include "cornu/models/metrics/class_labels.h"
#include "cornu/models/metrics/metrics.h"

namespace cornu::detail {

namespace {

double fraction(Index part, Index whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// A score and its position. Ordered by descending score; equal scores by position; NaN first.
struct Ranked {
  Real score;
  Index position;

  bool before(const Ranked& other) const {
    const bool nan = score != score, other_nan = other.score != other.score;
    if (nan != other_nan) return nan;
    return nan || score == other.score ? position < other.position : score > other.score;
  }
};

/// The k-th largest score; k from 1 to n.
Ranked kth(const Real* scores, Index n, Index k) {
  Ranked last{0, -1};
  for (Index rank = 0; rank < k; ++rank) {
    Ranked next{0, -1};
    for (Index c = 0; c < n; ++c) {
      const Ranked candidate{scores[c], c};
      const bool is_left = last.position < 0 || last.before(candidate);
      if (is_left && (next.position < 0 || candidate.before(next))) next = candidate;
    }
    last = next;
  }
  return last;
}

/// Throws ValueError unless the row has one class: some positive target, and at most one that is 1.
void check_single_class(const char* name, const Real* truth, Index classes, Index row) {
  const auto ones = std::count(truth, truth + classes, Real{1});
  const bool any = std::any_of(truth, truth + classes, [](Real y) { return y > 0; });
  require<ValueError>(ones <= 1 && any,
                      "{}: the target has {} ones in row {}; without a threshold, outputs are one class of n: for "
                      "yes-or-no outputs set .threshold = 0.5",
                      name, ones, row);
}

}  // namespace

double ClassCounts::precision(const Counts& c) { return fraction(c.tp, c.tp + c.fp); }
double ClassCounts::recall(const Counts& c) { return fraction(c.tp, c.tp + c.fn); }
double ClassCounts::f1(const Counts& c) { return fraction(2 * c.tp, 2 * c.tp + c.fp + c.fn); }

void ClassCounts::reset() { std::fill(of_class.begin(), of_class.end(), Counts{}); }

void ClassCounts::update(const char* name, const ClassOptions& options, bool largest_by_default, ConstView y_true,
                         ConstView y_pred) {
  const Shape &truth = y_true.shape(), &shape = y_pred.shape();
  const bool one = shape.rank() == 1 || (shape.rank() > 1 && shape[-1] == 1);
  const Index outputs = one || shape.rank() == 0 ? 1 : shape[-1], classes = one ? 2 : outputs;
  const bool of_labels = one ? same_but_for_last_1(shape, truth) || same_but_for_last_1(truth, shape)
                             : shape.rank() > 1 && same_but_for_last_1(shape.without(-1), truth);
  require(shape.rank() > 0 && outputs > 0 && (of_labels || truth == shape),
          "{}: predictions are {} and labels {}; labels, or rows of the predictions' shape, are required", name, shape,
          truth);
  require<ValueError>(!options.class_id || (*options.class_id >= 0 && *options.class_id < classes),
                      "{}: class_id is {}; the classes of predictions {} are 0 to {}", name,
                      options.class_id.value_or(0), shape, classes - 1);
  if (options.threshold) check_threshold(name, *options.threshold);
  require<ValueError>(!options.top_k || (*options.top_k >= 1 && *options.top_k <= outputs),
                      "{}: top_k is {}; it must be from 1 to {}, the outputs of predictions {}", name,
                      options.top_k.value_or(0), outputs, shape);
  require<ValueError>(!options.top_k || !options.one_of_n, "{}: top_k and one_of_n exclude each other; set one of them",
                      name);

  const bool by_default = !options.threshold && !options.top_k && !options.one_of_n;
  const bool largest = !one && (options.one_of_n || (by_default && (of_labels || largest_by_default)));
  const Index rows = y_pred.size() / outputs;
  const auto truths = [&](Index row) { return y_true.data() + row * outputs; };
  for (Index row = 0; row < rows; ++row) {  // check all rows first: nothing is counted if one is invalid
    if (of_labels) {
      class_of_label(name, "label", y_true, row, classes);
    } else if (!largest) {
      for (Index c = 0; c < outputs; ++c) class_of_label(name, "label", y_true, row * outputs + c, 2);
    } else if (by_default) {
      check_single_class(name, truths(row), outputs, row);
    }
  }

  one_output = one;
  one_of_n = largest;
  if (std::ssize(of_class) != classes) of_class.assign(static_cast<std::size_t>(classes), {});
  const auto counts = [&](Index c) -> Counts& { return of_class[static_cast<std::size_t>(c)]; };
  const auto count_class = [&](Index is, Index predicted) {
    if (is == predicted) {
      ++counts(is).tp;
    } else {
      ++counts(is).fn;
      ++counts(predicted).fp;
    }
  };
  // With top_k and no threshold, all k count, whatever their scores.
  const auto limit = static_cast<Real>(options.threshold.value_or(0.5));
  const bool has_limit = options.threshold || !options.top_k;
  for (Index row = 0; row < rows; ++row) {
    const Real* const scores = y_pred.data() + row * outputs;
    if (one) {
      count_class(static_cast<Index>(y_true[row]), scores[0] > limit ? 1 : 0);
    } else if (largest) {
      count_class(of_labels ? static_cast<Index>(y_true[row]) : position_of_max(truths(row), outputs),
                  position_of_max(scores, outputs));
    } else {
      const Ranked least = options.top_k ? kth(scores, outputs, *options.top_k) : Ranked{0, -1};
      for (Index c = 0; c < outputs; ++c) {
        const bool is = of_labels ? c == static_cast<Index>(y_true[row]) : truths(row)[c] == 1;
        const bool predicted = (!has_limit || scores[c] > limit) && (!options.top_k || !least.before({scores[c], c}));
        if (is && predicted) ++counts(c).tp;
        if (is && !predicted) ++counts(c).fn;
        if (!is && predicted) ++counts(c).fp;
      }
    }
  }
}

std::vector<double> ClassCounts::per_class(Figure figure) const {
  std::vector<double> result;
  for (const Counts& counts : of_class) result.push_back(figure(counts));
  return result;
}

double ClassCounts::result(const char* name, const ClassOptions& options, Figure figure) const {
  if (of_class.empty()) return 0;
  if (options.class_id) return figure(of_class[static_cast<std::size_t>(*options.class_id)]);
  if (one_output) return figure(of_class[1]);
  const Averaging average = options.average.value_or(one_of_n ? Averaging::macro : Averaging::micro);
  require<ValueError>(
      average != Averaging::none,
      "{}: average is none, so each of {} classes has a separate value; set .class_id, or call per_class()", name,
      of_class.size());
  Counts all;
  double sum = 0, weights = 0;
  for (const Counts& counts : of_class) {
    all.tp += counts.tp;
    all.fp += counts.fp;
    all.fn += counts.fn;
    const bool occurs = counts.tp + counts.fp + counts.fn > 0;
    const double weight = average == Averaging::weighted ? static_cast<double>(counts.tp + counts.fn)
                          : one_of_n && !occurs          ? 0.0
                                                         : 1.0;
    sum += weight * figure(counts);
    weights += weight;
  }
  return average == Averaging::micro ? figure(all) : weights == 0 ? 0 : sum / weights;
}

void ClassCounts::state(OptionVisitor& visit) {
  visit("one_output", one_output);
  visit("one_of_n", one_of_n);
  visit("of_class", of_class);
  if (!visit.reading()) return;
  // Older versions stored a matrix: rows are true classes, columns predicted ones.
  bool growing = false;
  Index classes = 0;
  std::vector<Index> matrix;
  visit("growing", growing);
  visit("classes", classes);
  visit("counts", matrix);
  if (matrix.empty()) return;
  require<FormatError>(classes > 0 && std::ssize(matrix) / classes == classes && std::ssize(matrix) % classes == 0,
                       "{} counts for {} classes; a square matrix is required", matrix.size(), classes);
  one_of_n = !one_output;
  of_class.assign(static_cast<std::size_t>(classes), {});
  for (Index i = 0; i < std::ssize(matrix); ++i) {
    const Index is = i / classes, predicted = i % classes, count = matrix[static_cast<std::size_t>(i)];
    if (is == predicted) {
      of_class[static_cast<std::size_t>(is)].tp += count;
    } else {
      of_class[static_cast<std::size_t>(is)].fn += count;
      of_class[static_cast<std::size_t>(predicted)].fp += count;
    }
  }
}

std::string name_with_class(const char* name, const std::optional<Index>& class_id) {
  return class_id ? message("{}_class_{}", name, *class_id) : name;
}

}  // namespace cornu::detail
