#pragma once

#include <optional>
#include <string>

#include "cornu/core/options/json.h"
#include "cornu/keras/lacks.h"
#include "cornu/layers/any_layer.h"

namespace cornu::keras::detail {

/// Cornu's layer for an object of Keras's: {"class_name": "Dense", "config": {...}}, with its name, not built. A model
/// becomes a Sequential or a Graph. What Cornu lacks goes to `lacks`, and the result is then empty.
/// Throws FormatError for JSON that does not describe a layer.
std::optional<AnyLayer> read_layer(const Json& json, Lacks& lacks);

/// The name of a layer, which is in its config.
std::string layer_name(const Json& json);
/// The shape of a sample in an InputLayer, or in the first layer of an old file: `batch_shape` without the batch, with
/// 0 for null. Empty if it is not there.
std::optional<Shape> input_shape(const Json& layer);
/// A shape with a batch axis, such as `build_input_shape`, without it. Empty for any other value.
std::optional<Shape> sample_shape(const Json& shape);
/// Notes a type of numbers in which Cornu does not compute.
void check_dtype(const Json& layer, Lacks& lacks);

}  // namespace cornu::keras::detail
