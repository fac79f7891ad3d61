#pragma once

#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/kernel_options.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// Fully connected layer: y = activation(x kernel + bias).
/// Input: (batch, ..., in). Output: (batch, ..., units). kernel: (in, units), bias: (units).
/// Throws ValueError for units < 1, ShapeError for an input without features or with another last axis than at build,
/// StateError if the layer is not built. Building again creates new parameters for the new shape.
struct Dense {
  Index units;
  Activation activation = linear;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
  Regularizer kernel_regularizer{}, bias_regularizer{}, activity_regularizer{};
  Constraint kernel_constraint{}, bias_constraint{};
  Parameter kernel{}, bias{};

  void options(auto& visit) {
    visit("units", units);
    visit("activation", activation);
    visit("use_bias", use_bias);
    detail::visit_kernel_options(*this, visit);
  }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();
  void pytorch(PyTorchModule& module);
  Index pytorch_modules() const { return activation.is(linear) ? 1 : 2; }  // the activation is a module of its own
};

}  // namespace cornu
