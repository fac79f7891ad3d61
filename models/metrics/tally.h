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
  /// `logits`: how the y_pred given to `add` become probabilities.
  explicit Tally(const std::vector<AnyMetric>& metrics, Logits logits = Logits::none);

  void reset();
  /// Throws ValueError for a metric that takes logits if y_pred is the result of a sigmoid or softmax.
  void require_logits(Var y_pred) const;
  void add(double loss, ConstView y_true, ConstView y_pred);
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
  std::vector<AnyMetric> metrics_;
  std::vector<std::string> names_;
  Logits logits_;
  Tensor probabilities_;  // of a batch
  double loss_total_ = 0;
  Index samples_ = 0;
};

/// Throws ShapeError unless there is one weight per sample, or no weights.
void require_sample_weight(ConstView sample_weight, Index samples);

/// The weight of each label of a batch in the loss: sample weight times class weight.
class BatchWeights {
 public:
  /// `sample_weight` has one element per sample of the dataset, or none, and must outlive this object. `output` is the
  /// shape of one sample's outputs; it decides how targets are read as classes. `rows_are_classes`: several outputs are
  /// the scores of a sample's possible classes, not independent answers or values.
  explicit BatchWeights(ConstView sample_weight, std::map<Index, double> class_weight = {}, const Shape& output = {},
                        bool rows_are_classes = false)
      : sample_weight_(sample_weight),
        class_weight_(std::move(class_weight)),
        output_(output),
        rows_are_classes_(rows_are_classes) {}

  /// The weights of the samples at `rows` of the dataset, with targets y, stored in `memory`: (batch) or, with class
  /// weights, one per label: (batch, ...). Empty if there are no weights.
  /// Throws ValueError for targets that are not classes, naming the row; ShapeError for targets that are neither labels
  /// nor one-hot rows for the model's outputs.
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
