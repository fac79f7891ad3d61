#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cornu/core/options/json.h"
#include "cornu/tool/network.h"

/// All of this program that needs cornu::onnx. Where that was not built, each of these throws ValueError and says so.
namespace cornu::tool {

Network load_onnx(const std::string& path);

/// The initializers of a graph, with their names and axes as the file has them.
struct OnnxWeights {
  std::vector<std::pair<std::string, Tensor>> list;
  std::vector<std::string> left_out;  ///< names of those that are whole numbers or booleans
  std::vector<std::string> metadata;  ///< keys
};
OnnxWeights read_onnx_weights(const std::string& path);

void save_onnx(const Sequential& model, const std::string& path, const std::vector<std::string>& class_names);

/// What is in a file: "ir_version", "producer", "opsets", "inputs", "outputs", "metadata", "nodes" (how many of each
/// op), "initializers", and "unsupported", all that keeps Cornu from running it.
Json describe_onnx(const std::string& path);

}  // namespace cornu::tool
