#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/direction.h"
#include "cornu/core/tensor.h"
#include "cornu/optim/losses/losses.h"

namespace cornu {

/// The area under the ROC or the precision-recall curve of a binary classifier, over all thresholds. Called "auc".
///   ROC: true positive rate over false positive rate, linearly interpolated. It is the probability that a positive has
///        a higher score than a negative; ties count as half.
///   PR:  precision over recall. Between two points precision follows the hyperbola of Davis and Goadrich (2006); up to
///        the first point it is constant.
/// By default the area is exact, and fit computes it only at the end of an epoch. All scores of an epoch are kept,
/// sizeof(Real) bytes each, in memory that the next epoch reuses. With num_thresholds >= 2, the area is approximate, as
/// in Keras (which uses 200): only counts between that many equally spaced thresholds are kept.
/// y_pred: any shape; all elements count alike. y_true: the same shape, 0 or 1; either may lack a last axis of 1.
/// The result is 0 without positives, and for ROC without negatives; NaN after a NaN.
/// Throws ShapeError for other shapes. Throws ValueError for labels other than 0 and 1, for a num_thresholds that is 1
/// or negative and, with thresholds, for scores outside [0, 1].
struct AUC {
  static constexpr Direction direction = Direction::up;
  enum Curve { ROC, PR };  // NOLINT(readability-identifier-naming): spelt as in Keras

  Index num_thresholds = 0;  ///< 0: exact
  Curve curve = ROC;
  /// y_pred are logits; their sigmoids are compared with the thresholds. Set it only if the model's loss has no
  /// from_logits.
  bool from_logits = false;

  struct Bucket {
    Index positives = 0, negatives = 0;
    void options(auto& visit) {
      visit("positives", positives);
      visit("negatives", negatives);
    }
  };
  // Scores seen, in no particular order, or counts between thresholds.
  mutable std::vector<Real> positives{}, negatives{};
  std::vector<Bucket> buckets{};  // highest scores first
  bool nan = false;

  std::string name() const { return "auc"; }
  bool costly() const { return num_thresholds == 0; }
  /// The exact area depends only on the order of the scores. Logits give the same area, and are not rounded to 1.
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
