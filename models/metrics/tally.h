#pragma once

#include <map>
#include <utility>

#include "cornu/datasets/batches.h"
#include "cornu/models/logs.h"
#include "cornu/models/metrics/metric.h"

namespace cornu {

/// Accumulates the loss and the metrics over batches.
class Tally {
 public:
  /// logits: how `add` turns y_pred into probabilities.
  explicit Tally(const std::vector<AnyMetric>& metrics, Logits logits = Logits::none);

  void reset();
  /// Throws ValueError if a metric takes logits and y_pred is the output of a sigmoid or softmax.
  void require_logits(Var y_pred) const;
  void add(double loss, ConstView y_true, ConstView y_pred);
  /// Writes the mean loss over the samples, and each metric under its name; costly metrics only if `end`. Writing to
  /// the same logs again allocates nothing.
  void write(Logs& logs, bool end = true) const;
  /// The names that `write` sets: "loss", then the metrics' names.
  std::vector<std::string> names() const;
  /// Whether larger or smaller is better, in the order of `names`.
  std::vector<Direction> directions() const;
  /// Reads or writes the accumulators through `visit`. Throws StateError, naming the metric, for one without `state`.
  void state(OptionVisitor& visit);

 private:
  std::vector<AnyMetric> metrics_;
  std::vector<std::string> names_;
  Logits logits_;
  Tensor probabilities_;  // of a batch
  double loss_total_ = 0;
  Index samples_ = 0;
};

/// Throws ShapeError unless there is one weight per sample, or none at all.
void require_sample_weight(ConstView sample_weight, Index samples);

/// Loss weights of the labels of a batch: the sample's weight times the class's weight.
class BatchWeights {
 public:
  /// sample_weight: one element per sample of the dataset, or empty; it must outlive this. output: shape of a sample of
  /// the model's outputs, which decides how targets are read as classes. rows_are_classes: several outputs are the
  /// probabilities or logits of one class, rather than independent labels or values.
  explicit BatchWeights(ConstView sample_weight, std::map<Index, double> class_weight = {}, const Shape& output = {},
                        bool rows_are_classes = false)
      : sample_weight_(sample_weight),
        class_weight_(std::move(class_weight)),
        output_(output),
        rows_are_classes_(rows_are_classes) {}

  /// Returns the weights of the samples at `rows`, whose targets are y, in `memory`: (batch) or, with class weights,
  /// one per label: (batch, ...). Empty if there are no weights. Throws ValueError, naming the row, for a target that
  /// is not a class, and ShapeError for targets that are neither labels nor one-hot for the model's outputs.
  ConstView of(std::span<const Index> rows, const Tensor& y, Tensor& memory) const;

 private:
  void multiply_by_class_weights(Tensor& weights, const Tensor& y) const;
  void check_label(double label, Index row, Index outputs) const;
  double class_weight_of(double label) const;

  ConstView sample_weight_;
  std::map<Index, double> class_weight_;
  Shape output_;
  bool rows_are_classes_;
};

}  // namespace cornu
