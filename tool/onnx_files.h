#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cornu/core/json.h"
#include "cornu/tool/network.h"

/// All of this program that needs cornu::onnx. Where that was not built, each of these throws ValueError and says so.
namespace cornu::tool {

Network load_onnx(const std::string& path);

/// Weights of a graph, with their names and axes as the file has them: its initializers that are no whole numbers.
std::vector<std::pair<std::string, Tensor>> read_onnx_weights(const std::string& path);

void save_onnx(const Sequential& model, const std::string& path, const std::vector<std::string>& class_names);

/// What is in a file: "ir_version", "producer", "opsets", "inputs", "outputs", "metadata", "nodes" (how many of each
/// op) and "initializers". Also of a graph whose ops Cornu does not have.
Json describe_onnx(const std::string& path);

}  // namespace cornu::tool
