#pragma once

#include <optional>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/models/metrics/direction.h"
#include "cornu/optim/losses/losses.h"

namespace cornu {

/// The mean over the classes of intersection over union, TP / (TP + FP + FN): the usual figure for segmented images.
/// Classes that are neither in the truth nor predicted do not count; 0 for none. As in Keras, called "mean_io_u".
/// y_true: (batch, ...) labels, or where it is not sparse (batch, ..., classes) scores, of which the largest counts;
/// the same for y_pred: for a model that ends in a softmax say `.sparse_y_pred = false`. A last axis of 1 may be left
/// out. Throws ShapeError for shapes that do not go together, ValueError, naming row and label, for one that is no
/// class, and for num_classes below 1.
struct MeanIoU {
  static constexpr Direction direction = Direction::up;

  Index num_classes;
  std::optional<Index> ignore_class{};  ///< what has this label in the truth does not count
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

  bool reads_logits(Logits) const { return true; }  ///< their order is that of the probabilities
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
