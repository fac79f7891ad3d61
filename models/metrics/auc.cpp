#include "cornu/models/metrics/auc.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/models/metrics/class_labels.h"

namespace cornu {

namespace {

/// Integrates a curve from the highest threshold, where nothing is predicted positive, to the lowest.
struct Area {
  AUC::Curve curve;
  double positives = 0, negatives = 0;  // true and false positives so far
  double sum = 0;

  /// Moves to the next threshold; the arguments count the samples between it and the previous one.
  void step(double more_positives, double more_negatives) {
    if (curve == AUC::ROC) {
      sum += more_negatives * (positives + more_positives / 2);
    } else if (more_positives > 0) {
      const double before = positives + negatives, after = before + more_positives + more_negatives;
      const double slope = more_positives / (after - before);
      const double bend = before > 0 ? (positives - slope * before) * std::log(after / before) : 0;
      sum += slope * (more_positives + bend);
    }
    positives += more_positives;
    negatives += more_negatives;
  }

  double result() const {
    const double whole = curve == AUC::ROC ? positives * negatives : positives;
    return whole > 0 ? sum / whole : 0;
  }
};

/// Removes the elements equal to `score` from the end of the first n, and returns their number.
double take(const std::vector<Real>& sorted, std::size_t& n, Real score) {
  const std::size_t before = n;
  while (n > 0 && sorted[n - 1] == score) --n;
  return static_cast<double>(before - n);
}

Real sigmoid(Real x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

void AUC::reset() {
  positives.clear();
  negatives.clear();
  buckets.clear();
  nan = false;
}

void AUC::update(ConstView y_true, ConstView y_pred) {
  const Shape &truth = y_true.shape(), &shape = y_pred.shape();
  require(detail::same_but_for_last_1(truth, shape) || detail::same_but_for_last_1(shape, truth),
          "auc: predictions are {} and labels {}; one label of 0 or 1 for each prediction is required", shape, truth);
  require<ValueError>(num_thresholds == 0 || num_thresholds > 1,
                      "auc: num_thresholds is {}; 0 or at least 2 is required", num_thresholds);
  const Index last = num_thresholds - 1;
  if (num_thresholds > 0) buckets.resize(static_cast<std::size_t>(last));
  for (Index i = 0; i < y_pred.size(); ++i) {
    const bool positive = detail::class_of_label("auc", "label", y_true, i, 2) == 1;
    const Real score = from_logits && num_thresholds > 0 ? sigmoid(y_pred[i]) : y_pred[i];
    if (std::isnan(score)) {
      nan = true;
    } else if (num_thresholds == 0) {
      (positive ? positives : negatives).push_back(score);
    } else {
      if (score < 0 || score > 1) [[unlikely]] {
        throw ValueError(
            message("auc: prediction {} in {}; with num_thresholds, predictions must be from 0 to 1 (is "
                    "from_logits missing?)",
                    score, detail::place(shape, i)));
      }
      // score is above threshold k / last and at most (k + 1) / last.
      const auto k = static_cast<Index>(std::ceil(score * static_cast<Real>(last))) - 1;
      Bucket& bucket = buckets[static_cast<std::size_t>(last - 1 - std::max(k, Index{0}))];
      ++(positive ? bucket.positives : bucket.negatives);
    }
  }
}

double AUC::result() const {
  if (nan) return std::numeric_limits<double>::quiet_NaN();
  Area area{.curve = curve};
  for (const Bucket& bucket : buckets) {
    area.step(static_cast<double>(bucket.positives), static_cast<double>(bucket.negatives));
  }
  std::sort(positives.begin(), positives.end());
  std::sort(negatives.begin(), negatives.end());
  std::size_t p = positives.size(), n = negatives.size();
  while (p > 0 || n > 0) {
    const bool next_is_positive = n == 0 || (p > 0 && positives[p - 1] > negatives[n - 1]);
    const Real highest = next_is_positive ? positives[p - 1] : negatives[n - 1];
    const double more_positives = take(positives, p, highest);
    area.step(more_positives, take(negatives, n, highest));
  }
  return area.result();
}

}  // namespace cornu
