#include "cornu/keras/functional.h"

#include <algorithm>
#include <map>

#include "cornu/core/error.h"
#include "cornu/core/options/options.h"
#include "cornu/core/text/listed.h"
#include "cornu/keras/layer_reader.h"
#include "cornu/keras/layer_rows.h"
#include "cornu/keras/node_reader.h"
#include "cornu/keras/objects.h"
#include "cornu/layers/attention/multi_head_attention.h"

namespace cornu::keras::detail {

namespace {

/// An entry of a model's list of layers.
struct Entry {
  std::string name;
  bool is_model = false;  // its results may be counted from 1
  Index layer = -1;       // position in Functional::layers, or
  Graph::Merge merge = Graph::Merge::none;
  Index axis = -1;
  std::vector<Node> nodes{};    // its calls
  std::vector<Index> values{};  // the number of each call's result, as far as the calls are done; of an input, its own
};

class GraphReader {
 public:
  GraphReader(const Json& config, Lacks& lacks) : config_(config), lacks_(lacks) {}

  std::optional<Functional> read() {
    for (const Json& json : cornu::detail::list_of(config_.at("layers"))) add(json);
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      require<FormatError>(positions_.emplace(entries_[i].name, i).second, "two layers are called {}",
                           entries_[i].name);
    }
    add_inputs();
    if (!well_) return std::nullopt;
    while (add_calls()) {
    }
    for (const Entry& entry : entries_) {
      require<FormatError>(entry.values.size() >= entry.nodes.size(),
                           "the connections to layer {} form a circle, or begin at no input", entry.name);
    }
    for (const Reference& output : references_of_places(config_.at("output_layers"))) {
      const auto value = find(output, true);
      require<FormatError>(value.has_value(), "there is no output {} of layer {}", output.node, output.layer);
      model_.outputs.push_back(*value);
    }
    if (!well_) return std::nullopt;
    return std::move(model_);
  }

 private:
  void add(const Json& json) {
    Entry entry{.name = layer_name(json)};
    const std::string type = text_in(json, "class_name");
    const MergeRow* const merge = merge_row(type);
    const bool is_layer_class = text_in(json, "module").find("ops") == std::string::npos;
    if (type == "InputLayer") {
      shapes_.emplace(entry.name, input_shape(json));
      check_dtype(json, lacks_);
    } else {
      if (merge != nullptr && is_layer_class) {
        const auto names = option_names(Graph::Merge());
        entry.merge = static_cast<Graph::Merge>(std::find(names.begin(), names.end(), merge->merge) - names.begin());
        if (const auto* const axis = in(in(json, "config"), "axis").as<std::int64_t>()) entry.axis = *axis;
        require<FormatError>(entry.axis != 0, "{}: axis 0 is the batch axis", entry.name);
      } else if (auto layer = read_layer(json, lacks_)) {
        entry.is_model = type == "Functional" || type == "Model" || type == "Sequential";
        entry.layer = std::ssize(model_.layers);
        model_.layers.push_back(*std::move(layer));
      } else {
        well_ = false;
      }
      try {
        entry.nodes = nodes_of(json.at("inbound_nodes"));
      } catch (const Unsupported& error) {
        lacks_.option(entry.name, error.what());
        well_ = false;
      }
    }
    entries_.push_back(std::move(entry));
  }

  void add_inputs() {
    for (const Reference& input : references_of_places(config_.at("input_layers"))) {
      const auto shape = shapes_.find(input.layer);
      require<FormatError>(shape != shapes_.end(), "the input {} is no InputLayer", input.layer);
      Entry& entry = entries_[positions_.at(input.layer)];
      require<FormatError>(entry.values.empty(), "two inputs are called {}", input.layer);
      entry.values.push_back(std::ssize(model_.inputs));
      model_.inputs.push_back(shape->second);
    }
    require<FormatError>(!model_.inputs.empty(), "the model has no inputs");
    if (model_.inputs.size() > cornu::detail::most_inputs) {
      lacks_.option("the model", message("{} inputs; Cornu's models have up to {}", model_.inputs.size(),
                                         cornu::detail::most_inputs));
      well_ = false;
    }
    next_ = std::ssize(model_.inputs);
  }

  /// Adds the calls whose inputs are known. Returns false if there were none.
  bool add_calls() {
    bool any = false;
    for (Entry& entry : entries_) {
      while (entry.values.size() < entry.nodes.size()) {
        const Node& node = entry.nodes[entry.values.size()];
        Graph::Call call{.layer = entry.layer, .merge = entry.merge, .axis = entry.axis};
        bool known = true;
        for (const Reference& input : node.inputs) {
          const auto value = find(input, node.is_old);
          known = known && value;
          if (value) call.inputs.push_back(*value);
        }
        if (!known) break;
        if (entry.layer >= 0) set_causal(entry, node);
        // Self-attention: layer(x, x).
        const bool repeats = std::all_of(call.inputs.begin(), call.inputs.end(),
                                         [&](Index input) { return input == call.inputs.front(); });
        if (entry.layer >= 0 && repeats && as_attention(entry) != nullptr) call.inputs.resize(1);
        entry.values.push_back(next_++);
        model_.calls.push_back(std::move(call));
        any = true;
      }
    }
    return any;
  }

  MultiHeadAttention* as_attention(const Entry& entry) {
    return model_.layers[static_cast<std::size_t>(entry.layer)].as<MultiHeadAttention>();
  }

  /// In Keras, the causal mask is an argument of the call; in Cornu, an option of the layer.
  void set_causal(const Entry& entry, const Node& node) {
    MultiHeadAttention* const attention = as_attention(entry);
    const bool is_first = entry.values.empty();
    if (node.use_causal_mask && attention == nullptr) {
      lacks_.option(entry.name, "use_causal_mask = true");
      well_ = false;
    } else if (attention != nullptr && is_first) {
      attention->use_causal_mask = node.use_causal_mask;
    } else if (attention != nullptr && attention->use_causal_mask != node.use_causal_mask) {
      lacks_.option(entry.name, "called with use_causal_mask and without");
      well_ = false;
    }
  }

  /// The number of a value; empty if it is not known yet. `from_one`: the results of a model within the model are
  /// counted from 1.
  std::optional<Index> find(const Reference& reference, bool from_one) {
    const auto position = positions_.find(reference.layer);
    require<FormatError>(position != positions_.end(), "there is no layer {}, to which another is connected",
                         reference.layer);
    const Entry& entry = entries_[position->second];
    if (reference.output != 0) {
      lacks_.option(entry.name, message("its output {} is used", reference.output));
      well_ = false;
    }
    Index node = reference.node;
    if (entry.is_model && (from_one || entry.nodes.size() == 1) && node > 0) --node;
    if (node < 0 || node >= std::ssize(entry.values)) return std::nullopt;
    return entry.values[static_cast<std::size_t>(node)];
  }

  const Json& config_;
  Lacks& lacks_;
  Functional model_{};
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t> positions_;
  std::map<std::string, std::optional<Shape>> shapes_;  // of the InputLayers
  Index next_ = 0;
  bool well_ = true;
};

}  // namespace

bool Functional::is_chain() const {
  if (inputs.size() != 1 || calls.size() != layers.size() || outputs != std::vector{std::ssize(calls)}) return false;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const auto own = static_cast<Index>(i);
    if (calls[i].layer != own || calls[i].inputs != std::vector{own}) return false;
  }
  return true;
}

std::optional<Functional> read_functional(const Json& json, Lacks& lacks) {
  return GraphReader(json.at("config"), lacks).read();
}

std::optional<AnyLayer> read_graph(const Json& json, Lacks& lacks) {
  std::optional<Functional> model = read_functional(json, lacks);
  if (!model) return std::nullopt;
  if (model->outputs.size() > 1) {
    lacks.option(layer_name(json), message("a model with {} outputs in another model", model->outputs.size()));
    return std::nullopt;
  }
  return AnyLayer(std::move(*model).graph());
}

}  // namespace cornu::keras::detail
