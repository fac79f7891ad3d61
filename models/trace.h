#pragma once

#include "cornu/core/autodiff/trace.h"
#include "cornu/models/sequential.h"

namespace cornu {

/// The ops of a model's forward pass in inference, with the paths of its layers and parameters
/// ("encoder/dense/kernel"). A model with several inputs (Inputs) is traced with one value for each. Valid while the
/// model is unchanged. Throws StateError unless the model is built, and as trace of a function.
Trace trace(const Sequential& model);
Trace trace(Sequential&&) = delete;

namespace detail {

/// Throws ValueError, naming the layer, if a pass in training does something else than one in inference: other ops, a
/// loss that a layer adds, an update of state.
void require_same_in_training(const Sequential& model);

}  // namespace detail

}  // namespace cornu
