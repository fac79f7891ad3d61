#pragma once

#include <string>
#include <vector>

#include "cornu/models/sequential.h"

namespace cornu::onnx {

struct SaveOptions {
  /// One name per element of the output's last axis. Stored in the metadata entry "class_names" as a JSON list.
  std::vector<std::string> class_names{};
  /// Version of ONNX's operators, from 13 to 21.
  Index opset = 17;
};

/// Writes a built model for inference in other frameworks, with an open batch size: the ops that its forward pass calls
/// (models/trace.h), those of users' layers included. The input is called "input", or "input_1", "input_2", ... for a
/// model with Inputs, and the output "output"; they have the model's shapes. ONNX convolutions take (batch, channels,
/// height, width): the graph transposes images before the first convolution or pooling and after the last one. Weights
/// are written as float; layers that act only in training, such as Dropout, are left out.
/// The file is written completely or not at all. Throws StateError if the model is not built, ValueError if the number
/// of class names does not match the outputs, if the opset is not supported, or, naming the layer, for an op that is
/// not registered (onnx/op_writer.h); FileError if writing fails.
void save(const Sequential& model, const std::string& file, const SaveOptions& options = {});
/// The contents of that file.
std::string serialize(const Sequential& model, const SaveOptions& options = {});

}  // namespace cornu::onnx
