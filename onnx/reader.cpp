#include "cornu/onnx/reader.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <protozero/pbf_reader.hpp>

#include "cornu/core/error.h"

static_assert(std::endian::native == std::endian::little, "raw_data is little endian, and is copied as it is");

namespace cornu::onnx::detail {

namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

std::string_view text_of(pbf_reader& message) {
  const protozero::data_view view = message.get_view();
  return {view.data(), view.size()};
}

/// A file must not make us ask for much more memory than it has bytes.
class Budget {
 public:
  explicit Budget(std::size_t bytes) : left_(std::size_t{1} << 20) { left_ += 3 * bytes; }

  void charge(std::size_t bytes) {
    require<FormatError>(bytes <= left_, "reading it would take more than three times its size in memory");
    left_ -= bytes;
  }

 private:
  std::size_t left_;
};

class Reader {
 public:
  explicit Reader(std::size_t bytes) : budget_(bytes) {}

  ModelMessage model(pbf_reader message);
  TensorMessage tensor(pbf_reader message);

 private:
  GraphMessage graph(pbf_reader message);
  NodeMessage node(pbf_reader message);
  AttributeMessage attribute(pbf_reader message);
  ValueMessage value(pbf_reader message);
  void type(pbf_reader message, ValueMessage& value);
  std::pair<std::string_view, std::string_view> entry(pbf_reader message);
  std::pair<std::string_view, std::int64_t> opset(pbf_reader message);

  /// Throws unless the field is of the wire type that the schema has for it.
  static void expect(const pbf_reader& message, pbf_wire_type wanted, const char* what) {
    require<FormatError>(message.wire_type() == wanted, "{} has wire type {}, expected {}", what,
                         static_cast<int>(message.wire_type()), static_cast<int>(wanted));
  }
  static std::string_view text(pbf_reader& message, const char* what) {
    expect(message, pbf_wire_type::length_delimited, what);
    return text_of(message);
  }
  static pbf_reader part(pbf_reader& message, const char* what) {
    expect(message, pbf_wire_type::length_delimited, what);
    return message.get_message();
  }
  static std::int64_t integer(pbf_reader& message, const char* what) {
    expect(message, pbf_wire_type::varint, what);
    return message.get_int64();
  }

  template <class T, class U>
  void append(std::vector<T>& list, U&& item) {
    // A vector that grows has the old memory and the new, and some of it unused; later there is a Node of each.
    budget_.charge(4 * sizeof(T));
    list.push_back(std::forward<U>(item));
  }

  Budget budget_;
};

/// Calls f for each number of a repeated field, packed or not.
template <class F>
void each_varint(pbf_reader& message, F f) {
  if (message.wire_type() == pbf_wire_type::varint) return f(message.get_int64());
  require<FormatError>(message.wire_type() == pbf_wire_type::length_delimited, "whole numbers have wire type {}",
                       static_cast<int>(message.wire_type()));
  for (const std::int64_t number : message.get_packed_int64()) f(number);
}

template <class T>
T fixed(pbf_reader& message) {
  if constexpr (sizeof(T) == 4) return message.get_float();
  if constexpr (sizeof(T) == 8) return message.get_double();
}

template <class T, class F>
void each_fixed(pbf_reader& message, F f) {
  constexpr auto single = sizeof(T) == 4 ? pbf_wire_type::fixed32 : pbf_wire_type::fixed64;
  if (message.wire_type() == single) return f(fixed<T>(message));
  require<FormatError>(message.wire_type() == pbf_wire_type::length_delimited, "numbers have wire type {}",
                       static_cast<int>(message.wire_type()));
  const std::string_view bytes = text_of(message);
  require<FormatError>(bytes.size() % sizeof(T) == 0, "{} bytes of numbers, which have {} each", bytes.size(),
                       sizeof(T));
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(T)) {
    T number;
    std::memcpy(&number, bytes.data() + i, sizeof number);
    f(number);
  }
}

/// A whole number as Real. The largest of all stand for "no limit" and need not be exact.
Real real_of(std::int64_t number) {
  const auto result = static_cast<Real>(number);
  constexpr std::int64_t no_limit = std::int64_t{1} << 62;
  const bool exact = number <= -no_limit || number >= no_limit || static_cast<std::int64_t>(result) == number;
  require<FormatError>(exact, "the whole number {} is larger than Cornu can hold exactly", number);
  return result;
}

template <class T>
void copy_raw(std::string_view raw, Tensor& to) {
  for (Index i = 0; i < to.size(); ++i) {
    T number;
    std::memcpy(&number, raw.data() + static_cast<std::size_t>(i) * sizeof number, sizeof number);
    if constexpr (std::is_integral_v<T>) {
      to[i] = real_of(number);
    } else {
      to[i] = static_cast<Real>(number);
    }
  }
}

/// How a type of numbers is written.
struct Encoding {
  Kind kind;
  std::size_t raw_bytes;  // of each in raw_data
  std::uint32_t field;    // where they are otherwise
};

Encoding encoding_of(std::int64_t type) {
  switch (static_cast<ElementType>(type)) {
    case ElementType::float32:
      return {Kind::real, 4, tensor_field::float_data};
    case ElementType::float64:
      return {Kind::real, 8, tensor_field::double_data};
    case ElementType::int32:
      return {Kind::integer, 4, tensor_field::int32_data};
    case ElementType::int64:
      return {Kind::integer, 8, tensor_field::int64_data};
    case ElementType::boolean:
      return {Kind::boolean, 1, tensor_field::int32_data};
    default:
      throw FormatError(message("its elements are {}; float, double, int32, int64 and bool are what Cornu reads",
                                name_of_element_type(type)));
  }
}

TensorMessage Reader::tensor(pbf_reader message) {
  TensorMessage result;
  const pbf_reader whole = message;
  std::int64_t type = 0;
  std::array<Index, Shape::max_rank> dimensions{};
  std::size_t rank = 0;
  std::string_view raw;
  bool has_raw = false;
  while (message.next()) {
    switch (message.tag()) {
      case tensor_field::dims:
        each_varint(message, [&](std::int64_t dimension) {
          require<FormatError>(rank < dimensions.size(), "it has more than {} dimensions", dimensions.size());
          require<FormatError>(dimension >= 0, "dimension {} is {}", rank, dimension);
          dimensions[rank++] = dimension;
        });
        break;
      case tensor_field::data_type:
        type = integer(message, "data_type");
        break;
      case tensor_field::name:
        result.name = text(message, "name");
        break;
      case tensor_field::raw_data:
        raw = text(message, "raw_data");
        has_raw = true;
        break;
      case tensor_field::segment:
        throw FormatError("it is a segment of a tensor, which Cornu does not read");
      case tensor_field::external_data:
        throw FormatError("its numbers are in another file (external data); save the model with all data inside");
      case tensor_field::data_location:
        require<FormatError>(integer(message, "data_location") == 0,
                             "its numbers are in another file (external data); save the model with all data inside");
        break;
      default:
        message.skip();
    }
  }

  const Encoding encoding = encoding_of(type);
  result.kind = encoding.kind;
  Index size = 1;
  for (std::size_t i = 0; i < rank; ++i) {
    require<FormatError>(!__builtin_mul_overflow(size, dimensions[i], &size), "its dimensions overflow");
  }
  // Nothing is allocated before the numbers were found to be there.
  std::size_t count = 0;
  const auto numbers = [&](auto take) {
    for (pbf_reader fields = whole; fields.next();) {
      if (fields.tag() != encoding.field) {
        fields.skip();
      } else if (encoding.field == tensor_field::float_data) {
        each_fixed<float>(fields, take);
      } else if (encoding.field == tensor_field::double_data) {
        each_fixed<double>(fields, take);
      } else {
        each_varint(fields, take);
      }
    }
  };
  numbers([&](auto) { ++count; });
  require<FormatError>(!has_raw || count == 0, "it has numbers both in raw_data and beside it");
  if (has_raw) {
    require<FormatError>(raw.size() % encoding.raw_bytes == 0, "raw_data has {} bytes, which {} does not divide",
                         raw.size(), encoding.raw_bytes);
    count = raw.size() / encoding.raw_bytes;
  }
  const std::span<const Index> shape(dimensions.data(), rank);
  require<FormatError>(static_cast<std::size_t>(size) == count, "shape {} has {} numbers, {} are in the file",
                       to_string(shape), size, count);
  budget_.charge(count * sizeof(Real));
  result.value = Tensor(Shape(shape));
  if (!has_raw) {
    Index i = 0;
    numbers([&](auto number) {
      if constexpr (std::is_integral_v<decltype(number)>) {
        result.value[i++] = encoding.kind == Kind::boolean ? static_cast<Real>(number != 0) : real_of(number);
      } else {
        result.value[i++] = static_cast<Real>(number);
      }
    });
    return result;
  }
  switch (static_cast<ElementType>(type)) {
    case ElementType::float32:
      copy_raw<float>(raw, result.value);
      break;
    case ElementType::float64:
      copy_raw<double>(raw, result.value);
      break;
    case ElementType::int32:
      copy_raw<std::int32_t>(raw, result.value);
      break;
    case ElementType::int64:
      copy_raw<std::int64_t>(raw, result.value);
      break;
    default:
      for (Index i = 0; i < size; ++i) result.value[i] = raw[static_cast<std::size_t>(i)] != 0 ? Real{1} : Real{0};
  }
  return result;
}

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
        case attribute_field::ints:
          each_varint(message, [&](std::int64_t number) { append(result.integers, Index{number}); });
          break;
        case attribute_field::strings:
          append(result.texts, text(message, "strings"));
          break;
        default:
          message.skip();
      }
    }
    result.type = static_cast<AttributeType>(type);
    require<FormatError>(result.type != AttributeType::tensor || result.tensor, "its tensor is missing");
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
          append(result.inputs, text(message, "input"));
          break;
        case node_field::output:
          append(result.outputs, text(message, "output"));
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
          append(result.attributes, attribute(part(message, "attribute")));
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
          Index size = -1;
          for (pbf_reader dimension = part(shape, "dim"); dimension.next(dimension_field::value);) {
            size = integer(dimension, "dim_value");
          }
          require<FormatError>(size >= -1, "dimension {} is {}", value.dimensions.size(), size);
          append(value.dimensions, size);
        }
      } else {
        tensor_type.skip();
      }
    }
    value.kind = encoding_of(element).kind;
  }
  require<FormatError>(is_tensor, "it is no tensor, and Cornu has nothing else");
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
  GraphMessage result;
  while (message.next()) {
    switch (message.tag()) {
      case graph_field::node:
        append(result.nodes, node(part(message, "node")));
        break;
      case graph_field::initializer: {
        const pbf_reader field = part(message, "initializer");
        try {
          append(result.initializers, tensor(field));
        } catch (Error& error) {
          std::string_view name;
          for (pbf_reader fields = field; fields.next(tensor_field::name);) name = text(fields, "name");
          error.add_context(cornu::message("initializer '{}'", name));
          throw;
        }
        break;
      }
      case graph_field::input:
        append(result.inputs, value(part(message, "input")));
        break;
      case graph_field::output:
        append(result.outputs, value(part(message, "output")));
        break;
      case graph_field::sparse_initializer:
        throw FormatError("it has sparse initializers, which Cornu does not read");
      default:
        message.skip();
    }
  }
  return result;
}

std::pair<std::string_view, std::string_view> Reader::entry(pbf_reader message) {
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

std::pair<std::string_view, std::int64_t> Reader::opset(pbf_reader message) {
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
        append(result.opsets, opset(part(message, "opset_import")));
        break;
      case model_field::metadata:
        append(result.metadata, entry(part(message, "metadata_props")));
        break;
      case model_field::functions:
        throw FormatError("it has functions of its own, which Cornu does not read");
      default:
        message.skip();
    }
  }
  require<FormatError>(has_graph, "there is no graph in it; is it an ONNX model?");
  return result;
}

/// Runs `read` with every error as a FormatError that names the file.
template <class F>
auto reading(std::string_view bytes, std::string_view file, F read) {
  try {
    return read(Reader(bytes.size()), pbf_reader(bytes.data(), bytes.size()));
  } catch (const protozero::exception& error) {
    throw FormatError(message("{}: no protocol buffer: {} (is it truncated?)", file, error.what()));
  } catch (FormatError& error) {
    error.add_context(file);
    throw;
  } catch (const Error& error) {
    throw FormatError(message("{}: {}", file, error.what()));
  }
}

}  // namespace

ModelMessage read_model(std::string_view bytes, std::string_view file) {
  return reading(bytes, file, [](Reader reader, pbf_reader message) { return reader.model(message); });
}

TensorMessage read_tensor(std::string_view bytes, std::string_view file) {
  return reading(bytes, file, [](Reader reader, pbf_reader message) { return reader.tensor(message); });
}

}  // namespace cornu::onnx::detail
