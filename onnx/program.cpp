#include "cornu/onnx/program.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/naming.h"
#include "cornu/onnx/functions.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

class Builder {
 public:
  Builder(ModelMessage& message, std::string_view file) : message_(message) { graph_.file = file; }

  Graph build();

 private:
  /// The values of a graph by name, and those of the graphs around it.
  struct Scope {
    const Scope* outer = nullptr;
    std::unordered_map<std::string_view, Index> values{};
  };

  std::optional<Index> opset_of(std::string_view domain) const;
  Index opset_of(const NodeMessage& node) const;
  /// Throws FormatError naming every op of the graph that Cornu does not have in the graph's opset.
  void require_known_ops() const;
  void define_initializers(GraphMessage& from, Scope& scope);
  std::vector<Node> nodes(GraphMessage& from, Scope& scope);
  Node node(NodeMessage& from, Scope& scope);
  Attribute attribute(AttributeMessage& from, const Op& op, const Scope& scope);
  Body body(GraphMessage& from, const Scope& outer);
  Index defined(std::string_view name, Scope& scope);
  static std::optional<Index> known(std::string_view name, const Scope& scope);
  void drop_unused();
  void find_last_reads();
  void lay_out_weights();

  ModelMessage& message_;
  Graph graph_;
};

std::optional<Index> Builder::opset_of(std::string_view domain) const {
  for (const auto& [name, version] : message_.opsets) {
    if (name == domain || (is_onnx_domain(name) && is_onnx_domain(domain))) return version;
  }
  return std::nullopt;
}

Index Builder::opset_of(const NodeMessage& node) const {
  return node.opset != 0 ? node.opset : opset_of(node.domain).value_or(0);
}

/// Calls f(node, number) for each node, those of inner graphs included.
template <class F>
void each_node(const GraphMessage& graph, F f) {
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    f(graph.nodes[i], i);
    for (const AttributeMessage& attribute : graph.nodes[i].attributes) {
      for (const GraphMessage& inner : attribute.graph) each_node(inner, f);
    }
  }
}

void Builder::require_known_ops() const {
  struct Unknown {
    const NodeMessage* node;  // the first occurrence
    std::size_t number, count;
  };
  std::vector<Unknown> unknown;
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> places;
  each_node(message_.graph, [&](const NodeMessage& node, std::size_t i) {
    const Op* const op = find_op(node.domain, node.op_type);
    const Index opset = opset_of(node);
    if (op != nullptr && op->since <= opset && opset <= last_opset) return;
    const std::string_view domain = is_onnx_domain(node.domain) ? "" : node.domain;
    const auto [place, is_new] = places.emplace(std::pair(domain, node.op_type), unknown.size());
    if (is_new) unknown.push_back({&node, i, 0});
    ++unknown[place->second].count;
  });
  if (unknown.empty()) return;
  const auto text = [&](const Unknown& one) {
    const Op* const op = find_op(one.node->domain, one.node->op_type);
    const Index opset = opset_of(*one.node);
    const std::string_view domain = is_onnx_domain(one.node->domain) ? "ai.onnx" : one.node->domain;
    std::string result =
        message("{} ({} {}", one.node->op_type, domain, opset != 0 ? std::to_string(opset) : "unversioned");
    if (op != nullptr) result += message(", Cornu has opsets {} to {}", op->since, last_opset);
    result += message("; {} node{}, the first is {}", one.count, one.count == 1 ? "" : "s", one.number);
    return result + (one.node->name.empty() ? ")" : message(" '{}')", one.node->name));
  };
  throw FormatError(message("the graph needs ops that Cornu does not have: {}", cornu::detail::listed(unknown, text)));
}

/// Assigns the next value index to a name. Throws FormatError for a duplicate.
Index Builder::defined(std::string_view name, Scope& scope) {
  require<FormatError>(scope.values.emplace(name, graph_.value_count).second, "two values are named '{}'", name);
  return graph_.value_count++;
}

std::optional<Index> Builder::known(std::string_view name, const Scope& scope) {
  for (const Scope* at = &scope; at != nullptr; at = at->outer) {
    if (const auto found = at->values.find(name); found != at->values.end()) return found->second;
  }
  return std::nullopt;
}

Attribute Builder::attribute(AttributeMessage& from, const Op& op, const Scope& scope) {
  const bool is_its_own =
      !from.name.empty() && op.attributes.find(std::string(from.name) + ' ') != std::string_view::npos;
  require<FormatError>(is_its_own, "attribute '{}' is not supported; supported for this op: {}", from.name,
                       op.attributes.empty() ? "none" : op.attributes.substr(0, op.attributes.size() - 1));
  const bool is_known = from.type >= AttributeType::real && from.type <= AttributeType::texts;
  require<FormatError>(is_known, "attribute '{}' holds {}, which no supported op takes", from.name,
                       name_of_attribute_type(static_cast<std::int64_t>(from.type)));
  Attribute result{.name = std::string(from.name),
                   .type = from.type,
                   .real = from.real,
                   .integer = from.integer,
                   .text = std::string(from.text),
                   .reals = std::move(from.reals),
                   .integers = std::move(from.integers),
                   .texts = {from.texts.begin(), from.texts.end()}};
  if (from.tensor) result.tensor = std::move(*from.tensor);
  if (!from.graph.empty()) result.body = std::make_shared<Body>(body(from.graph.front(), scope));
  return result;
}

Body Builder::body(GraphMessage& from, const Scope& outer) {
  require<FormatError>(from.inputs.empty(), "a graph within the graph has inputs, as in Loop and Scan");
  Scope scope{.outer = &outer};
  define_initializers(from, scope);
  Body result{.nodes = nodes(from, scope), .outputs = {}};
  for (const ValueMessage& output : from.outputs) {
    const std::optional<Index> value = known(output.name, scope);
    require<FormatError>(value.has_value(), "no node computes the output '{}'", output.name);
    result.outputs.push_back(*value);
  }
  return result;
}

Node Builder::node(NodeMessage& from, Scope& scope) {
  const Op* const op = find_op(from.domain, from.op_type);
  require<FormatError>(op->inputs.least <= from.inputs.size() && from.inputs.size() <= op->inputs.most,
                       "it has {} inputs, expected {} to {}", from.inputs.size(), op->inputs.least, op->inputs.most);
  require<FormatError>(!from.outputs.empty() && from.outputs.size() <= op->outputs,
                       "it has {} outputs, expected 1 to {}", from.outputs.size(), op->outputs);
  Node result{
      .op = op, .name = std::string(from.name), .opset = opset_of(from), .inputs = {}, .outputs = {}, .attributes = {}};
  for (const std::string_view input : from.inputs) {
    const std::optional<Index> value = input.empty() ? Index{-1} : known(input, scope);
    require<FormatError>(value.has_value(), "nothing computes its input '{}'", input);
    result.inputs.push_back(*value);
  }
  for (std::size_t i = 0; i < op->inputs.least; ++i) {
    require<FormatError>(result.inputs[i] >= 0, "input {} is missing", i);
  }
  for (AttributeMessage& given : from.attributes) result.attributes.push_back(attribute(given, *op, scope));
  for (const std::string_view output : from.outputs) {
    result.outputs.push_back(output.empty() ? -1 : defined(output, scope));
  }
  return result;
}

/// Calls f for each value that a node reads, those that its graphs read of the graphs around them included.
template <class F>
void each_read(const NodeMessage& node, F f) {
  std::for_each(node.inputs.begin(), node.inputs.end(), f);
  for (const AttributeMessage& attribute : node.attributes) {
    for (const GraphMessage& inner : attribute.graph) {
      for (const NodeMessage& each : inner.nodes) each_read(each, f);
      for (const ValueMessage& output : inner.outputs) f(output.name);
    }
  }
}

/// The numbers of the nodes, each after the ones whose outputs it reads, otherwise in the order of the file.
std::vector<std::size_t> sorted(const std::vector<NodeMessage>& nodes) {
  std::unordered_map<std::string_view, std::size_t> makers;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for (const std::string_view output : nodes[i].outputs) {
      if (!output.empty()) makers.emplace(output, i);
    }
  }
  enum class State : char { unseen, waits, done };
  std::vector<State> states(nodes.size(), State::unseen);
  std::vector<std::size_t> result, stack;
  result.reserve(nodes.size());
  for (std::size_t first = 0; first < nodes.size(); ++first) {
    if (states[first] == State::unseen) stack.push_back(first);
    while (!stack.empty()) {
      const std::size_t i = stack.back();
      if (states[i] == State::done) {
        stack.pop_back();
        continue;
      }
      bool ready = true;
      states[i] = State::waits;
      each_read(nodes[i], [&](std::string_view name) {
        const auto maker = makers.find(name);
        if (maker == makers.end() || states[maker->second] == State::done) return;
        require<FormatError>(states[maker->second] != State::waits,
                             "node {} '{}' ({}) depends on its own output through '{}'", i, nodes[i].name,
                             nodes[i].op_type, name);
        stack.push_back(maker->second);
        ready = false;
      });
      if (!ready) continue;
      states[i] = State::done;
      result.push_back(i);
      stack.pop_back();
    }
  }
  return result;
}

std::vector<Node> Builder::nodes(GraphMessage& from, Scope& scope) {
  std::vector<Node> result;
  for (const std::size_t i : sorted(from.nodes)) {
    NodeMessage& each = from.nodes[i];
    try {
      result.push_back(node(each, scope));
    } catch (Error& error) {
      error.add_context(message("node {} '{}' ({})", i, each.name, each.op_type));
      throw;
    }
  }
  return result;
}

/// Calls f for each node, those of inner graphs included; the last one first.
template <class F>
void each_node_backwards(std::vector<Node>& nodes, F f) {
  for (std::size_t i = nodes.size(); i-- > 0;) {
    f(nodes[i]);
    for (Attribute& attribute : nodes[i].attributes) {
      if (attribute.body) each_node_backwards(attribute.body->nodes, f);
    }
  }
}

/// Removes nodes that no output depends on, and unread outputs of the others, which their ops need not compute.
void Builder::drop_unused() {
  std::vector<bool> is_used(static_cast<std::size_t>(graph_.value_count));
  const auto used = [&](Index value) -> std::vector<bool>::reference {
    return is_used[static_cast<std::size_t>(value)];
  };
  for (const Index output : graph_.output_values) used(output) = true;
  each_node_backwards(graph_.nodes, [&](Node& node) {
    for (Index& output : node.outputs) output = output >= 0 && used(output) ? output : -1;
    if (node.is_unused()) return;
    for (const Index input : node.inputs) {
      if (input >= 0) used(input) = true;
    }
    for (const Attribute& attribute : node.attributes) {
      if (!attribute.body) continue;
      for (const Index output : attribute.body->outputs) used(output) = true;
    }
  });
  const auto drop = [](std::vector<Node>& nodes, const auto& self) -> void {
    std::erase_if(nodes, [](const Node& node) { return node.is_unused(); });
    for (Node& node : nodes) {
      for (Attribute& attribute : node.attributes) {
        if (attribute.body) self(attribute.body->nodes, self);
      }
    }
  };
  drop(graph_.nodes, drop);
}

/// Calls f for each value that a node reads, in its graphs too.
template <class F>
void each_read(const Node& node, F f) {
  std::for_each(node.inputs.begin(), node.inputs.end(), f);
  for (const Attribute& attribute : node.attributes) {
    if (!attribute.body) continue;
    for (const Node& inner : attribute.body->nodes) each_read(inner, f);
    std::for_each(attribute.body->outputs.begin(), attribute.body->outputs.end(), f);
  }
}

void Builder::find_last_reads() {
  std::vector<bool> is_read_later(static_cast<std::size_t>(graph_.value_count)), is_made(is_read_later);
  for (const Index output : graph_.output_values) is_read_later[static_cast<std::size_t>(output)] = true;
  for (const Node& node : graph_.nodes) {
    for (const Index output : node.outputs) {
      if (output >= 0) is_made[static_cast<std::size_t>(output)] = true;
    }
  }
  for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
    Node& node = graph_.nodes[i];
    each_read(node, [&](Index value) {
      const auto at = static_cast<std::size_t>(value);
      if (value < 0 || !is_made[at] || is_read_later[at]) return;
      is_read_later[at] = true;
      node.last_reads.push_back(value);
    });
  }
}

/// Marks the initializers that are trainable weights. Weights used only by convolutions, or only as a transposed Gemm
/// operand, are stored in the layout that the op reads.
void Builder::lay_out_weights() {
  struct Uses {
    Index all = 0, as_kernel = 0, transposed = 0;
  };
  std::vector<Uses> uses(graph_.initializers.size());
  std::unordered_map<Index, std::size_t> places;  // of initializers, by their values
  for (std::size_t k = 0; k < uses.size(); ++k) places.emplace(graph_.initializers[k].value, k);
  const auto use = [&](Index value) {
    const auto found = places.find(value);
    if (found != places.end()) ++uses[found->second].all;
  };
  each_node_backwards(graph_.nodes, [&](Node& node) {
    const Attribute* const turned = node.attribute("transB");
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const auto found = places.find(node.inputs[i]);
      if (found == places.end()) continue;
      Initializer& initializer = graph_.initializers[found->second];
      Uses& of = uses[found->second];
      ++of.all;
      if (i == 1 && node.op->name.starts_with("Conv")) ++of.as_kernel;  // also ConvTranspose
      if (i == 1 && node.op->name == "Gemm" && turned != nullptr && turned->integer != 0) ++of.transposed;
      const bool is_weight = i < 8 && (node.op->weights >> i & 1U) != 0;
      const bool is_scalar = initializer.parameter.shape().rank() == 0;
      if (is_weight && !is_scalar && initializer.is_real()) initializer.parameter.trainable = true;
    }
    for (const Attribute& attribute : node.attributes) {
      if (attribute.body) std::for_each(attribute.body->outputs.begin(), attribute.body->outputs.end(), use);
    }
  });
  std::for_each(graph_.output_values.begin(), graph_.output_values.end(), use);
  for (std::size_t k = 0; k < uses.size(); ++k) {
    Initializer& initializer = graph_.initializers[k];
    Tensor& value = initializer.parameter.value;
    if (!initializer.is_real() || uses[k].all == 0) continue;
    if (uses[k].transposed == uses[k].all && value.rank() == 2) {
      value = transpose(value);
      initializer.layout = Layout::transposed;
    } else if (uses[k].as_kernel == uses[k].all && (value.rank() == 3 || value.rank() == 4)) {
      if (value.rank() == 3) value.reshape({value.shape()[0], value.shape()[1], 1, value.shape()[2]});
      value = transpose(value, {2, 3, 1, 0});
      initializer.layout = Layout::kernel;
    }
  }
}

void Builder::define_initializers(GraphMessage& from, Scope& scope) {
  for (TensorMessage& tensor : from.initializers) {
    Parameter parameter{.value = std::move(tensor.elements.real), .trainable = false};
    graph_.initializers.push_back({.name = std::string(tensor.name),
                                   .parameter = std::move(parameter),
                                   .elements = std::move(tensor.elements),
                                   .value = defined(tensor.name, scope)});
  }
}

Graph Builder::build() {
  GraphMessage& from = message_.graph;
  for (const auto& [key, value] : message_.metadata) graph_.metadata.emplace(key, value);
  inline_functions(message_);
  require_known_ops();
  Scope scope;
  define_initializers(from, scope);
  const auto port = [](const ValueMessage& value) {
    return Port{.name = std::string(value.name),
                .type = name_of_element_type(static_cast<std::int64_t>(value.type)),
                .shape = value.has_shape ? std::optional(value.dimensions) : std::nullopt};
  };
  for (const ValueMessage& input : from.inputs) {
    if (scope.values.contains(input.name)) {  // up to IR version 3 every initializer was also an input
      const bool is_initializer = std::any_of(from.initializers.begin(), from.initializers.end(),
                                              [&](const TensorMessage& tensor) { return tensor.name == input.name; });
      if (is_initializer) continue;
    }
    graph_.inputs.push_back(port(input));
    graph_.input_types.push_back(input.type);
    graph_.input_values.push_back(defined(input.name, scope));
  }
  graph_.nodes = nodes(from, scope);
  require<FormatError>(!from.outputs.empty(), "the graph has no outputs");
  for (const ValueMessage& output : from.outputs) {
    graph_.outputs.push_back(port(output));
    const std::optional<Index> value = known(output.name, scope);
    require<FormatError>(value.has_value(), "no node computes the output '{}'", output.name);
    graph_.output_values.push_back(*value);
  }
  drop_unused();
  find_last_reads();
  lay_out_weights();
  return std::move(graph_);
}

}  // namespace

Graph graph_of(ModelMessage from, std::string_view file) {
  return cornu::detail::naming(file, [&] {
    require<FormatError>(from.ir_version >= 3, "IR version {}; 3 and later are supported", from.ir_version);
    return Builder(from, file).build();
  });
}

}  // namespace cornu::onnx::detail
