#pragma once

#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, per feature (Ioffe and Szegedy, 2015).
/// In training, mean and variance (biased) are those of the batch over all axes but `axis`. In inference they are
/// moving averages, updated by each training step: moving = momentum moving + (1 - momentum) batch. A frozen layer
/// (freeze.h) behaves as in inference.
/// Training mixes the samples of a batch, so `fit` does not split batches into shards.
/// Input: (batch, ...), features or images. Output: the same shape. Parameters: (features). As in Keras, `axis` counts
/// the batch axis; any axis but the last costs two copies of x.
/// Throws ValueError for a momentum outside [0, 1] or a negative epsilon; ShapeError for an axis that is out of range,
/// is the batch axis or has another size than at build; StateError if the layer is not built.
struct BatchNormalization {
  static constexpr LayerTraits traits{.keeps_features = true, .pytorch_sequences = SequenceOrder::either};

  Index axis = -1;
  double momentum = 0.99;  ///< the fraction of the old average that is kept
  double epsilon = 1e-3;
  bool center = true;  ///< adds beta
  bool scale = true;   ///< multiplies by gamma
  /// In distributed training, mean and variance are those of the batch over all ranks, not over each rank's part.
  bool synchronized = false;
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
  void pytorch(PyTorchModule& module);
  void options(auto& visit) {
    visit("axis", axis);
    visit("momentum", momentum);
    visit("epsilon", epsilon);
    visit("center", center);
    visit("scale", scale);
    visit("synchronized", synchronized);
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
