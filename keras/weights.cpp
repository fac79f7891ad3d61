#include "cornu/keras/weights.h"

#include <algorithm>
#include <map>
#include <set>

#include "cornu/core/error.h"
#include "cornu/keras/old_weights.h"
#include "cornu/models/require_values.h"

namespace cornu::keras::detail {

namespace {

/// A variable in a file of weights.
struct Variable {
  std::string path;      ///< "layers/dense/vars/0"
  Parameter* parameter;  ///< null if it is not read
};

bool is_model(const AnyLayer& layer) { return layer.type() == "Sequential" || layer.type() == "Graph"; }

/// Collects the variables of layers. Keras counts the layers of each class within their model: layers/dense,
/// layers/dense_1. Source: Keras, src/saving/saving_lib.py, _save_state and _save_container_state, and
/// the attributes of each layer in which it keeps layers.
class Variables {
 public:
  std::vector<Variable> found;

  /// The layers of a model.
  void add_model(const NamedLayers& layers, const std::string& path) {
    std::map<std::string, int> counts;
    for (const auto& [name, layer] : layers) {
      const std::string base = layer->type() == "Graph" ? "functional" : cornu::detail::snake_case(layer->type());
      const int count = counts[base]++;
      add(*layer, path + "layers/" + base + (count == 0 ? "" : "_" + std::to_string(count)));
    }
  }

  void add(AnyLayer& layer, const std::string& path) {
    const NamedLayers inner = layer.layers();
    if (is_model(layer)) return add_model(inner, path + "/");
    if (layer.type() == "Bidirectional") {
      add(*inner[0].layer, path + "/forward_layer");
      add(*inner[1].layer, path + "/backward_layer");
    } else if (layer.type() == "TimeDistributed") {
      add(*inner[0].layer, path + "/layer");
    } else if (layer.type() == "MultiHeadAttention") {
      add_projections(layer, path);
    } else if (inner.empty()) {
      add_own(layer, path);
    } else {  // a struct in place of a layer of a user's in Python: the layers in it are attributes
      for (const auto& [name, own] : inner) add(*own, path.empty() ? name : path + "/" + name);
    }
  }

 private:
  void add_own(AnyLayer& layer, const std::string& path) {
    const LayerTraits traits = layer.traits();
    const std::string vars = path + (traits.keras_cell.empty() ? "/vars/" : "/cell/vars/");
    int number = 0;
    for (const NamedParameter& own : layer.parameters()) {
      found.push_back({vars + std::to_string(number++), own.parameter});
    }
    if (!traits.keras_counter.empty()) found.push_back({vars + std::to_string(number), nullptr});
  }

  /// Each projection is a layer of its own: "query/kernel" is query_dense/vars/0.
  void add_projections(AnyLayer& layer, const std::string& path) {
    for (const NamedParameter& own : layer.parameters()) {
      const std::size_t slash = own.name.find('/');
      const std::string projection = own.name.substr(0, slash);
      found.push_back({path + "/" + (projection == "attention_output" ? "output" : projection) + "_dense/vars/" +
                           (own.name.substr(slash + 1) == "kernel" ? "0" : "1"),
                       own.parameter});
    }
  }
};

/// A path in the spelling of Keras 3. Keras 2.13 to 2.15 called the group of layers otherwise, and used the separators
/// of the system. Some versions keep the projections of attention in attributes that begin with an underscore.
std::string in_keras_3(std::string path) {
  std::replace(path.begin(), path.end(), '\\', '/');
  const auto replace = [&](const std::string& from, const std::string& to) {
    for (std::size_t at = path.find(from); at != std::string::npos; at = path.find(from, at + to.size())) {
      path.replace(at, from.size(), to);
    }
  };
  replace("_layer_checkpoint_dependencies/", "layers/");
  for (const std::string name : {"query_dense/", "key_dense/", "value_dense/", "output_dense/"}) {
    replace("/_" + name, "/" + name);
  }
  return path;
}

/// True for what a model in Keras keeps beside its weights: the state of its optimizer, its metrics and its random
/// numbers.
bool is_other_state(const std::string& path) {
  const std::string first = path.substr(0, path.find('/'));
  return first == "optimizer" || first == "metrics" || first == "_metrics" || first == "loss_tracker" ||
         path.find("seed_generator/") != std::string::npos || path.find("random_generator/") != std::string::npos ||
         path.find("/generator/") != std::string::npos;
}

std::size_t count_in(const std::vector<Variable>& variables, const std::set<std::string>& paths) {
  return static_cast<std::size_t>(
      std::count_if(variables.begin(), variables.end(), [&](const Variable& one) { return paths.contains(one.path); }));
}

/// The variables of a model. A model in C++ whose only layer is a Graph, a model or a struct stands for a functional or
/// a subclassed model in Keras.
std::vector<Variable> variables_in(Sequential& model, const std::set<std::string>& paths) {
  const NamedLayers layers = model.layers();
  Variables own;
  own.add_model(layers, "");
  if (layers.size() != 1 || layers[0].layer->layers().empty()) return own.found;
  Variables inner;
  if (is_model(*layers[0].layer)) {
    inner.add_model(layers[0].layer->layers(), "");
  } else {
    inner.add(*layers[0].layer, "");
  }
  return count_in(inner.found, paths) > count_in(own.found, paths) ? inner.found : own.found;
}

}  // namespace

WeightsReport read_weights(const Hdf5File& file, Sequential& model, bool strict) {
  cornu::detail::require_values(model);
  const NamedTensors& content = file.content();
  std::vector<RawTensor> tensors;
  std::vector<UnreadArray> unread;
  if (is_old(file)) {
    tensors = old_weights(file, model);
  } else {
    std::set<std::string> paths;
    for (const RawTensor& tensor : content.tensors()) paths.insert(in_keras_3(tensor.name));
    std::map<const Parameter*, std::string> names;
    for (const NamedParameter& own : model.parameters()) names.emplace(own.parameter, own.name);
    std::map<std::string, std::string> by_path;  // "" if the variable is not read
    for (const Variable& variable : variables_in(model, paths)) {
      by_path.emplace(variable.path, variable.parameter == nullptr ? "" : names.at(variable.parameter));
    }
    const auto put = [&](auto& to, auto one) {
      const std::string path = in_keras_3(one.name);
      if (const auto found = by_path.find(path); found != by_path.end()) {
        if (found->second.empty()) return;
        one.name = found->second;
      } else if (is_other_state(path)) {
        return;
      }
      to.push_back(std::move(one));
    };
    for (const RawTensor& tensor : content.tensors()) put(tensors, tensor);
    for (const UnreadArray& array : content.unread()) put(unread, array);
  }
  return cornu::detail::get_weights(NamedTensors(content.path(), std::move(tensors), std::move(unread)),
                                    model.parameters(), {.strict = strict});
}

}  // namespace cornu::keras::detail
