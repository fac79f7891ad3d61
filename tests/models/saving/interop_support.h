#pragma once

#include <algorithm>
#include <deque>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cornu/formats/safetensors.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/models/support.h"

namespace cornu::testing {

/// A layer without an equivalent in PyTorch, with one element per feature.
struct Gain {
  Parameter gain{};

  Shape build(const Shape& input, Rng&) {
    gain.value = Tensor::full(input, 1);
    return input;
  }
  Var forward(Var x) const { return x * gain; }
  NamedParameters parameters() { return {{"gain", &gain}}; }
};

using NamedShapes = std::vector<std::pair<std::string, Shape>>;

/// A file whose tensors start at 0, 100, ... and count up.
inline void write_counted(const std::filesystem::path& path, const NamedShapes& tensors) {
  std::deque<Tensor> values;
  std::vector<RawTensor> raw;
  for (const auto& [name, shape] : tensors) {
    const Index first = 100 * std::ssize(values);
    raw.push_back(raw_tensor(name, values.emplace_back(counted(shape, first))));
  }
  write_safetensors(path, raw);
}

/// For each parameter, which tensor of such a file it was read from: its first value is that tensor's. Kernels and
/// weights have the shape (2, 2), others (2).
inline std::vector<Real> order_of(Sequential& model, const std::filesystem::path& path,
                                  const std::vector<std::string>& tensors, const LoadWeightsOptions& options) {
  NamedShapes shapes;
  for (const std::string& name : tensors) {
    const bool is_matrix = name.find("weight") != name.npos || name.find("kernel") != name.npos;
    shapes.emplace_back(name, is_matrix ? Shape{2, 2} : Shape{2});
  }
  write_counted(path, shapes);
  model.load_weights(path, options);
  std::vector<Real> result;
  for (const Tensor& tensor : model.get_weights()) result.push_back(tensor[0] / 100);
  return result;
}

/// Names and shapes, sorted by name: "0.weight (4, 3)", ...
inline std::vector<std::string> listing(const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  std::vector<std::string> result;
  for (const RawTensor& raw : file.tensors()) result.push_back(raw.name + " " + to_string(std::span(raw.shape)));
  std::sort(result.begin(), result.end());
  return result;
}

inline Tensor parameter_of(Sequential& model, const std::string& name) {
  for (const auto& [own, parameter] : model.parameters()) {
    if (own == name) return parameter->value;
  }
  throw std::out_of_range(name);
}

}  // namespace cornu::testing
