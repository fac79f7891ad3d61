#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "cornu/core/error.h"
#include "cornu/models/saving/weight_names.h"

// Keras's layouts are Cornu's (keras/src/layers: each layer's `build`). Its names differ, and change between versions.

namespace cornu::detail {

namespace {

/// Splits "dense_2" into "dense" and 2; "dense" has -1.
std::pair<std::string, Index> numbered(const std::string& name) {
  const std::size_t at = name.rfind('_');
  if (at == std::string::npos || at == 0 || at + 1 == name.size() || name.size() - at > 10) return {name, -1};
  const bool digits = std::all_of(name.begin() + static_cast<std::ptrdiff_t>(at) + 1, name.end(),
                                  [](unsigned char c) { return std::isdigit(c) != 0; });
  return digits ? std::pair(name.substr(0, at), Index{std::stol(name.substr(at + 1))}) : std::pair(name, Index{-1});
}

/// The name of a layer of a Bidirectional without its number, which counts the layers of its kind: "forward_lstm".
std::string without_number(const std::string& part) {
  return part.starts_with("forward_") || part.starts_with("backward_") ? numbered(part).first : part;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string result;
  for (const std::string& part : parts) result += result.empty() ? part : "/" + without_number(part);
  return result;
}

/// Maps the names that Keras's versions give to a weight to a common name:
///     sequential/lstm_1/lstm_cell/kernel, lstm_1/lstm_cell_1/kernel:0    lstm_1/kernel
///     bidirectional/forward_lstm_2/lstm_cell/kernel                      bidirectional/forward_lstm/kernel
///     depthwise_conv2d/depthwise_kernel:0                                depthwise_conv2d/kernel
///     sequential_3/dense_7/kernel                                        dense/kernel
class KerasNames {
 public:
  KerasNames(std::set<std::string> names, std::span<const StoredLayer> layers, const NamedTensors& file)
      : layers_(std::move(names)) {
    for (const StoredLayer& layer : layers) {
      const LayerTraits traits = layer.layer->traits();
      if (!traits.keras_cell.empty()) cells_.insert(traits.keras_cell);
      if (!traits.keras_kernel.empty()) kernels_.insert(traits.keras_kernel);
    }
    for (const std::string& layer : layers_) kinds_[numbered(layer).first].ours.emplace(numbered(layer).second, layer);
    for (const std::string& tensor : names_in(file)) {
      const std::string layer = parts(tensor)[0];
      const auto [name, number] = numbered(layer);
      const auto kind = kinds_.find(name);
      if (kind != kinds_.end()) kind->second.theirs.emplace(number, layer);
    }
    // Keras continues numbering the layers of a kind from model to model.
    for (const auto& [name, kind] : kinds_) {
      if (kind.ours.size() != kind.theirs.size()) continue;
      auto own = kind.ours.begin();
      for (const auto& [number, layer] : kind.theirs) ours_.emplace(layer, (own++)->second);
    }
  }

  std::string common(const std::string& name) const {
    std::vector<std::string> all = parts(name);
    if (const auto ours = ours_.find(all[0]); ours != ours_.end()) all[0] = ours->second;
    return joined(all);
  }

 private:
  struct Kind {
    std::set<std::pair<Index, std::string>> ours, theirs;  // layers with their numbers
  };

  /// Splits a name into parts and drops the model's name, the cell's name and TensorFlow's ":0".
  std::vector<std::string> parts(const std::string& name) const {
    std::vector<std::string> all = parts_of(std::string_view(name).substr(0, name.find(':')), '/');
    const auto is_kind = [&](const std::string& part) { return kinds_.contains(numbered(part).first); };
    if (all.size() > 2 && !layers_.contains(all[0]) &&
        (layers_.contains(all[1]) || (!is_kind(all[0]) && is_kind(all[1])))) {
      all.erase(all.begin());
    }
    if (all.size() > 2) {
      if (cells_.contains(numbered(all[all.size() - 2]).first)) all.erase(all.end() - 2);
    }
    if (kernels_.contains(all.back())) all.back() = "kernel";
    return all;
  }

  std::set<std::string> layers_;
  std::set<std::string_view> cells_, kernels_;  // of the model's layers
  std::map<std::string, Kind> kinds_;
  std::map<std::string, std::string> ours_;  // our layer names by the file's
};

}  // namespace

std::vector<StoredTensor> keras_weights(std::span<const StoredLayer> layers, const std::string& model,
                                        const LayerNames& rename, const NamedTensors* file) {
  std::vector<StoredTensor> result;
  std::vector<std::string> common;  // the common name of each tensor
  std::set<std::string> names;
  for (const StoredLayer& layer : layers) {
    const std::string own = renamed(layer.path, rename);
    names.insert(parts_of(own, '/')[0]);
    const LayerTraits traits = layer.layer->traits();
    const std::string cell = traits.keras_cell.empty() ? "" : std::string(traits.keras_cell) + "/";
    std::vector<StoredTensor> tensors = own_layout(layer.parameters);
    if (!traits.keras_counter.empty()) {
      tensors.push_back({std::string(traits.keras_counter), {}, {}, StoredTensor::Use::ignored});
    }
    for (StoredTensor& tensor : tensors) {
      common.push_back(joined(parts_of(own + "/" + tensor.name, '/')));
      std::string path = model;
      for (const std::string_view part : {std::string_view("/"), std::string_view(own), std::string_view("/"),
                                          std::string_view(cell), std::string_view(tensor.name)}) {
        path += part;
      }
      tensor.name = std::move(path);
      result.push_back(std::move(tensor));
    }
  }
  if (file == nullptr) return result;
  const KerasNames keras(std::move(names), layers, *file);
  std::map<std::string, std::string> theirs;
  for (const std::string& name : names_in(*file)) theirs.emplace(keras.common(name), name);
  for (std::size_t i = 0; i < result.size(); ++i) {
    const auto found = theirs.find(common[i]);
    if (file->find(result[i].name) == nullptr && found != theirs.end()) result[i].name = found->second;
  }
  return result;
}

}  // namespace cornu::detail
