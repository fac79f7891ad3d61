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
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

class Builder {
 public:
  Builder(ModelMessage& message, std::string_view file) : message_(message) { graph_.file = file; }

  Graph build();

 private:
  std::optional<Index> opset_of(std::string_view domain) const;
  /// Throws FormatError naming every op of the graph that Cornu does not have in the graph's opset.
  void require_known_ops() const;
  Node node(NodeMessage& from);
  static Attribute attribute(AttributeMessage& from, const Op& op);
  Index defined(std::string_view name);
  Index used(std::string_view name) const;
  void drop_unused();
  void lay_out_weights();

  ModelMessage& message_;
  Graph graph_;
  std::unordered_map<std::string_view, Index> values_;
};

std::optional<Index> Builder::opset_of(std::string_view domain) const {
  for (const auto& [name, version] : message_.opsets) {
    if (name == domain || (is_onnx_domain(name) && is_onnx_domain(domain))) return version;
  }
  return std::nullopt;
}

void Builder::require_known_ops() const {
  struct Unknown {
    const NodeMessage* node;  // the first occurrence
    std::size_t number, count;
  };
  std::vector<Unknown> unknown;
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> places;
  for (std::size_t i = 0; i < message_.graph.nodes.size(); ++i) {
    const NodeMessage& node = message_.graph.nodes[i];
    const Op* const op = find_op(node.domain, node.op_type);
    const std::optional<Index> opset = opset_of(node.domain);
    if (op != nullptr && opset && op->since <= *opset && *opset <= last_opset) continue;
    const std::string_view domain = is_onnx_domain(node.domain) ? "" : node.domain;
    const auto [place, is_new] = places.emplace(std::pair(domain, node.op_type), unknown.size());
    if (is_new) unknown.push_back({&node, i, 0});
    ++unknown[place->second].count;
  }
  if (unknown.empty()) return;
  const auto text = [&](const Unknown& one) {
    const Op* const op = find_op(one.node->domain, one.node->op_type);
    const std::optional<Index> opset = opset_of(one.node->domain);
    const std::string_view domain = is_onnx_domain(one.node->domain) ? "ai.onnx" : one.node->domain;
    std::string result =
        message("{} ({} {}", one.node->op_type, domain, opset ? std::to_string(*opset) : "unversioned");
    if (op != nullptr) result += message(", Cornu has opsets {} to {}", op->since, last_opset);
    result += message("; {} node{}, the first is {}", one.count, one.count == 1 ? "" : "s", one.number);
    return result + (one.node->name.empty() ? ")" : message(" '{}')", one.node->name));
  };
  throw FormatError(message("the graph needs ops that Cornu does not have: {}", cornu::detail::listed(unknown, text)));
}

/// Assigns the next value index to a name. Throws FormatError for a duplicate.
Index Builder::defined(std::string_view name) {
  require<FormatError>(values_.emplace(name, graph_.value_count).second, "two values are named '{}'", name);
  return graph_.value_count++;
}

Index Builder::used(std::string_view name) const {
  const auto found = values_.find(name);
  require<FormatError>(found != values_.end(), "no value '{}' is defined before it", name);
  return found->second;
}

Attribute Builder::attribute(AttributeMessage& from, const Op& op) {
  const bool is_its_own =
      !from.name.empty() && op.attributes.find(std::string(from.name) + ' ') != std::string_view::npos;
  require<FormatError>(is_its_own, "attribute '{}' is not supported; supported for this op: {}", from.name,
                       op.attributes.empty() ? "none" : op.attributes.substr(0, op.attributes.size() - 1));
  const bool is_known = (from.type >= AttributeType::real && from.type <= AttributeType::tensor) ||
                        from.type == AttributeType::integers || from.type == AttributeType::texts;
  require<FormatError>(is_known, "attribute '{}' holds {}, which no supported op takes", from.name,
                       name_of_attribute_type(static_cast<std::int64_t>(from.type)));
  Attribute result{.name = std::string(from.name),
                   .type = from.type,
                   .real = from.real,
                   .integer = from.integer,
                   .text = std::string(from.text),
                   .integers = std::move(from.integers),
                   .texts = {from.texts.begin(), from.texts.end()},
                   .kind = Kind::real,
                   .tensor = {},
                   .tensor_integers = {}};
  if (from.tensor) {
    result.kind = from.tensor->kind;
    result.tensor = std::move(from.tensor->value);
    result.tensor_integers = std::move(from.tensor->integers);
  }
  return result;
}

Node Builder::node(NodeMessage& from) {
  const Op* const op = find_op(from.domain, from.op_type);
  const Index opset = *opset_of(from.domain);
  require<FormatError>(op->least_inputs <= from.inputs.size() && from.inputs.size() <= op->most_inputs,
                       "it has {} inputs, expected {} to {}", from.inputs.size(), op->least_inputs, op->most_inputs);
  require<FormatError>(!from.outputs.empty() && from.outputs.size() <= op->most_outputs,
                       "it has {} outputs, expected 1 to {}", from.outputs.size(), op->most_outputs);
  Node result{.op = op, .name = std::string(from.name), .opset = opset, .inputs = {}, .outputs = {}, .attributes = {}};
  for (const std::string_view input : from.inputs) result.inputs.push_back(input.empty() ? -1 : used(input));
  for (std::size_t i = 0; i < op->least_inputs; ++i) {
    require<FormatError>(result.inputs[i] >= 0, "input {} is missing", i);
  }
  for (const std::string_view output : from.outputs) result.outputs.push_back(output.empty() ? -1 : defined(output));
  for (AttributeMessage& given : from.attributes) result.attributes.push_back(attribute(given, *op));
  return result;
}

/// Removes nodes that no output depends on, and unread outputs of the others, which their ops need not compute.
void Builder::drop_unused() {
  std::vector<bool> is_used(static_cast<std::size_t>(graph_.value_count));
  const auto used = [&](Index value) -> std::vector<bool>::reference {
    return is_used[static_cast<std::size_t>(value)];
  };
  for (const Index output : graph_.output_values) used(output) = true;
  for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
    Node& node = graph_.nodes[i];
    for (Index& output : node.outputs) output = output >= 0 && used(output) ? output : -1;
    if (node.is_unused()) continue;
    for (const Index input : node.inputs) {
      if (input >= 0) used(input) = true;
    }
  }
  std::erase_if(graph_.nodes, [](const Node& node) { return node.is_unused(); });
}

/// Marks the initializers that are trainable weights. Weights used only by convolutions, or only as a transposed Gemm
/// operand, are stored in the layout that the op reads.
void Builder::lay_out_weights() {
  struct Uses {
    Index all = 0, as_kernel = 0, transposed = 0;
  };
  std::vector<Uses> uses(graph_.initializers.size());  // the first values are the initializers
  const auto is_initializer = [&](Index value) { return 0 <= value && value < static_cast<Index>(uses.size()); };
  for (const Node& node : graph_.nodes) {
    const Attribute* const turned = node.attribute("transB");
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (!is_initializer(node.inputs[i])) continue;
      const auto k = static_cast<std::size_t>(node.inputs[i]);
      Initializer& initializer = graph_.initializers[k];
      ++uses[k].all;
      if (i == 1 && node.op->name == "Conv") ++uses[k].as_kernel;
      if (i == 1 && node.op->name == "Gemm" && turned != nullptr && turned->integer != 0) ++uses[k].transposed;
      const bool is_weight = i < 8 && (node.op->weights >> i & 1U) != 0;
      const bool is_scalar = initializer.parameter.shape().rank() == 0;
      if (is_weight && !is_scalar && initializer.kind == Kind::real) initializer.parameter.trainable = true;
    }
  }
  for (const Index output : graph_.output_values) {
    if (is_initializer(output)) ++uses[static_cast<std::size_t>(output)].all;
  }
  for (std::size_t k = 0; k < uses.size(); ++k) {
    Initializer& initializer = graph_.initializers[k];
    Tensor& value = initializer.parameter.value;
    if (initializer.kind != Kind::real || uses[k].all == 0) continue;
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

Graph Builder::build() {
  GraphMessage& from = message_.graph;
  for (const auto& [key, value] : message_.metadata) graph_.metadata.emplace(key, value);
  for (TensorMessage& tensor : from.initializers) {
    Parameter parameter{.value = std::move(tensor.value), .trainable = false};
    graph_.initializers.push_back({.name = std::string(tensor.name),
                                   .parameter = std::move(parameter),
                                   .kind = tensor.kind,
                                   .value = defined(tensor.name),
                                   .integers = std::move(tensor.integers)});
  }
  const std::set<std::string_view> initialized = [&] {
    std::set<std::string_view> names;
    for (const TensorMessage& tensor : from.initializers) names.insert(tensor.name);
    return names;
  }();
  const auto port = [](const ValueMessage& value) {
    return Port{std::string(value.name), value.has_shape ? std::optional(value.dimensions) : std::nullopt};
  };
  for (const ValueMessage& input : from.inputs) {
    if (initialized.count(input.name) != 0) continue;  // up to IR version 3 every initializer was also an input
    graph_.inputs.push_back(port(input));
    graph_.input_kinds.push_back(input.kind);
    graph_.input_values.push_back(defined(input.name));
  }
  require_known_ops();
  for (std::size_t i = 0; i < from.nodes.size(); ++i) {
    NodeMessage& each = from.nodes[i];
    try {
      graph_.nodes.push_back(node(each));
    } catch (Error& error) {
      error.add_context(message("node {} '{}' ({})", i, each.name, each.op_type));
      throw;
    }
  }
  require<FormatError>(!from.outputs.empty(), "the graph has no outputs");
  for (const ValueMessage& output : from.outputs) {
    graph_.outputs.push_back(port(output));
    const auto found = values_.find(output.name);
    require<FormatError>(found != values_.end(), "no node computes the output '{}'", output.name);
    graph_.output_values.push_back(found->second);
  }
  drop_unused();
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
