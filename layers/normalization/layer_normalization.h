#pragma once

#include <vector>

#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance (biased) over `axis`, separately for
/// each sample and each position of the other axes (Ba, Kiros and Hinton, 2016).
/// Input: (batch, ...). Output: the same shape. gamma, beta: the sizes of the axes.
/// As in Keras, `axis` counts the batch axis: {-1}, or several, which must be the last ones: {-2, -1}.
/// Throws ValueError for a negative epsilon; ShapeError for other axes, including the batch axis, and for an input
/// whose axes have other sizes than at build; StateError if the layer is not built.
struct LayerNormalization {
  static constexpr LayerTraits traits{.keeps_features = true};

  std::vector<Index> axis{-1};
  double epsilon = 1e-3;
  bool center = true;  ///< adds beta
  bool scale = true;   ///< multiplies by gamma
  Initializer beta_initializer = zeros;
  Initializer gamma_initializer = ones;
  Regularizer beta_regularizer{}, gamma_regularizer{};
  Constraint beta_constraint{}, gamma_constraint{};
  Parameter gamma{}, beta{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();
  void pytorch(PyTorchModule& module);
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
