#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/metrics/direction.h"
#include "cornu/optim/losses/losses.h"

namespace cornu {

/// The area under a curve of a yes-or-no classifier, over all thresholds between yes and no.
///   ROC: the fraction of yes that is found by the fraction of no that is taken for yes, in straight lines: how likely
///        a yes has a higher score than a no, where equal scores count as half.
///   PR:  precision by recall, between two points along the hyperbola that mixing them gives, up to the first one at
///   its
///        precision (Davis and Goadrich, 2006).
/// It is exact: every score is kept until the epoch ends (sizeof(Real) bytes each, memory that the next epoch uses
/// again), and fit shows the area at the end of an epoch alone. With num_thresholds, at least 2, nothing is kept but
/// counts between that many equally spaced ones, as Keras does with 200, and the area is an approximation.
/// y_pred: any shape, all numbers alike; y_true: the same, 0 or 1; a last axis of 1 may be missing in either. Called
/// "auc". 0 without a yes, ROC also without a no; NaN after a NaN.
/// Throws ShapeError for other shapes, ValueError for labels other than 0 and 1, for scores outside of [0, 1] where
/// there are thresholds, and for a num_thresholds of 1 or less than 0.
struct AUC {
  static constexpr Direction direction = Direction::up;
  enum Curve { ROC, PR };  // NOLINT(readability-identifier-naming): as Keras has them

  Index num_thresholds = 0;  ///< 0: exact
  Curve curve = ROC;
  /// y_pred are logits, whose sigmoids are compared with the thresholds. Only for a model whose loss does not say so.
  bool from_logits = false;

  struct Bucket {
    Index positives = 0, negatives = 0;
    void options(auto& visit) {
      visit("positives", positives);
      visit("negatives", negatives);
    }
  };
  // What it has seen: scores, of which the order is of no importance, or counts between thresholds.
  mutable std::vector<Real> positives{}, negatives{};
  std::vector<Bucket> buckets{};  // the highest first
  bool nan = false;

  std::string name() const { return "auc"; }
  bool costly() const { return num_thresholds == 0; }
  /// An exact area is the same for logits as for their sigmoids, and is not harmed by rounding to 1.
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
