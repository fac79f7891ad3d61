#pragma once

#include "cornu/onnx/reader.h"

namespace cornu::onnx::detail {

/// Replaces every node that calls a function of the model by the nodes of the function, and drops the functions.
/// Throws FormatError for a function that calls itself, and for more than a million nodes.
void inline_functions(ModelMessage& model);

}  // namespace cornu::onnx::detail
