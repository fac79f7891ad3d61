#pragma once

#include "cornu/core/ops/images.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/kernel_options.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// 2-D convolution: y = activation(x * kernel + bias); see core/ops/images.h for the formula.
/// Input: (batch, height, width, channels). Output: (batch, rows, columns, filters).
/// kernel: (kernel height, kernel width, channels / groups, filters), bias: (filters).
/// Throws ValueError for sizes below 1, Padding::causal and groups that do not divide channels and filters; ShapeError
/// for samples that are not (height, width, channels), have other channels than at build or are too small for the
/// kernel; StateError if the layer is not built. Building again creates new parameters for the new shape.
struct Conv2D {
  Index filters;
  Size2D kernel_size;
  Size2D strides = 1;
  Padding padding = Padding::valid;
  Size2D dilation_rate = 1;
  Index groups = 1;
  Activation activation = linear;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
  Regularizer kernel_regularizer{}, bias_regularizer{}, activity_regularizer{};
  Constraint kernel_constraint{}, bias_constraint{};
  Parameter kernel{}, bias{};

  void options(auto& visit) { detail::visit_convolution_options(*this, visit); }

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();
  void pytorch(PyTorchModule& module);
  Index pytorch_modules() const { return activation.is(linear) ? 1 : 2; }  // the activation is a module of its own
};

}  // namespace cornu
