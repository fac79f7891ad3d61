#pragma once

#include <string>
#include <vector>

#include "cornu/models/sequential.h"

namespace cornu::onnx {

struct SaveOptions {
  /// One name per element of the output's last axis. Stored in the metadata entry "class_names" as a JSON list.
  std::vector<std::string> class_names{};
};

/// Writes a built model for inference in other frameworks: opset 17, IR version 8, open batch size. The input is called
/// "input" and the output "output"; both have the model's shapes. ONNX convolutions take (batch, channels, height,
/// width): the graph transposes images before the first convolution or pooling and after the last one. Weights are
/// written as float; layers that act only in training, such as Dropout, are left out.
/// The file is written completely or not at all. Throws StateError if the model is not built, ValueError if the number
/// of class names does not match the outputs or a layer has no counterpart in ONNX (a user-defined layer or activation,
/// an imported onnx::Model), naming the layer, and FileError if writing fails.
void save(const Sequential& model, const std::string& file, const SaveOptions& options = {});
/// The contents of that file.
std::string serialize(const Sequential& model, const SaveOptions& options = {});

}  // namespace cornu::onnx
