#pragma once

#include "cornu/core/ops/images.h"
#include "cornu/layers/activation.h"
#include "cornu/layers/initializers.h"
#include "cornu/layers/layer.h"

namespace cornu {

/// Depthwise 2-D convolution: y = activation(x * kernel + bias), with `depth_multiplier` filters for each channel; see
/// core/ops/images.h for the formula.
/// Input: (batch, height, width, channels). Output: (batch, rows, columns, channels * depth_multiplier).
/// kernel: (kernel height, kernel width, channels, depth_multiplier), bias: (channels * depth_multiplier).
/// Throws ValueError for sizes below 1 and Padding::causal; ShapeError for samples that are not (height, width,
/// channels), have other channels than at build or are too small for the kernel; StateError if the layer is not built.
/// Building again creates new parameters for the new shape.
struct DepthwiseConv2D {
  static constexpr LayerTraits traits{.keras_kernel = "depthwise_kernel"};

  Size2D kernel_size;
  Size2D strides = 1;
  Padding padding = Padding::valid;
  Index depth_multiplier = 1;
  Size2D dilation_rate = 1;
  Activation activation = linear;
  bool use_bias = true;
  Initializer depthwise_initializer = glorot_uniform;
  Initializer bias_initializer = zeros;
  Regularizer depthwise_regularizer{}, bias_regularizer{}, activity_regularizer{};
  Constraint depthwise_constraint{}, bias_constraint{};
  Parameter kernel{}, bias{};

  Shape build(const Shape& input, Rng& rng);
  Var forward(Var x) const;
  NamedParameters parameters();
  void pytorch(PyTorchModule& module);
  Index pytorch_modules() const { return activation.is(linear) ? 1 : 2; }  // the activation is a module of its own

  void options(auto& visit) {
    visit("kernel_size", kernel_size);
    visit("strides", strides);
    visit("padding", padding);
    visit("depth_multiplier", depth_multiplier);
    visit("dilation_rate", dilation_rate);
    visit("activation", activation);
    visit("use_bias", use_bias);
    visit("depthwise_initializer", depthwise_initializer);
    visit("bias_initializer", bias_initializer);
    visit("depthwise_regularizer", depthwise_regularizer);
    visit("bias_regularizer", bias_regularizer);
    visit("activity_regularizer", activity_regularizer);
    visit("depthwise_constraint", depthwise_constraint);
    visit("bias_constraint", bias_constraint);
  }
};

}  // namespace cornu
