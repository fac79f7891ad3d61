#pragma once

#include <optional>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/metrics/direction.h"
#include "cornu/optim/losses/losses.h"

namespace cornu {

/// Mean over the classes of intersection over union, TP / (TP + FP + FN): the usual metric for segmentation. Classes
/// that occur neither in the truth nor in the predictions are left out; 0 if none occurs. As in Keras, named
/// "mean_io_u".
/// y_true: labels (batch, ...), or with `.sparse_y_true = false` scores (batch, ..., classes), whose argmax is the
/// class. y_pred: likewise; set `.sparse_y_pred = false` for a model that ends in a softmax. A last axis of 1 may be
/// missing.
/// Throws ShapeError if the shapes do not match; ValueError for a label that is not a class, naming row and label, and
/// for num_classes below 1.
struct MeanIoU {
  static constexpr Direction direction = Direction::up;

  Index num_classes;
  std::optional<Index> ignore_class{};  ///< elements whose true label this is are not counted
  bool sparse_y_true = true, sparse_y_pred = true;

  struct Counts {
    Index truth = 0, prediction = 0, both = 0;
    void options(auto& visit) {
      visit("truth", truth);
      visit("prediction", prediction);
      visit("both", both);
    }
  };
  std::vector<Counts> classes{};

  bool reads_logits(Logits) const { return true; }  ///< same argmax as the probabilities
  void reset() { classes.assign(classes.size(), {}); }
  void update(ConstView y_true, ConstView y_pred);
  double result() const;
  void options(auto& visit) {
    visit("num_classes", num_classes);
    visit("ignore_class", ignore_class);
    visit("sparse_y_true", sparse_y_true);
    visit("sparse_y_pred", sparse_y_pred);
  }
  void state(auto& visit) { visit("classes", classes); }
};

}  // namespace cornu
