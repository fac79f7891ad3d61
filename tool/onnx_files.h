#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cornu/core/options/json.h"
#include "cornu/tool/network.h"

/// Everything that depends on cornu::onnx. Without it, these functions throw ValueError saying so.
namespace cornu::tool {

Network load_onnx(const std::string& path);

/// The initializers of a graph, with the names and axis order of the file.
struct OnnxWeights {
  std::vector<std::pair<std::string, Tensor>> list;
  std::vector<std::string> left_out;  ///< names of integer and boolean initializers
  std::vector<std::string> metadata;  ///< keys
};
OnnxWeights read_onnx_weights(const std::string& path);

void save_onnx(const Sequential& model, const std::string& path, const std::vector<std::string>& class_names);

/// The contents of a file: "ir_version", "producer", "opsets", "inputs", "outputs", "metadata", "nodes" (the count of
/// each op), "initializers", and "unsupported" (every reason why Cornu cannot run it).
Json describe_onnx(const std::string& path);

}  // namespace cornu::tool
