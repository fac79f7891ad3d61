#pragma once

#include <map>
#include <span>
#include <utility>

#include "cornu/core/tensor.h"

namespace cornu::detail {

/// Throws ShapeError unless there is one weight per sample, (samples), or per label of each, (samples, ...), or no
/// weights.
void require_sample_weight(ConstView sample_weight, Index samples);

/// The weight of each label of a batch in the loss: sample weight times class weight.
class BatchWeights {
 public:
  /// `sample_weight` has a row per sample of the dataset, or no elements, and must outlive this object. `output` is the
  /// shape of one sample's outputs; it decides how targets are read as classes. `rows_are_classes`: the outputs are
  /// scores of mutually exclusive classes.
  /// leaves_out_steps: the outputs are masked, so that labels of padding may be anything; the loss checks the others.
  explicit BatchWeights(ConstView sample_weight, std::map<Index, double> class_weight = {}, const Shape& output = {},
                        bool rows_are_classes = false, bool leaves_out_steps = false)
      : sample_weight_(sample_weight),
        class_weight_(std::move(class_weight)),
        output_(output),
        rows_are_classes_(rows_are_classes),
        leaves_out_steps_(leaves_out_steps) {}

  /// The weights of the samples at `rows` of the dataset, with targets y, stored in `memory`: the rows of sample_weight
  /// or, with class weights, one weight per label: (batch, ...). Empty if there are no weights.
  /// Throws ValueError for targets that are not classes, naming the row; ShapeError for targets that are neither labels
  /// nor one-hot rows for the model's outputs, and for sample weights that fit neither samples nor labels.
  ConstView of(std::span<const Index> rows, const Tensor& y, Tensor& memory) const;

 private:
  void multiply_by_class_weights(Tensor& weights, const Tensor& y) const;
  void check_label(double label, Index row, Index outputs) const;
  double class_weight_of(double label) const;

  ConstView sample_weight_;
  std::map<Index, double> class_weight_;
  Shape output_;
  bool rows_are_classes_, leaves_out_steps_;
};

}  // namespace cornu::detail
