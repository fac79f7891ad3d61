#pragma once

#include <vector>

#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance (of the population) of each sample's,
/// or each of its places', own numbers along `axis` (Ba, Kiros and Hinton, 2016).
/// Input: (batch, ...). Output: the same shape. gamma, beta: the lengths of the axes.
/// `axis` counts the batch, as in Keras: {-1}, or several, of which the last ones must be: {-2, -1}.
/// Throws ValueError for a negative epsilon, ShapeError for other axes, among them the batch, and an input with other
/// lengths than it was built for, StateError if it was not built.
struct LayerNormalization {
  std::vector<Index> axis{-1};
  double epsilon = 1e-3;
  bool center = true;  ///< add beta
  bool scale = true;   ///< multiply by gamma
  Initializer beta_initializer = zeros;
  Initializer gamma_initializer = ones;
  Regularizer beta_regularizer{}, gamma_regularizer{};
  Constraint beta_constraint{}, gamma_constraint{};
  Parameter gamma{}, beta{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();
  void options(auto& visit) {
    visit("axis", axis);
    visit("epsilon", epsilon);
    visit("center", center);
    visit("scale", scale);
    visit("beta_initializer", beta_initializer);
    visit("gamma_initializer", gamma_initializer);
    visit("beta_regularizer", beta_regularizer);
    visit("gamma_regularizer", gamma_regularizer);
    visit("beta_constraint", beta_constraint);
    visit("gamma_constraint", gamma_constraint);
  }
};

}  // namespace cornu
