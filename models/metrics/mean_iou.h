#pragma once

#include <optional>
#include <vector>

#include "cornu/core/direction.h"
#include "cornu/core/tensor.h"
#include "cornu/optim/losses/losses.h"

namespace cornu {

/// Mean intersection over union, TP / (TP + FP + FN) averaged over the classes; the usual metric for segmentation.
/// Classes that occur in neither the labels nor the predictions are ignored; the result is 0 if no class occurs. Called
/// "mean_io_u", as in Keras.
/// y_true: class indices, (batch, ...). With sparse_y_true = false: one-hot rows or scores, (batch, ..., num_classes);
/// the class is that of the largest.
/// y_pred: the same, with sparse_y_pred. For a model that ends in a softmax set `.sparse_y_pred = false`.
/// Class indices may have an additional last axis of 1.
/// Throws ShapeError if the shapes do not match, ValueError for an invalid label, naming it and its row, and for
/// num_classes below 1.
struct MeanIoU {
  static constexpr Direction direction = Direction::up;

  Index num_classes;
  std::optional<Index> ignore_class{};  ///< samples with this label are ignored
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

  bool reads_logits(Logits) const { return true; }  ///< only their order matters
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
