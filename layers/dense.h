#pragma once

#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// A plain function of a value, such as relu, sigmoid, softmax, or the user's own `Var (Var)`.
using Activation = Var (*)(Var);

/// y = activation(x kernel + bias): every output sees every input.
/// Input: (batch, ..., in). Output: (batch, ..., units). kernel: (in, units), bias: (units).
/// Throws ValueError for units < 1, ShapeError for an input of another width than it was built for.
struct Dense {
  Index units;
  Activation activation = linear;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
  Parameter kernel{}, bias{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();
};

}  // namespace cornu
