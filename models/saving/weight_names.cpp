#include "cornu/models/saving/weight_names.h"

#include <algorithm>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/naming.h"
#include "cornu/models/sequential_state.h"

namespace cornu::detail {

namespace {

/// All layers and the layers inside them, in order, each once.
class Listing {
 public:
  Listing(const LayerNames& rename, Names names) : rename_(rename), names_(names) {}

  /// numbered: an nn.Sequential, whose modules are numbered. Other modules have names.
  void add(const NamedLayers& layers, const std::string& path, const std::string& module, bool numbered) {
    Index number = 0;
    for (const auto& [name, layer] : layers) {
      const std::string own = path + name;
      const auto other = rename_.find(own);
      add(*layer, own, other != rename_.end() ? other->second : module + (numbered ? std::to_string(number) : name));
      number += layer->pytorch_modules();
    }
  }

  std::vector<StoredLayer> found;

 private:
  void add(AnyLayer& layer, const std::string& path, const std::string& module) {
    const bool is_one = names_ == Names::pytorch && layer.traits().pytorch_is_one_module;
    const NamedLayers inner = is_one ? NamedLayers() : layer.layers();
    const NamedParameters of_inner = parameters_of(inner);
    const auto is_new = [&](const Parameter* parameter) {
      const auto is_it = [=](const NamedParameter& other) { return other.parameter == parameter; };
      return std::none_of(of_inner.begin(), of_inner.end(), is_it) &&
             std::none_of(found.begin(), found.end(), [&](const StoredLayer& other) {
               return std::any_of(other.parameters.begin(), other.parameters.end(), is_it);
             });
    };
    NamedParameters own;
    for (NamedParameter& named : layer.parameters()) {
      if (is_new(named.parameter)) own.push_back(std::move(named));
    }
    if (!own.empty()) found.push_back({&layer, path, std::move(own), module});
    add(inner, path + "/", module + ".", layer.traits().pytorch_numbers_layers);
  }

  const LayerNames& rename_;
  Names names_;
};

void require_known(const LayerNames& rename, std::span<const StoredLayer> layers) {
  for (const auto& [name, other] : rename) {
    const bool known = std::any_of(layers.begin(), layers.end(), [&, &own = name](const StoredLayer& layer) {
      return is_within(layer.path, own, "/");
    });
    require<ValueError>(known, "rename has \"{}\", which is not a layer with weights; there are: {}", name,
                        listed(layers, &StoredLayer::path));
  }
}

/// The weights under the model's own names, renamed.
std::vector<StoredTensor> own_weights(const NamedParameters& parameters, const LayerNames& rename) {
  std::vector<StoredTensor> result = own_layout(parameters);
  for (StoredTensor& tensor : result) tensor.name = renamed(tensor.name, rename);
  return result;
}

/// The layer's tensors, with names relative to its PyTorch module. A layer that does not describe its module has its
/// own names. Throws ValueError if the module cannot represent the layer.
std::vector<StoredTensor> pytorch_tensors(const StoredLayer& layer, const ImageOrders::OfLayer& order) {
  PyTorchModule module(order.in, order.out);
  if (layer.layer->pytorch(module)) return std::move(module.tensors);
  require<ValueError>(!order.in && !order.out,
                      "its input or output is the image {}, channels first in PyTorch; the order is not known for {}",
                      order.in ? *order.in : order.out.value_or(Shape()), with_article(layer.layer->type()));
  std::vector<StoredTensor> result = own_layout(layer.parameters);
  for (StoredTensor& tensor : result) {
    for (char& c : tensor.name) c = c == '/' ? '.' : c;
  }
  return result;
}

std::vector<StoredTensor> pytorch_weights(std::vector<StoredLayer> layers, const SequentialState& model,
                                          const LayerNames& rename, const NamedTensors* file) {
  const ImageOrders orders(model);
  for (StoredLayer& layer : layers) {
    layer.tensors = naming(layer.path, [&] { return pytorch_tensors(layer, orders.of(layer.layer)); });
  }
  if (file != nullptr) find_modules(layers, rename, *file);
  std::vector<StoredTensor> result;
  for (StoredLayer& layer : layers) {
    for (StoredTensor& tensor : layer.tensors) {
      if (file == nullptr) tensor.name = in_module(layer.module, tensor.name);
      tensor.layer = layer.path;
      result.push_back(std::move(tensor));
    }
  }
  return result;
}

}  // namespace

std::vector<std::string> names_in(const NamedTensors& file) {
  std::vector<std::string> result;
  for (const RawTensor& raw : file.tensors()) result.push_back(raw.name);
  for (const UnreadArray& array : file.unread()) result.push_back(array.name);
  return result;
}

Names names_guessed(const NamedTensors& file) {
  if (file.metadata().contains(model_metadata)) return Names::cornu;
  const std::vector<std::string> names = names_in(file);
  const auto most = [&](auto is_such) {
    return 2 * std::count_if(names.begin(), names.end(), is_such) > std::ssize(names);
  };
  const auto pytorch = [](const std::string& name) {  // 0.weight, rnn.weight_ih_l0
    const std::string last = name.substr(name.rfind('.') + 1);
    return name.find('/') == std::string::npos &&
           (last.starts_with("weight") || last.starts_with("bias") || last.starts_with("running_") ||
            last.starts_with("in_proj") || last == "num_batches_tracked");
  };
  const auto keras = [](const std::string& name) {  // dense/kernel:0, sequential/dense/kernel, layers/dense/vars/0
    return name.find('/') != std::string::npos &&
           (name.ends_with(":0") || name.find("/vars/") != std::string::npos || name.starts_with("sequential"));
  };
  return most(pytorch) ? Names::pytorch : most(keras) ? Names::keras : Names::cornu;
}

const char* code_of(Names names) {
  return names == Names::pytorch ? "Names::pytorch" : names == Names::keras ? "Names::keras" : "Names::cornu";
}

std::vector<StoredTensor> own_layout(const NamedParameters& parameters) {
  std::vector<StoredTensor> result;
  for (const auto& [name, parameter] : parameters) result.push_back({name, parameter->shape(), {{parameter}}});
  return result;
}

std::vector<std::string> parts_of(std::string_view text, char separator) {
  std::vector<std::string> result;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    result.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return result;
}

bool is_within(std::string_view path, std::string_view outer, std::string_view separators) {
  return path.starts_with(outer) &&
         (path.size() == outer.size() || separators.find(path[outer.size()]) != std::string_view::npos);
}

std::string renamed(const std::string& path, const LayerNames& rename) {
  const LayerNames::value_type* longest = nullptr;
  for (const auto& entry : rename) {
    if (is_within(path, entry.first, "/") && (longest == nullptr || entry.first.size() > longest->first.size())) {
      longest = &entry;
    }
  }
  return longest == nullptr ? path : longest->second + path.substr(longest->first.size());
}

std::vector<StoredTensor> stored_weights(SequentialState& model, Names names, const LayerNames& rename,
                                         const NamedTensors* file) {
  Listing listing(rename, names);
  listing.add(model.named_layers(), "", "", true);
  require_known(rename, listing.found);
  switch (names) {
    case Names::keras:
      return keras_weights(listing.found, model.name, rename, file);
    case Names::pytorch:
      return pytorch_weights(std::move(listing.found), model, rename, file);
    case Names::cornu:
      break;
  }
  return own_weights(model.parameters(), rename);
}

}  // namespace cornu::detail
