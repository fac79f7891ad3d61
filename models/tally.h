#pragma once

#include <map>

#include "cornu/datasets/batches.h"
#include "cornu/models/logs.h"
#include "cornu/models/metric.h"

namespace cornu {

/// The loss and the metrics of the batches seen so far.
class Tally {
 public:
  explicit Tally(const std::vector<AnyMetric>& metrics);

  void reset();
  void add(double loss, ConstView y_true, ConstView y_pred);
  /// The loss, averaged over the samples, and each metric, under its name with the prefix before it.
  void write(Logs& logs, std::string_view prefix = "") const;

 private:
  std::vector<AnyMetric> metrics_;
  std::vector<std::string> names_;
  double loss_total_ = 0;
  Index samples_ = 0;
};

/// The weight of each sample of a batch in the loss: its own, times its class's.
class BatchWeights {
 public:
  /// `sample_weight` has one number for each of the dataset's samples, or none; both must outlive this.
  BatchWeights(const Tensor& sample_weight, const std::map<Index, double>& class_weight, Index samples);

  /// Empty where there are no weights at all; valid until the next call.
  ConstView of(const Batch& batch);

 private:
  double class_weight_of(const Tensor& y, Index i) const;

  const Tensor& sample_weight_;
  const std::map<Index, double>& class_weight_;
  Tensor weights_;
};

}  // namespace cornu
