#include "cornu/onnx/functions.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "cornu/core/error.h"

namespace cornu::onnx::detail {

namespace {

using Names = std::unordered_map<std::string_view, std::string_view>;

class Inliner {
 public:
  explicit Inliner(ModelMessage& model) : model_(model) {
    for (const FunctionMessage& function : model.functions) {
      functions_.emplace(std::pair(function.domain, function.name), &function);
    }
  }

  void graph(GraphMessage& graph) {
    std::vector<NodeMessage> nodes;
    for (NodeMessage& node : graph.nodes) add(std::move(node), nodes, 0);
    graph.nodes = std::move(nodes);
  }

 private:
  static constexpr int deepest = 32;
  static constexpr std::size_t most_nodes = 100'000, most_characters = std::size_t{32} << 20;

  /// Appends the node, or the nodes of the function that it calls.
  void add(NodeMessage node, std::vector<NodeMessage>& to, int depth) {
    require<FormatError>(++count_ <= most_nodes, "its functions expand to more than {} nodes", most_nodes);
    const auto found = functions_.find({node.domain, node.op_type});
    if (found == functions_.end()) {
      for (AttributeMessage& attribute : node.attributes) {
        for (GraphMessage& inner : attribute.graph) graph(inner);
      }
      to.push_back(std::move(node));
      return;
    }
    const FunctionMessage& function = *found->second;
    require<FormatError>(depth < deepest, "the function '{}' calls functions more than {} deep; does it call itself?",
                         function.name, deepest);
    require<FormatError>(node.inputs.size() <= function.inputs.size() && node.outputs.size() <= function.outputs.size(),
                         "node '{}' has {} inputs and {} outputs, its function '{}' has {} and {}", node.name,
                         node.inputs.size(), node.outputs.size(), function.name, function.inputs.size(),
                         function.outputs.size());
    Names names;
    for (std::size_t i = 0; i < function.inputs.size(); ++i) {
      names[function.inputs[i]] = i < node.inputs.size() ? node.inputs[i] : std::string_view();
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i].empty()) continue;
      const auto [place, is_new] = names.emplace(function.outputs[i], node.outputs[i]);
      if (!is_new) identity(place->second, node.outputs[i], node, to);  // an input is returned unchanged
    }
    const std::string_view prefix = node.name.empty() ? function.name : node.name;
    const std::size_t call = ++calls_;
    for (const NodeMessage& inner : function.nodes) {
      NodeMessage copy = instance(inner, node, function, names, prefix, call);
      add(std::move(copy), to, depth + 1);
    }
  }

  static void identity(std::string_view from, std::string_view to, const NodeMessage& node,
                       std::vector<NodeMessage>& nodes) {
    nodes.push_back({.inputs = {from},
                     .outputs = {to},
                     .name = node.name,
                     .op_type = "Identity",
                     .domain = "",
                     .attributes = {},
                     .opset = 13});
  }

  /// A node of a function, with the names and attributes of the call.
  NodeMessage instance(const NodeMessage& inner, const NodeMessage& caller, const FunctionMessage& function,
                       Names& names, std::string_view prefix, std::size_t call) {
    NodeMessage copy = inner;
    copy.name = kept(message("{}/{}", prefix, inner.name.empty() ? inner.op_type : inner.name));
    for (const auto& [domain, version] : function.opsets) {
      if (domain == inner.domain) copy.opset = version;
    }
    rename(copy, names, prefix, call);
    bind(copy, caller, function);
    return copy;
  }

  void rename(NodeMessage& node, Names& names, std::string_view prefix, std::size_t call) {
    const auto renamed = [&](std::string_view& name) {
      if (name.empty()) return;
      const auto [place, is_new] = names.try_emplace(name);
      if (is_new) place->second = kept(message("{}/{}/{}", prefix, call, name));
      name = place->second;
    };
    std::for_each(node.inputs.begin(), node.inputs.end(), renamed);
    std::for_each(node.outputs.begin(), node.outputs.end(), renamed);
    for (AttributeMessage& attribute : node.attributes) {
      for (GraphMessage& inner : attribute.graph) {
        for (TensorMessage& tensor : inner.initializers) renamed(tensor.name);
        for (NodeMessage& each : inner.nodes) rename(each, names, prefix, call);
        for (ValueMessage& output : inner.outputs) renamed(output.name);
      }
    }
  }

  /// Gives attributes that refer to one of the function the value of the call, or its default, or drops them.
  void bind(NodeMessage& node, const NodeMessage& caller, const FunctionMessage& function) {
    const auto find = [](const std::vector<AttributeMessage>& all, std::string_view name) {
      const auto found =
          std::find_if(all.begin(), all.end(), [&](const AttributeMessage& each) { return each.name == name; });
      return found == all.end() ? nullptr : &*found;
    };
    std::vector<AttributeMessage> bound;
    for (AttributeMessage& attribute : node.attributes) {
      for (GraphMessage& inner : attribute.graph) {
        for (NodeMessage& each : inner.nodes) bind(each, caller, function);
      }
      if (attribute.reference.empty()) {
        bound.push_back(std::move(attribute));
        continue;
      }
      const AttributeMessage* value = find(caller.attributes, attribute.reference);
      if (value == nullptr) value = find(function.defaults, attribute.reference);
      if (value == nullptr) continue;
      const std::string_view name = attribute.name;
      bound.push_back(*value);
      bound.back().name = name;
    }
    node.attributes = std::move(bound);
  }

  std::string_view kept(std::string name) {
    characters_ += name.size();
    require<FormatError>(characters_ <= most_characters, "its functions expand to names of more than {} characters",
                         most_characters);
    return model_.names.emplace_back(std::move(name));
  }

  ModelMessage& model_;
  std::map<std::pair<std::string_view, std::string_view>, const FunctionMessage*> functions_;
  std::size_t count_ = 0, calls_ = 0, characters_ = 0;
};

}  // namespace

void inline_functions(ModelMessage& model) {
  if (model.functions.empty()) return;
  Inliner(model).graph(model.graph);
  model.functions.clear();
}

}  // namespace cornu::onnx::detail
