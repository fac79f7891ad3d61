#include "cornu/keras/old_weights.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/layers/merging/graph.h"

namespace cornu::keras::detail {

namespace {

/// A list of names in an attribute of a group, or in several: Keras splits one that is too long for an attribute.
std::vector<std::string> names_in(const Hdf5File& file, const std::string& group, const std::string& attribute) {
  if (const auto* const all = file.texts(group, attribute)) return *all;
  std::vector<std::string> result;
  for (int i = 0;; ++i) {
    const auto* const part = file.texts(group, attribute + std::to_string(i));
    if (part == nullptr) return result;
    result.insert(result.end(), part->begin(), part->end());
  }
}

bool has_names(const Hdf5File& file, const std::string& group, const std::string& attribute) {
  return file.texts(group, attribute) != nullptr || file.texts(group, attribute + "0") != nullptr;
}

/// A file of a whole model has its weights in a group.
const char* weights_group(const Hdf5File& file) {
  return has_names(file, "model_weights", "layer_names") ? "model_weights" : "";
}

/// The parameters of a layer in Keras's order: those that are trained first.
std::vector<NamedParameter> in_order(NamedParameters parameters) {
  std::stable_partition(parameters.begin(), parameters.end(),
                        [](const NamedParameter& own) { return own.parameter->trainable && !own.parameter->frozen; });
  return parameters;
}

}  // namespace

bool is_old(const Hdf5File& file) {
  return has_names(file, "", "layer_names") || has_names(file, "model_weights", "layer_names");
}

std::vector<RawTensor> old_weights(const Hdf5File& file, Sequential& model) {
  const std::string root = weights_group(file), prefix = root.empty() ? "" : root + "/";
  struct Group {
    std::string name;
    std::vector<std::string> weights;
  };
  std::vector<Group> groups;
  for (const std::string& name : names_in(file, root, "layer_names")) {
    Group group{name, names_in(file, prefix + name, "weight_names")};
    if (!group.weights.empty()) groups.push_back(std::move(group));
  }
  NamedLayers layers = model.layers();
  std::string path;
  if (layers.size() == 1) {
    if (Graph* const graph = layers[0].layer->as<Graph>()) {
      path = layers[0].name + "/";
      layers = graph->layers();
    }
  }
  std::erase_if(layers, [](const NamedLayer& layer) { return layer.layer->parameters().empty(); });
  require<ValueError>(groups.size() == layers.size(), "the file has {} layers with weights, the model {}",
                      groups.size(), layers.size());
  std::vector<RawTensor> result;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::vector<NamedParameter> own = in_order(layers[i].layer->parameters());
    const auto& [name, weights] = groups[i];
    const bool counts = !layers[i].layer->traits().keras_counter.empty() && weights.size() == own.size() + 1;
    require<ValueError>(weights.size() == own.size() || counts, "layer {} has {} weights; {} in the file has {}",
                        layers[i].name, own.size(), name, weights.size());
    for (std::size_t k = 0; k < own.size(); ++k) {
      const std::string dataset = prefix + name + "/" + weights[k];
      const RawTensor* const found = file.content().find(dataset);
      require<FormatError>(found != nullptr, "there is no dataset {}, which weight_names has", dataset);
      RawTensor tensor = *found;
      tensor.name = path + layers[i].name + "/" + own[k].name;
      result.push_back(std::move(tensor));
    }
  }
  return result;
}

}  // namespace cornu::keras::detail
