#include "cornu/onnx/program.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "cornu/core/eager.h"
#include "cornu/core/error.h"
#include "cornu/core/naming.h"
#include "cornu/onnx/ops.h"

namespace cornu::onnx::detail {

namespace {

bool is_onnx_domain(std::string_view domain) { return domain.empty() || domain == "ai.onnx"; }

class Builder {
 public:
  Builder(ModelMessage& message, std::string_view file) : message_(message) { graph_.file = file; }

  Graph build();

 private:
  Index opset_of(std::string_view domain) const;
  Node node(NodeMessage& from);
  static Attribute attribute(AttributeMessage& from, const Op& op);
  Index defined(std::string_view name);
  Index used(std::string_view name) const;
  void lay_out_weights();

  ModelMessage& message_;
  Graph graph_;
  std::unordered_map<std::string_view, Index> values_;
};

Index Builder::opset_of(std::string_view domain) const {
  for (const auto& [name, version] : message_.opsets) {
    if (name == domain || (is_onnx_domain(name) && is_onnx_domain(domain))) return version;
  }
  throw FormatError(message("the file does not say which opset of domain '{}' it uses", domain));
}

/// Gives a name its value. Each has one only.
Index Builder::defined(std::string_view name) {
  require<FormatError>(values_.emplace(name, graph_.value_count).second, "two values are named '{}'", name);
  return graph_.value_count++;
}

Index Builder::used(std::string_view name) const {
  const auto found = values_.find(name);
  require<FormatError>(found != values_.end(), "there is no value '{}' before it", name);
  return found->second;
}

Attribute Builder::attribute(AttributeMessage& from, const Op& op) {
  const bool is_its_own =
      !from.name.empty() && op.attributes.find(std::string(from.name) + ' ') != std::string_view::npos;
  require<FormatError>(is_its_own, "attribute '{}' is not known; those of this op are: {}", from.name,
                       op.attributes.empty() ? "none" : op.attributes.substr(0, op.attributes.size() - 1));
  const bool is_known = (from.type >= AttributeType::real && from.type <= AttributeType::tensor) ||
                        from.type == AttributeType::integers || from.type == AttributeType::texts;
  require<FormatError>(is_known, "attribute '{}' holds {}, which no op that Cornu has wants", from.name,
                       name_of_attribute_type(static_cast<std::int64_t>(from.type)));
  Attribute result{.name = std::string(from.name),
                   .type = from.type,
                   .real = from.real,
                   .integer = from.integer,
                   .text = std::string(from.text),
                   .integers = std::move(from.integers),
                   .texts = {from.texts.begin(), from.texts.end()},
                   .kind = Kind::real,
                   .tensor = {}};
  if (from.tensor) {
    result.kind = from.tensor->kind;
    result.tensor = std::move(from.tensor->value);
  }
  return result;
}

Node Builder::node(NodeMessage& from) {
  const bool is_known_domain = is_onnx_domain(from.domain) || from.domain == "ai.onnx.preview.training";
  require<FormatError>(is_known_domain, "its domain is '{}'; Cornu has ONNX's own ops alone", from.domain);
  const Op* const op = find_op(from.domain, from.op_type);
  require<FormatError>(op != nullptr, "Cornu does not have the op {}", from.op_type);
  const Index opset = opset_of(from.domain);
  require<FormatError>(op->since <= opset && opset <= last_opset,
                       "the model is of opset {}; Cornu has this op as opsets {} to {} define it", opset, op->since,
                       last_opset);
  require<FormatError>(op->least_inputs <= from.inputs.size() && from.inputs.size() <= op->most_inputs,
                       "it has {} inputs, {} to {} are possible", from.inputs.size(), op->least_inputs,
                       op->most_inputs);
  require<FormatError>(!from.outputs.empty() && from.outputs.size() <= op->most_outputs,
                       "it has {} outputs, 1 to {} are possible", from.outputs.size(), op->most_outputs);
  Node result{.op = op, .name = std::string(from.name), .opset = opset, .inputs = {}, .outputs = {}, .attributes = {}};
  for (const std::string_view input : from.inputs) result.inputs.push_back(input.empty() ? -1 : used(input));
  for (std::size_t i = 0; i < op->least_inputs; ++i) {
    require<FormatError>(result.inputs[i] >= 0, "input {} is missing", i);
  }
  for (const std::string_view output : from.outputs) result.outputs.push_back(output.empty() ? -1 : defined(output));
  for (AttributeMessage& given : from.attributes) result.attributes.push_back(attribute(given, *op));
  return result;
}

/// Finds out which initializers are learnt. Weights that convolutions alone or products alone use are kept as these
/// take them.
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
                                   .value = defined(tensor.name)});
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
    if (initialized.count(input.name) != 0) continue;  // up to IR 3 each initializer was an input, too
    graph_.inputs.push_back(port(input));
    graph_.input_kinds.push_back(input.kind);
    graph_.input_values.push_back(defined(input.name));
  }
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
    require<FormatError>(found != values_.end(), "nothing makes the output '{}'", output.name);
    graph_.output_values.push_back(found->second);
  }
  lay_out_weights();
  return std::move(graph_);
}

}  // namespace

Graph graph_of(ModelMessage from, std::string_view file) {
  return cornu::detail::naming(file, [&] {
    require<FormatError>(from.ir_version >= 3, "IR version {}; 3 and later are possible", from.ir_version);
    return Builder(from, file).build();
  });
}

}  // namespace cornu::onnx::detail
