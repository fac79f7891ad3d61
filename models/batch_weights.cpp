#include "cornu/models/batch_weights.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/shape_hints.h"
#include "cornu/datasets/class_of_target.h"
#include "cornu/optim/losses/mean_over_rows.h"

namespace cornu::detail {

void require_sample_weight(ConstView sample_weight, Index samples) {
  require(sample_weight.size() == 0 || (sample_weight.shape().rank() > 0 && sample_weight.shape()[0] == samples),
          "sample_weight is {}; one weight for each of {} samples, or for each of their time steps, is required",
          sample_weight.shape(), samples);
}

namespace {

/// The shape of a sample's labels for outputs of this pattern, with the lengths of the targets y where it has 0.
Shape labels_of(const Shape& output, const Shape& y) {
  Shape result = output.rank() > 0 ? output.without(-1) : output;
  for (Index axis = 0; axis < result.rank(); ++axis) {
    if (result[axis] == 0 && axis + 1 < y.rank()) result = result.with(axis, y[axis + 1]);
  }
  return result;
}

}  // namespace

ConstView BatchWeights::of(std::span<const Index> rows, const Tensor& y, Tensor& memory) const {
  if (sample_weight_.size() == 0 && class_weight_.empty()) return {};
  const Index batch = std::ssize(rows);
  const bool weighs_samples = sample_weight_.size() > 0;
  const Shape of_sample = weighs_samples ? sample_weight_.shape().sub(1) : Shape{};
  const Shape labels = labels_of(output_, y.shape());
  memory.resize((class_weight_.empty() ? of_sample : labels).batched(batch));
  if (!weighs_samples) {
    memory.fill(1);
  } else if (!memory.empty()) {
    const ConstView weights(sample_weight_.data(), of_sample.batched(batch));
    const Index spread = losses_per_weight("class_weight", memory.shape(), weights), width = of_sample.size();
    for (Index i = 0; i < memory.size(); ++i) {
      const Index weight = i / spread;
      memory[i] = sample_weight_[rows[static_cast<std::size_t>(weight / width)] * width + weight % width];
    }
  }
  if (!class_weight_.empty()) multiply_by_class_weights(memory, y);
  return memory;
}

/// Throws ValueError for a label that is not a class, and if labels and class_weight mix the classes 0 and 1
/// with -1 and 1. A NaN is left for the loss to report.
void BatchWeights::check_label(double label, Index row, Index outputs) const {
  if (std::isnan(label)) return;
  if (outputs > 1) {
    require<ValueError>(label >= 0 && label < static_cast<double>(outputs) && label == std::floor(label),
                        "class_weight: label {} in row {} is not a class; with {} outputs the classes are 0 to {}",
                        label, row, outputs, outputs - 1);
    return;
  }
  require<ValueError>(std::abs(label) == 1 || label == 0,
                      "class_weight: target {} in row {} is not a class; with one output the classes are 0 and 1",
                      label, row);
  // The other class is 0 or, for a hinge loss, -1.
  const Index other = label == -1 ? 0 : -1;
  require<ValueError>(label == 1 || !class_weight_.contains(other),
                      "class_weight: label {} in row {}, but there is a weight for class {}; give weights for {} and 1",
                      label, row, other, label);
}

/// `weights` has the labels' shape.
void BatchWeights::multiply_by_class_weights(Tensor& weights, const Tensor& y) const {
  const Index outputs = output_.rank() == 0 ? 1 : output_[-1];
  const Shape of_outputs = output_.rank() == 0 ? weights.shape() : weights.shape().inserted(weights.rank(), outputs);
  const bool are_labels = detail::same_but_for_last_1(weights.shape(), y.shape());
  require(are_labels || y.shape() == of_outputs,
          "class_weight: targets are {} and the model's outputs {}; labels {} or one-hot rows like the outputs are "
          "required{}",
          y.shape(), of_outputs, weights.shape(), detail::prediction_hint(of_outputs, y.shape(), true));
  require<ValueError>(are_labels || rows_are_classes_,
                      "class_weight: the targets are {} and, for this loss, each of a sample's {} outputs is a "
                      "separate answer or value, so a sample has no class to weight. Use sample_weight; for yes-or-no "
                      "labels, outputs of shape (..., 1); for one class of {}, a softmax or CategoricalCrossentropy",
                      y.shape(), outputs, outputs);
  const auto sample = [&](Index i) { return i / (weights.size() / weights.shape()[0]); };
  for (Index i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;  // probably padding
    double label = 0;
    if (are_labels) {
      label = static_cast<double>(y[i]);
      if (!leaves_out_steps_) check_label(label, sample(i), outputs);
    } else {
      const Real* const row = y.data() + i * outputs;
      if (!leaves_out_steps_ && !detail::is_distribution(row, outputs)) {
        throw ValueError(
            message("class_weight: row {} has the targets {}, which are not one-hot, so the sample has no class to "
                    "weight; use sample_weight",
                    sample(i), to_string(Tensor(ConstView(row, {outputs})))));
      }
      label = static_cast<double>(position_of_max(row, outputs));
    }
    weights[i] *= static_cast<Real>(class_weight_of(label));
  }
}

// Takes a double, not an Index: a label may be any number, and the loss rejects invalid ones.
double BatchWeights::class_weight_of(double label) const {
  const auto found = std::find_if(class_weight_.begin(), class_weight_.end(),
                                  [=](const auto& entry) { return static_cast<double>(entry.first) == label; });
  return found == class_weight_.end() ? 1 : found->second;
}

}  // namespace cornu::detail
