#pragma once

#include <string>
#include <vector>

#include "cornu/models/sequential.h"

namespace cornu::onnx {

struct SaveOptions {
  /// What the outputs mean, in order, one name for each of the last axis: written as the metadata entry "class_names",
  /// a JSON list.
  std::vector<std::string> class_names{};
};

/// Writes a built model for inference elsewhere: opset 17, IR version 8, any batch. The input "input" and the output
/// "output" have the model's own shapes; images, which ONNX has as (batch, channels, height, width), are transposed
/// within the graph before the first convolution or pooling and after the last one. Weights are written as float.
/// Dropout is left out.
/// The file appears whole or not at all. Throws StateError for a model that is not built, ValueError, naming the layer,
/// for one that has no counterpart (a layer or an activation of the user's own, an imported onnx::Model) and for more
/// or fewer class names than outputs, FileError if writing fails.
void save(const Sequential& model, const std::string& file, const SaveOptions& options = {});
/// The bytes of that file.
std::string serialize(const Sequential& model, const SaveOptions& options = {});

}  // namespace cornu::onnx
