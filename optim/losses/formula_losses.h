#pragma once

#include "cornu/core/tape.h"
#include "cornu/optim/losses/losses.h"

/// Keras's other losses, each written as its formula in ops. y_pred: (batch, ..., n), y_true the same shape; a loss for
/// each sample comes, (batch, ...), the mean over the last axis unless it says otherwise. Sequential, like AnyLoss,
/// weighs and averages them, and takes a y_true without a last axis of 1. Throw ShapeError if the shapes differ.
namespace cornu {

/// |y_pred - y_true|; the gradient where they are equal is 0.
struct MeanAbsoluteError {
  Var operator()(Var y_pred, Var y_true) const;
};

/// 100 |y_true - y_pred| / max(|y_true|, 1e-7)
struct MeanAbsolutePercentageError {
  Var operator()(Var y_pred, Var y_true) const;
};

/// (log(y_pred + 1) - log(y_true + 1))^2; below 1e-7 both count as 1e-7.
struct MeanSquaredLogarithmicError {
  static constexpr bool checks_truth = true;
  Var operator()(Var y_pred, Var y_true) const;
};

/// e^2 / 2 for errors e up to delta, and delta (|e| - delta / 2) beyond (Huber, 1964).
struct Huber {
  double delta = 1.0;
  void options(auto& visit) { visit("delta", delta); }
  Var operator()(Var y_pred, Var y_true) const;
};

/// log(cosh(y_pred - y_true)), about e^2 / 2 for small errors and |e| - log 2 for large ones.
struct LogCosh {
  Var operator()(Var y_pred, Var y_true) const;
};

/// y_pred - y_true log(y_pred + 1e-7), for counts.
struct Poisson {
  static constexpr bool checks_truth = true;
  Var operator()(Var y_pred, Var y_true) const;
};

/// The sum of y_true log(y_true / y_pred), both limited to [1e-7, 1] (Kullback and Leibler, 1951).
struct KLDivergence {
  static constexpr bool checks_truth = true;
  Var operator()(Var y_pred, Var y_true) const;
};

/// max(1 - y_true y_pred, 0), for truths of -1 and 1; where all are 0 or 1, a 0 counts as -1. At the kink half a
/// gradient. The sign of y_pred is the class: metrics with a threshold see sigmoid(y_pred), so that 0.5 is at 0.
struct Hinge {
  static constexpr bool checks_truth = true;
  Logits logits() const { return Logits::margin; }
  Var operator()(Var y_pred, Var y_true) const;
};

/// Minus the cosine of the angle between the two: -1 where they point the same way. A vector whose norm is below 1e-12
/// has no direction: its loss and its gradient are 0. As a metric it is the cosine itself, as in Keras: 1 is best.
struct CosineSimilarity {
  Var operator()(Var y_pred, Var y_true) const;
};

/// Cross-entropy with less weight on what is nearly right (Lin et al., 2017): with p_t the probability of the truth,
/// (1 - p_t)^gamma times the loss of BinaryCrossentropy; with apply_class_balancing, alpha times that for a truth of 1
/// and 1 - alpha for one of 0. Computed from logits where they are known. gamma at least 1, or 0.
struct BinaryFocalCrossentropy {
  static constexpr bool checks_truth = true;
  bool apply_class_balancing = false;
  double alpha = 0.25;
  double gamma = 2.0;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) {
    visit("apply_class_balancing", apply_class_balancing);
    visit("alpha", alpha);
    visit("gamma", gamma);
    visit("from_logits", from_logits);
    visit("label_smoothing", label_smoothing);
  }
  Logits logits() const { return from_logits ? Logits::sigmoid : Logits::none; }
  Var operator()(Var y_pred, Var y_true) const;
};

/// The sum over the classes of alpha (1 - p)^gamma times -y_true log p, with y_true one-hot or any distribution. Like
/// CategoricalCrossentropy it is computed from logits where they are known, and takes other probabilities over their
/// sum.
struct CategoricalFocalCrossentropy {
  static constexpr bool checks_truth = true;
  double alpha = 0.25;
  double gamma = 2.0;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) {
    visit("alpha", alpha);
    visit("gamma", gamma);
    visit("from_logits", from_logits);
    visit("label_smoothing", label_smoothing);
  }
  Logits logits() const { return from_logits ? Logits::softmax : Logits::none; }
  Var operator()(Var y_pred, Var y_true) const;
};

}  // namespace cornu
