#pragma once

#include <optional>

#include "cornu/keras/lacks.h"
#include "cornu/models/sequential.h"

namespace cornu::keras::detail {

/// A Sequential within another model: {"class_name": "Sequential", "config": {...}}. Not built.
std::optional<AnyLayer> read_sequential(const Json& json, Lacks& lacks);

/// The model of a file, Sequential or functional, built. A functional model that is a chain becomes a Sequential of its
/// layers, any other one a Sequential of a Graph called "graph". Throws FormatError, naming all that Cornu lacks.
Sequential read_model(const Json& json, Lacks& lacks);

}  // namespace cornu::keras::detail
