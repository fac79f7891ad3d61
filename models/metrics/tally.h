#pragma once

#include <string>
#include <vector>

#include "cornu/models/logs.h"
#include "cornu/models/metrics/metric.h"

namespace cornu::detail {

/// Accumulates the loss and the metrics over batches.
class Tally {
 public:
  /// `logits`: how the y_pred given to `add` become probabilities.
  Tally(const std::vector<AnyMetric>& metrics, const std::vector<AnyMetric>& weighted_metrics, Logits logits);

  void reset();
  /// Throws ValueError for a metric that takes logits if y_pred is the result of a sigmoid or softmax.
  void require_logits(Var y_pred) const;
  /// samples: of the batch. y_true, y_pred: of its samples or, with a mask, of the steps that count.
  /// sample_weight: for the weighted metrics; may be empty.
  void add(double loss, Index samples, ConstView y_true, ConstView y_pred, ConstView sample_weight);
  /// Stores the mean loss and each metric under its name; the costly ones only at the `end`. Writing to the same logs
  /// again allocates nothing.
  void write(Logs& logs, bool end = true) const;
  /// "loss", then the metrics' names.
  std::vector<std::string> names() const;
  /// The direction of each of `names`.
  std::vector<Direction> directions() const;
  /// Lets `visit` write or read the accumulated values. Throws StateError for a metric without `state`, naming it.
  void state(OptionVisitor& visit);

 private:
  std::vector<AnyMetric> metrics_;  // the weighted ones last
  std::size_t unweighted_;
  std::vector<std::string> names_;
  Logits logits_;
  Tensor probabilities_;  // of a batch
  double loss_total_ = 0;
  Index samples_ = 0;
};

}  // namespace cornu::detail
