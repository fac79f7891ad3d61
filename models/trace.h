#pragma once

#include "cornu/core/autodiff/trace.h"
#include "cornu/models/sequential.h"

namespace cornu {

/// The ops of a model's forward pass in inference, with the paths of its layers and parameters
/// ("encoder/dense/kernel"). A model with several inputs (Inputs) is traced with one value for each. Valid while the
/// model is unchanged. A model that takes any length is traced with one. Throws StateError unless the model is built,
/// and as trace of a function.
Trace trace(const Sequential& model);
Trace trace(Sequential&&) = delete;

namespace detail {

/// The trace of a model whose samples do not depend on each other, with composed ops expanded but for those that `keep`
/// accepts, and without their bodies. A row that is repeated for each sample is a constant of one row. Throws as trace,
/// and ValueError for a model that mixes samples.
Trace trace_of_sample(const Sequential& model, const std::function<bool(const Trace::Op&)>& keep);

/// Throws ValueError, naming the layer, if a pass in training does something else than one in inference: other ops, a
/// loss that a layer adds, an update of state.
void require_same_in_training(const Sequential& model);

}  // namespace detail

}  // namespace cornu
