#pragma once

#include "cornu/core/autodiff/tape.h"
#include "cornu/optim/losses/losses.h"

/// Keras's other losses, each written as its formula in ops. y_pred: (batch, ..., n); y_true: the same shape. Each
/// returns one loss per sample, (batch, ...): the mean over the last axis unless noted. AnyLoss, which Sequential uses,
/// weights and averages these losses, and accepts a y_true without a last axis of 1. All throw ShapeError if the shapes
/// differ.
namespace cornu {

/// |y_pred - y_true|; where they are equal, the gradient is 0.
struct MeanAbsoluteError {
  static constexpr Direction direction = Direction::down;
  Var operator()(Var y_pred, Var y_true) const;
};

/// 100 |y_true - y_pred| / max(|y_true|, 1e-7)
struct MeanAbsolutePercentageError {
  static constexpr Direction direction = Direction::down;
  Var operator()(Var y_pred, Var y_true) const;
};

/// (log(y_pred + 1) - log(y_true + 1))^2, with both clipped to at least 1e-7.
struct MeanSquaredLogarithmicError {
  static constexpr Direction direction = Direction::down;
  static constexpr bool checks_truth = true;
  Var operator()(Var y_pred, Var y_true) const;
};

/// e^2 / 2 for errors |e| <= delta, and delta (|e| - delta / 2) beyond (Huber, 1964).
struct Huber {
  static constexpr Direction direction = Direction::down;
  double delta = 1.0;
  void options(auto& visit) { visit("delta", delta); }
  Var operator()(Var y_pred, Var y_true) const;
};

/// log(cosh(y_pred - y_true)), about e^2 / 2 for small errors and |e| - log 2 for large ones.
struct LogCosh {
  static constexpr Direction direction = Direction::down;
  Var operator()(Var y_pred, Var y_true) const;
};

/// y_pred - y_true log(y_pred + 1e-7), for targets that are counts.
struct Poisson {
  static constexpr Direction direction = Direction::down;
  static constexpr bool checks_truth = true;
  Var operator()(Var y_pred, Var y_true) const;
};

/// Sum over the last axis of y_true log(y_true / y_pred), both clipped to [1e-7, 1] (Kullback and Leibler, 1951).
struct KLDivergence {
  static constexpr Direction direction = Direction::down;
  static constexpr bool rows_are_classes = true;
  static constexpr bool checks_truth = true;
  Var operator()(Var y_pred, Var y_true) const;
};

/// max(1 - y_true y_pred, 0) for targets of -1 and 1; if all targets are 0 or 1, 0 counts as -1. At the kink the
/// gradient is -y_true / 2. The sign of y_pred is the class: metrics with a threshold are given sigmoid(y_pred), so
/// that the threshold 0.5 is at y_pred = 0.
struct Hinge {
  static constexpr Direction direction = Direction::down;
  static constexpr bool checks_truth = true;
  Logits logits() const { return Logits::margin; }
  Var operator()(Var y_pred, Var y_true) const;
};

/// Minus the cosine of the angle between y_pred and y_true along the last axis: -1 if they have the same direction. If
/// a vector's norm is at most 1e-12, loss and gradient are 0. As a metric it is the cosine, as in Keras: 1 is best.
struct CosineSimilarity {
  static constexpr Direction direction = Direction::up;
  static constexpr bool is_negated_as_metric = true;
  Var operator()(Var y_pred, Var y_true) const;
};

/// Binary cross-entropy that gives easy samples less weight (Lin et al., 2017): (1 - p_t)^gamma times the loss of
/// BinaryCrossentropy, where p_t is the predicted probability of the target. With apply_class_balancing, also times
/// alpha for a target of 1 and 1 - alpha for a target of 0. Computed from logits if they are known. gamma: 0, or >= 1.
struct BinaryFocalCrossentropy {
  static constexpr Direction direction = Direction::down;
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
    detail::visit_crossentropy_options(*this, visit);
  }
  Logits logits() const { return from_logits ? Logits::sigmoid : Logits::none; }
  Var operator()(Var y_pred, Var y_true) const;
};

/// Sum over the classes of -alpha (1 - p)^gamma y_true log p; y_true is one-hot or any distribution. As in
/// CategoricalCrossentropy, it is computed from logits if they are known; other probabilities are divided by their sum.
struct CategoricalFocalCrossentropy {
  static constexpr Direction direction = Direction::down;
  static constexpr bool rows_are_classes = true;
  static constexpr bool checks_truth = true;
  double alpha = 0.25;
  double gamma = 2.0;
  bool from_logits = false;
  double label_smoothing = 0;
  void options(auto& visit) {
    visit("alpha", alpha);
    visit("gamma", gamma);
    detail::visit_crossentropy_options(*this, visit);
  }
  Logits logits() const { return from_logits ? Logits::softmax : Logits::none; }
  Var operator()(Var y_pred, Var y_true) const;
};

}  // namespace cornu
