#pragma once

#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// Maps each class index (a word, for example) to a vector: index i returns row i of `embeddings`.
/// Input: (batch, ...), whole numbers from 0 to input_dim - 1; a float holds all of them up to 2^24.
/// Output: (batch, ..., output_dim). embeddings: (input_dim, output_dim). The input has no gradient.
/// With `mask_zero`, index 0 is padding: the output of (batch, steps) has a mask (core/ops/masks.h), so that later
/// layers, the loss and the metrics leave these steps out.
/// Throws ValueError for sizes below 1 and for an input element that is not a valid index, with its position;
/// StateError if the layer is not built.
struct Embedding {
  Index input_dim;
  Index output_dim;
  Initializer embeddings_initializer = random_uniform();
  Regularizer embeddings_regularizer{}, activity_regularizer{};
  Constraint embeddings_constraint{};
  bool mask_zero = false;
  Parameter embeddings{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters() { return {{"embeddings", &embeddings}}; }
  void pytorch(PyTorchModule& module);
  void options(auto& visit) {
    visit("input_dim", input_dim);
    visit("output_dim", output_dim);
    visit("embeddings_initializer", embeddings_initializer);
    visit("embeddings_regularizer", embeddings_regularizer);
    visit("activity_regularizer", activity_regularizer);
    visit("embeddings_constraint", embeddings_constraint);
    visit("mask_zero", mask_zero);
  }
};

}  // namespace cornu
