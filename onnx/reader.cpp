#include "cornu/onnx/reader.h"

#include "cornu/formats/file_kind.h"
#include "cornu/onnx/external.h"
#include "cornu/onnx/wire.h"

namespace cornu::onnx::detail {

namespace {

class Reader {
 public:
  Reader(Budget& budget, const std::string& folder) : budget_(budget), files_(folder, budget) {}

  ModelMessage model(pbf_reader message);

 private:
  GraphMessage graph(pbf_reader message);
  NodeMessage node(pbf_reader message);
  AttributeMessage attribute(pbf_reader message);
  ValueMessage value(pbf_reader message);
  void type(pbf_reader message, ValueMessage& value);
  FunctionMessage function(pbf_reader message);
  Elements tensor(pbf_reader message) { return named_tensor(message).elements; }
  TensorMessage named_tensor(pbf_reader message) {
    return tensor_of(message, budget_, [this](const ExternalPlace& place) { return files_.bytes(place); });
  }

  static constexpr int deepest = 16;  // graphs within graphs
  Budget& budget_;
  ExternalFiles files_;
  int depth_ = 0;
};

AttributeMessage Reader::attribute(pbf_reader message) {
  AttributeMessage result;
  std::int64_t type = 0;
  try {
    while (message.next()) {
      switch (message.tag()) {
        case attribute_field::name:
          result.name = text(message, "name");
          break;
        case attribute_field::type:
          type = integer(message, "type");
          break;
        case attribute_field::f:
          expect(message, pbf_wire_type::fixed32, "f");
          result.real = static_cast<double>(message.get_float());
          break;
        case attribute_field::i:
          result.integer = integer(message, "i");
          break;
        case attribute_field::s:
          result.text = text(message, "s");
          break;
        case attribute_field::t:
          result.tensor = tensor(part(message, "t"));
          break;
        case attribute_field::g:
          budget_.append(result.graph, graph(part(message, "g")));
          break;
        case attribute_field::reference:
          result.reference = text(message, "ref_attr_name");
          break;
        case attribute_field::floats:
          each_float(message, [&](float number) { budget_.append(result.reals, static_cast<double>(number)); });
          break;
        case attribute_field::ints:
          each_varint(message, [&](std::int64_t number) { budget_.append(result.integers, Index{number}); });
          break;
        case attribute_field::strings:
          budget_.append(result.texts, text(message, "strings"));
          break;
        default:
          message.skip();
      }
    }
    result.type = static_cast<AttributeType>(type);
    const bool refers = !result.reference.empty();
    require<FormatError>(result.type != AttributeType::tensor || result.tensor || refers, "its tensor is missing");
    require<FormatError>(result.type != AttributeType::graph || result.graph.size() == 1 || refers,
                         "it has {} graphs, expected one", result.graph.size());
  } catch (Error& error) {
    error.add_context(cornu::message("attribute '{}'", result.name));
    throw;
  }
  return result;
}

NodeMessage Reader::node(pbf_reader message) {
  NodeMessage result;
  try {
    while (message.next()) {
      switch (message.tag()) {
        case node_field::input:
          budget_.append(result.inputs, text(message, "input"));
          break;
        case node_field::output:
          budget_.append(result.outputs, text(message, "output"));
          break;
        case node_field::name:
          result.name = text(message, "name");
          break;
        case node_field::op_type:
          result.op_type = text(message, "op_type");
          break;
        case node_field::domain:
          result.domain = text(message, "domain");
          break;
        case node_field::attribute:
          budget_.append(result.attributes, attribute(part(message, "attribute")));
          break;
        default:
          message.skip();
      }
    }
  } catch (Error& error) {
    error.add_context(cornu::message("node '{}' ({})", result.name, result.op_type));
    throw;
  }
  return result;
}

void Reader::type(pbf_reader message, ValueMessage& value) {
  bool is_tensor = false;
  while (message.next()) {
    if (message.tag() != type_field::tensor) {
      message.skip();
      continue;
    }
    is_tensor = true;
    std::int64_t element = 0;
    for (pbf_reader tensor_type = part(message, "tensor_type"); tensor_type.next();) {
      if (tensor_type.tag() == tensor_type_field::element) {
        element = integer(tensor_type, "elem_type");
      } else if (tensor_type.tag() == tensor_type_field::shape) {
        value.has_shape = true;
        for (pbf_reader shape = part(tensor_type, "shape"); shape.next(shape_field::dimension);) {
          const Index size = read_dimension(part(shape, "dim"));
          require<FormatError>(size >= -1, "dimension {} is {}", value.dimensions.size(), size);
          budget_.append(value.dimensions, size);
        }
      } else {
        tensor_type.skip();
      }
    }
    require_known(element);
    value.type = static_cast<ElementType>(element);
  }
  require<FormatError>(is_tensor, "it is not a tensor; no other type is supported");
}

ValueMessage Reader::value(pbf_reader message) {
  ValueMessage result;
  try {
    while (message.next()) {
      switch (message.tag()) {
        case value_field::name:
          result.name = text(message, "name");
          break;
        case value_field::type:
          type(part(message, "type"), result);
          break;
        default:
          message.skip();
      }
    }
  } catch (Error& error) {
    error.add_context(cornu::message("'{}'", result.name));
    throw;
  }
  return result;
}

GraphMessage Reader::graph(pbf_reader message) {
  require<FormatError>(depth_ < deepest, "its graphs are nested more than {} deep", deepest);
  ++depth_;
  GraphMessage result;
  while (message.next()) {
    switch (message.tag()) {
      case graph_field::node:
        budget_.append(result.nodes, node(part(message, "node")));
        break;
      case graph_field::initializer: {
        const pbf_reader field = part(message, "initializer");
        try {
          budget_.append(result.initializers, named_tensor(field));
        } catch (Error& error) {
          std::string_view name;
          for (pbf_reader fields = field; fields.next(tensor_field::name);) name = text(fields, "name");
          error.add_context(cornu::message("initializer '{}'", name));
          throw;
        }
        break;
      }
      case graph_field::input:
        budget_.append(result.inputs, value(part(message, "input")));
        break;
      case graph_field::output:
        budget_.append(result.outputs, value(part(message, "output")));
        break;
      case graph_field::sparse_initializer:
        throw FormatError("it has sparse initializers, which Cornu does not read");
      default:
        message.skip();
    }
  }
  --depth_;
  return result;
}

FunctionMessage Reader::function(pbf_reader message) {
  FunctionMessage result;
  while (message.next()) {
    switch (message.tag()) {
      case function_field::name:
        result.name = text(message, "name");
        break;
      case function_field::domain:
        result.domain = text(message, "domain");
        break;
      case function_field::input:
        budget_.append(result.inputs, text(message, "input"));
        break;
      case function_field::output:
        budget_.append(result.outputs, text(message, "output"));
        break;
      case function_field::node:
        budget_.append(result.nodes, node(part(message, "node")));
        break;
      case function_field::attribute_default:
        budget_.append(result.defaults, attribute(part(message, "attribute_proto")));
        break;
      case function_field::opset_import:
        budget_.append(result.opsets, read_opset(part(message, "opset_import")));
        break;
      default:
        message.skip();
    }
  }
  return result;
}

ModelMessage Reader::model(pbf_reader message) {
  ModelMessage result;
  bool has_graph = false;
  while (message.next()) {
    switch (message.tag()) {
      case model_field::ir_version:
        result.ir_version = integer(message, "ir_version");
        break;
      case model_field::producer_name:
        result.producer = text(message, "producer_name");
        break;
      case model_field::graph:
        require<FormatError>(!has_graph, "it has two graphs");
        result.graph = graph(part(message, "graph"));
        has_graph = true;
        break;
      case model_field::opset_import:
        budget_.append(result.opsets, read_opset(part(message, "opset_import")));
        break;
      case model_field::metadata:
        budget_.append(result.metadata, read_entry(part(message, "metadata_props")));
        break;
      case model_field::functions:
        budget_.append(result.functions, function(part(message, "functions")));
        break;
      default:
        message.skip();
    }
  }
  require<FormatError>(has_graph, "there is no graph in it; is it an ONNX model?");
  return result;
}

/// Calls `read` and rethrows every error as a FormatError that names the file.
template <class F>
auto reading(std::string_view bytes, std::string_view file, F read) {
  try {
    return read(Budget(bytes.size()), pbf_reader(bytes.data(), bytes.size()));
  } catch (const protozero::exception& error) {
    throw FormatError(message("{}: {}", file, not_protocol_buffer(error, bytes)));
  } catch (FormatError& error) {
    error.add_context(file);
    throw;
  } catch (const Error& error) {
    throw FormatError(message("{}: {}", file, error.what()));
  }
}

}  // namespace

Index read_dimension(pbf_reader message) {
  Index size = -1;
  while (message.next(dimension_field::value)) size = integer(message, "dim_value");
  return size;
}

std::pair<std::string_view, std::string_view> read_entry(pbf_reader message) {
  std::pair<std::string_view, std::string_view> result;
  while (message.next()) {
    switch (message.tag()) {
      case entry_field::key:
        result.first = text(message, "key");
        break;
      case entry_field::value:
        result.second = text(message, "value");
        break;
      default:
        message.skip();
    }
  }
  return result;
}

std::pair<std::string_view, std::int64_t> read_opset(pbf_reader message) {
  std::pair<std::string_view, std::int64_t> result;
  while (message.next()) {
    switch (message.tag()) {
      case opset_field::domain:
        result.first = text(message, "domain");
        break;
      case opset_field::version:
        result.second = integer(message, "version");
        break;
      default:
        message.skip();
    }
  }
  return result;
}

std::string not_protocol_buffer(const protozero::exception& error, std::string_view bytes) {
  return message("not an ONNX model, not a protocol buffer: {} (it begins with {}; is it truncated?)", error.what(),
                 cornu::detail::beginning_of(std::as_bytes(std::span(bytes))));
}

ModelMessage read_model(std::string_view bytes, std::string_view file, const std::string& folder) {
  return reading(bytes, file, [&](Budget budget, pbf_reader message) { return Reader(budget, folder).model(message); });
}

TensorMessage read_tensor(std::string_view bytes, std::string_view file) {
  return reading(bytes, file, [](Budget budget, pbf_reader message) {
    ExternalFiles none("", budget);
    return tensor_of(message, budget, [&](const ExternalPlace& place) { return none.bytes(place); });
  });
}

}  // namespace cornu::onnx::detail
