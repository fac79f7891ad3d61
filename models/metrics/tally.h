#pragma once

#include <map>
#include <utility>

#include "cornu/datasets/batches.h"
#include "cornu/models/logs.h"
#include "cornu/models/metrics/metric.h"

namespace cornu {

/// The loss and the metrics of the batches seen so far.
class Tally {
 public:
  /// `logits`: what turns the y_pred of `add` into probabilities.
  explicit Tally(const std::vector<AnyMetric>& metrics, Logits logits = Logits::none);

  void reset();
  /// Throws ValueError for a metric that takes logits if the outputs are those of a sigmoid or softmax.
  void require_logits(Var y_pred) const;
  void add(double loss, ConstView y_true, ConstView y_pred);
  /// The loss, averaged over the samples, and each metric, under its name; the costly ones only if this is the `end`.
  /// Writing to the same logs again allocates nothing.
  void write(Logs& logs, bool end = true) const;
  /// Under which names: "loss", then the metrics'.
  std::vector<std::string> names() const;
  /// Whether each is better when it goes up or down, in the order of `names`.
  std::vector<Direction> directions() const;
  /// Has `visit` write or read what was gathered. Throws StateError, naming it, for a metric that has no `state`.
  void state(OptionVisitor& visit);

 private:
  std::vector<AnyMetric> metrics_;
  std::vector<std::string> names_;
  Logits logits_;
  Tensor probabilities_;  // of a batch
  double loss_total_ = 0;
  Index samples_ = 0;
};

/// Throws ShapeError unless there is one weight for each sample, or none at all.
void require_sample_weight(ConstView sample_weight, Index samples);

/// The weight of each label of a batch in the loss: its sample's, times its class's.
class BatchWeights {
 public:
  /// `sample_weight` has one number for each of the dataset's samples, or none, and must outlive this. `output`: the
  /// shape of a sample of the model's outputs, which tells how targets are to be read as classes. `rows_are_classes`:
  /// several outputs are the probabilities, or logits, of one class, and not answers or numbers of their own.
  explicit BatchWeights(ConstView sample_weight, std::map<Index, double> class_weight = {}, const Shape& output = {},
                        bool rows_are_classes = false)
      : sample_weight_(sample_weight),
        class_weight_(std::move(class_weight)),
        output_(output),
        rows_are_classes_(rows_are_classes) {}

  /// Of the samples that are these rows of the dataset and have the truths y; they are put in `memory`: (batch) or,
  /// with class weights, one for each label: (batch, ...). Empty where there are no weights at all. Throws ValueError,
  /// naming the row, for targets that are no classes, and ShapeError for targets that are neither labels nor one-hot
  /// for the model's outputs.
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
