#pragma once

#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, each feature by itself (Ioffe and Szegedy, 2015). In
/// training mean and variance are the batch's, of the population, over all axes but `axis`; in inference moving
/// averages of these: with each step, moving = momentum moving + (1 - momentum) batch. A frozen layer (freeze.h) does
/// as in inference. Samples meet in training, so that `fit` does not divide a batch. Input:
/// (batch, ...), dense features or images. Output: the same shape. The parameters: (features). `axis` counts the batch,
/// as in Keras; any but the last costs two copies of x. Throws ValueError for a momentum outside [0, 1] or a negative
/// epsilon, ShapeError for an axis that is not there, is the batch, or has another length than it was built for,
/// StateError if it was not built.
struct BatchNormalization {
  Index axis = -1;
  double momentum = 0.99;  ///< the fraction that is kept
  double epsilon = 1e-3;
  bool center = true;  ///< add beta
  bool scale = true;   ///< multiply by gamma
  Initializer beta_initializer = zeros;
  Initializer gamma_initializer = ones;
  Initializer moving_mean_initializer = zeros;
  Initializer moving_variance_initializer = ones;
  Regularizer beta_regularizer{}, gamma_regularizer{};
  Constraint beta_constraint{}, gamma_constraint{};
  Parameter gamma{}, beta{}, moving_mean{{}, false}, moving_variance{{}, false};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();
  void options(auto& visit) {
    visit("axis", axis);
    visit("momentum", momentum);
    visit("epsilon", epsilon);
    visit("center", center);
    visit("scale", scale);
    visit("beta_initializer", beta_initializer);
    visit("gamma_initializer", gamma_initializer);
    visit("moving_mean_initializer", moving_mean_initializer);
    visit("moving_variance_initializer", moving_variance_initializer);
    visit("beta_regularizer", beta_regularizer);
    visit("gamma_regularizer", gamma_regularizer);
    visit("beta_constraint", beta_constraint);
    visit("gamma_constraint", gamma_constraint);
  }
};

}  // namespace cornu
