#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/metrics/direction.h"
#include "cornu/optim/losses/losses.h"

namespace cornu {

/// Area under the curve of a binary classifier, over all thresholds.
///   ROC: true positive rate over false positive rate, with linear interpolation: the probability that a positive
///        scores higher than a negative, ties counting half.
///   PR:  precision over recall, with the hyperbolic interpolation of Davis and Goadrich (2006); constant up to the
///        first point.
/// By default the area is exact: every score is kept until the epoch ends (sizeof(Real) bytes each; the next epoch
/// reuses the memory), and fit shows the area only at the end of an epoch. With num_thresholds (at least 2) only counts
/// between that many equally spaced thresholds are kept, as in Keras, whose default is 200, and the area is an
/// approximation.
/// y_pred: any shape, all elements treated alike. y_true: the same shape, 0 or 1. A last axis of 1 may be missing in
/// either. Named "auc". The area is 0 without positives, for ROC also without negatives, and NaN after a NaN score.
/// Throws ShapeError for other shapes; ValueError for labels other than 0 and 1, for scores outside [0, 1] with
/// thresholds, and for a num_thresholds of 1 or below 0.
struct AUC {
  static constexpr Direction direction = Direction::up;
  enum Curve { ROC, PR };  // NOLINT(readability-identifier-naming): Keras's names

  Index num_thresholds = 0;  ///< 0: exact
  Curve curve = ROC;
  /// y_pred are logits; their sigmoids are compared with the thresholds. Needed only if the model's loss does not take
  /// logits.
  bool from_logits = false;

  struct Bucket {
    Index positives = 0, negatives = 0;
    void options(auto& visit) {
      visit("positives", positives);
      visit("negatives", negatives);
    }
  };
  // Accumulators: the scores, in any order, or the counts between thresholds.
  mutable std::vector<Real> positives{}, negatives{};
  std::vector<Bucket> buckets{};  // highest threshold first
  bool nan = false;

  std::string name() const { return "auc"; }
  bool costly() const { return num_thresholds == 0; }
  /// The exact area is the same for logits as for their sigmoids, and logits do not saturate at 1.
  bool reads_logits(Logits logits) const { return from_logits || (num_thresholds == 0 && logits != Logits::softmax); }
  void reset();
  void update(ConstView y_true, ConstView y_pred);
  double result() const;
  void options(auto& visit) {
    visit("num_thresholds", num_thresholds);
    visit("curve", curve);
    visit("from_logits", from_logits);
  }
  void state(auto& visit) {
    visit("positives", positives);
    visit("negatives", negatives);
    visit("buckets", buckets);
    visit("nan", nan);
  }
};
constexpr std::array<std::string_view, 2> option_names(AUC::Curve) { return {"ROC", "PR"}; }

}  // namespace cornu
