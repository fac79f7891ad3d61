#include "cornu/onnx/description.h"

#include <algorithm>
#include <set>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/onnx/ops/ops.h"
#include "cornu/onnx/wire.h"

namespace cornu::onnx {

using namespace detail;

namespace {

/// The fields of TypeProto, including those that the model reader does not support.
namespace any_type_field {
enum : std::uint32_t { tensor = 1, sequence = 4, map = 5, sparse_tensor = 8, optional = 9 };
}

class Describer {
 public:
  explicit Describer(Budget& budget) : budget_(budget) {}

  Description model(pbf_reader message) {
    bool has_graph = false;
    while (message.next()) {
      switch (message.tag()) {
        case model_field::ir_version:
          result_.ir_version = integer(message, "ir_version");
          break;
        case model_field::producer_name:
          result_.producer = kept(text(message, "producer_name"));
          break;
        case model_field::graph:
          graph(part(message, "graph"));
          has_graph = true;
          break;
        case model_field::opset_import:
          opset(part(message, "opset_import"));
          break;
        case model_field::metadata:
          metadata(part(message, "metadata_props"));
          break;
        case model_field::functions:
          function(part(message, "functions"));
          break;
        default:
          message.skip();
      }
    }
    require<FormatError>(has_graph, "there is no graph in it; is it an ONNX model?");
    // Up to IR version 3 every initializer was also an input.
    std::set<std::string_view> initialized;
    for (const ValueDescription& value : result_.initializers) initialized.insert(value.name);
    std::erase_if(result_.inputs, [&](const ValueDescription& value) { return initialized.contains(value.name); });
    find_unsupported();
    return std::move(result_);
  }

 private:
  std::string kept(std::string_view view) {
    budget_.charge(view.size());
    return std::string(view);
  }

  void opset(pbf_reader message) {
    const auto [domain, version] = read_opset(message);
    budget_.append(result_.opsets, std::pair(domain.empty() ? "ai.onnx" : kept(domain), version));
  }

  void metadata(pbf_reader message) {
    const auto [key, value] = read_entry(message);
    budget_.append(result_.metadata, std::pair(kept(key), kept(value)));
  }

  void graph(pbf_reader message) {
    while (message.next()) {
      switch (message.tag()) {
        case graph_field::node:
          node(part(message, "node"));
          break;
        case graph_field::initializer:
          budget_.append(result_.initializers, tensor(part(message, "initializer")));
          break;
        case graph_field::input:
          budget_.append(result_.inputs, value(part(message, "input")));
          break;
        case graph_field::output:
          budget_.append(result_.outputs, value(part(message, "output")));
          break;
        case graph_field::sparse_initializer:
          sparse_ = true;
          message.skip();
          break;
        default:
          message.skip();
      }
    }
  }

  void node(pbf_reader message) {
    std::string_view op, domain;
    bool has_graph = false;
    while (message.next()) {
      if (message.tag() == node_field::op_type) {
        op = text(message, "op_type");
      } else if (message.tag() == node_field::domain) {
        domain = text(message, "domain");
      } else if (message.tag() == node_field::attribute) {
        has_graph |= holds_graph(part(message, "attribute"));
      } else {
        message.skip();
      }
    }
    const std::string name = is_onnx_domain(domain) ? std::string(op) : std::string(domain) + "." + std::string(op);
    const auto [entry, is_new] = result_.nodes.emplace(name, 0);
    ++entry->second;
    if (is_new) {
      budget_.charge(8 * (name.size() + sizeof(std::string) + sizeof(void*)));
      if (find_op(domain, op) == nullptr) budget_.append(missing_ops_, name);
    }
    if (has_graph && name != "If") ops_with_graphs_.insert(name);
  }

  /// A function of the model: its nodes count like others, and nodes that call it need no op.
  void function(pbf_reader message) {
    std::string_view name, domain;
    while (message.next()) {
      if (message.tag() == function_field::name) {
        name = text(message, "name");
      } else if (message.tag() == function_field::domain) {
        domain = text(message, "domain");
      } else if (message.tag() == function_field::node) {
        node(part(message, "node"));
      } else {
        message.skip();
      }
    }
    budget_.charge(8 * (name.size() + domain.size() + sizeof(std::string) + sizeof(void*)));
    functions_.insert(std::string(domain) + "." + std::string(name));
  }

  /// The nodes of a graph that an attribute holds. True for one of type GRAPH or GRAPHS, as If, Loop and Scan have.
  bool holds_graph(pbf_reader message) {
    constexpr std::int64_t graph = 5, graphs = 10;
    bool result = false;
    while (message.next()) {
      if (message.tag() == attribute_field::type) {
        const std::int64_t type = integer(message, "type");
        result = result || type == graph || type == graphs;
      } else if (message.tag() == attribute_field::g && depth_ < deepest) {
        ++depth_;
        for (pbf_reader inner = part(message, "g"); inner.next();) {
          inner.tag() == graph_field::node ? node(part(inner, "node")) : inner.skip();
        }
        --depth_;
      } else {
        message.skip();
      }
    }
    return result;
  }

  ValueDescription tensor(pbf_reader message) {
    ValueDescription result{.has_shape = true};
    std::int64_t type = 0;
    while (message.next()) {
      switch (message.tag()) {
        case tensor_field::dims:
          each_varint(message, [&](std::int64_t dimension) { budget_.append(result.shape, Index{dimension}); });
          break;
        case tensor_field::data_type:
          type = integer(message, "data_type");
          break;
        case tensor_field::name:
          result.name = kept(text(message, "name"));
          break;
        case tensor_field::external_data:
          result.external = true;
          message.skip();
          break;
        case tensor_field::data_location:
          result.external = integer(message, "data_location") == 1;
          break;
        default:
          message.skip();
      }
    }
    result.type = name_of_element_type(type);
    note_type(type);
    return result;
  }

  void shape(pbf_reader message, ValueDescription& value) {
    value.has_shape = true;
    while (message.next(shape_field::dimension)) {
      budget_.append(value.shape, std::max(read_dimension(part(message, "dim")), Index{-1}));
    }
  }

  ValueDescription value(pbf_reader message) {
    ValueDescription result{.type = "of an unknown type"};
    while (message.next()) {
      if (message.tag() == value_field::name) {
        result.name = kept(text(message, "name"));
      } else if (message.tag() == value_field::type) {
        type(part(message, "type"), result);
      } else {
        message.skip();
      }
    }
    return result;
  }

  void type(pbf_reader message, ValueDescription& value) {
    while (message.next()) {
      switch (message.tag()) {
        case any_type_field::tensor: {
          std::int64_t element = 0;
          for (pbf_reader inside = part(message, "tensor_type"); inside.next();) {
            if (inside.tag() == tensor_type_field::element) {
              element = integer(inside, "elem_type");
            } else if (inside.tag() == tensor_type_field::shape) {
              shape(part(inside, "shape"), value);
            } else {
              inside.skip();
            }
          }
          value.type = name_of_element_type(element);
          note_type(element);
          break;
        }
        case any_type_field::sequence:
          no_tensor(message, value, "sequence");
          break;
        case any_type_field::map:
          no_tensor(message, value, "map");
          break;
        case any_type_field::sparse_tensor:
          no_tensor(message, value, "sparse tensor");
          break;
        case any_type_field::optional:
          no_tensor(message, value, "optional");
          break;
        default:
          message.skip();
      }
    }
  }

  void no_tensor(pbf_reader& message, ValueDescription& value, const char* what) {
    value.type = what;
    other_types_.insert(what);
    message.skip();
  }

  /// Records an element type that Cornu does not read.
  void note_type(std::int64_t type) {
    try {
      require_known(type);
    } catch (const FormatError&) {
      other_types_.insert(name_of_element_type(type));
    }
  }

  void find_unsupported() {
    const auto add = [&](bool applies, std::string what) {
      if (applies) result_.unsupported.push_back(std::move(what));
    };
    std::erase_if(missing_ops_, [&](const std::string& name) { return functions_.contains(name); });
    add(!missing_ops_.empty(), "ops: " + cornu::detail::listed(missing_ops_));
    for (const auto& [domain, version] : result_.opsets) {
      if (domain != "ai.onnx") continue;
      add(version > last_opset, message("opset {} (the latest is {})", version, last_opset));
      std::vector<std::string> older;
      for (const auto& [name, count] : result_.nodes) {
        const Op* const op = find_op("", name);
        if (op != nullptr && op->since > version) older.push_back(message("{} (since {})", name, op->since));
      }
      add(!older.empty(), message("ops in the version of opset {}: ", version) + cornu::detail::listed(older));
    }
    add(!other_types_.empty(), "types: " + cornu::detail::listed(other_types_));
    add(!ops_with_graphs_.empty(), "nested graphs: " + cornu::detail::listed(ops_with_graphs_));
    add(sparse_, "sparse initializers");
  }

  Budget& budget_;
  Description result_;
  std::vector<std::string> missing_ops_;
  std::set<std::string> ops_with_graphs_, other_types_, functions_;
  static constexpr int deepest = 16;  // graphs within graphs
  int depth_ = 0;
  bool sparse_ = false;
};

}  // namespace

Description describe(std::string_view bytes, std::string_view name) {
  const auto read = [&] {
    Budget budget(bytes.size(), 3);
    return Describer(budget).model(pbf_reader(bytes.data(), bytes.size()));
  };
  try {
    return cornu::detail::recognising(std::as_bytes(std::span(bytes)), {cornu::detail::FileKind::onnx}, [&] {
      try {
        return read();
      } catch (const protozero::exception& error) {
        throw FormatError(not_protocol_buffer(error, bytes));
      }
    });
  } catch (FormatError& error) {
    error.add_context(name);
    throw;
  }
}

Description describe(const std::string& file) {
  const FileBytes content(file, true);
  const std::span<const std::byte> bytes = content.bytes();
  return describe({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file);
}

}  // namespace cornu::onnx
