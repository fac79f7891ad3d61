#pragma once

#include "cornu/core/ops/images.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/kernel_options.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// 1-D convolution: y = activation(x * kernel + bias), computed as Conv2D over an image of one row.
/// With Padding::causal an output step depends only on the same and earlier input steps.
/// Input: (batch, steps, channels). Output: (batch, new steps, filters); strides and Padding::valid reduce the steps.
/// kernel: (kernel_size, channels / groups, filters), bias: (filters).
/// Throws ValueError for sizes below 1 and for groups that do not divide channels and filters; ShapeError for samples
/// that are not (steps, channels), have other channels than at build or too few steps for the kernel; StateError if the
/// layer is not built. Building again creates new parameters for the new shape.
struct Conv1D {
  static constexpr LayerTraits traits{.pytorch_sequences = SequenceOrder::channels_first};

  Index filters;
  Index kernel_size;
  Index strides = 1;
  Padding padding = Padding::valid;
  Index dilation_rate = 1;
  Index groups = 1;
  Activation activation = linear;
  bool use_bias = true;
  Initializer kernel_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
  Regularizer kernel_regularizer{}, bias_regularizer{}, activity_regularizer{};
  Constraint kernel_constraint{}, bias_constraint{};
  Parameter kernel{}, bias{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();
  void pytorch(PyTorchModule& module);
  Index pytorch_modules() const { return activation.is(linear) ? 1 : 2; }  // the activation is a module of its own

  void options(auto& visit) { detail::visit_convolution_options(*this, visit); }
};

}  // namespace cornu
