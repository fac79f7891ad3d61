#pragma once

#include <cstdint>

/// Field numbers and type codes of ONNX's messages: the part of the schema that Cornu uses. Source: onnx/onnx.proto of
/// https://github.com/onnx/onnx.
namespace cornu::onnx::detail {

namespace model_field {
enum : std::uint32_t { ir_version = 1, producer_name = 2, graph = 7, opset_import = 8, metadata = 14, functions = 25 };
}
namespace function_field {
enum : std::uint32_t {
  name = 1,
  input = 4,
  output = 5,
  attribute = 6,
  node = 7,
  opset_import = 9,
  domain = 10,
  attribute_default = 11
};
}
namespace opset_field {
enum : std::uint32_t { domain = 1, version = 2 };
}
namespace entry_field {
enum : std::uint32_t { key = 1, value = 2 };
}
namespace graph_field {
enum : std::uint32_t { node = 1, name = 2, initializer = 5, input = 11, output = 12, sparse_initializer = 15 };
}
namespace node_field {
enum : std::uint32_t { input = 1, output = 2, name = 3, op_type = 4, attribute = 5, domain = 7 };
}
namespace attribute_field {
enum : std::uint32_t {
  name = 1,
  f = 2,
  i = 3,
  s = 4,
  t = 5,
  g = 6,
  floats = 7,
  ints = 8,
  strings = 9,
  type = 20,
  reference = 21
};
}
namespace tensor_field {
enum : std::uint32_t {
  dims = 1,
  data_type = 2,
  segment = 3,
  float_data = 4,
  int32_data = 5,
  int64_data = 7,
  name = 8,
  raw_data = 9,
  double_data = 10,
  uint64_data = 11,
  external_data = 13,
  data_location = 14,
};
}
namespace value_field {
enum : std::uint32_t { name = 1, type = 2 };
}
namespace type_field {
enum : std::uint32_t { tensor = 1 };
}
namespace tensor_type_field {
enum : std::uint32_t { element = 1, shape = 2 };
}
namespace shape_field {
enum : std::uint32_t { dimension = 1 };
}
namespace dimension_field {
enum : std::uint32_t { value = 1, parameter = 2 };
}

/// The type of an attribute: AttributeProto.AttributeType.
enum class AttributeType : std::int64_t {
  none = 0,
  real = 1,
  integer = 2,
  text = 3,
  tensor = 4,
  graph = 5,
  reals = 6,
  integers = 7,
  texts = 8
};

/// The element type of a tensor in the file: those of TensorProto.DataType that Cornu reads.
enum class ElementType : std::int64_t {
  none = 0,
  float32 = 1,
  uint8 = 2,
  int8 = 3,
  uint16 = 4,
  int16 = 5,
  int32 = 6,
  int64 = 7,
  boolean = 9,
  float16 = 10,
  float64 = 11,
  uint32 = 12,
  uint64 = 13,
  bfloat16 = 16
};

/// ONNX's names, for error messages.
inline const char* name_of_element_type(std::int64_t type) {
  constexpr const char* names[] = {"undefined", "float",  "uint8",     "int8",       "uint16",  "int16",
                                   "int32",     "int64",  "string",    "bool",       "float16", "double",
                                   "uint32",    "uint64", "complex64", "complex128", "bfloat16"};
  constexpr const char* later[] = {"float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",
                                   "int4",         "float4e2m1",     "float8e8m0", "uint2",          "int2"};
  return type >= 0 && type < 17 ? names[type] : type >= 17 && type < 27 ? later[type - 17] : "of an unknown type";
}
inline const char* name_of_attribute_type(std::int64_t type) {
  constexpr const char* names[] = {"nothing", "a float",         "an int",         "a string", "a tensor",
                                   "a graph", "floats",          "ints",           "strings",  "tensors",
                                   "graphs",  "a sparse tensor", "sparse tensors", "a type",   "types"};
  return type >= 0 && type < 15 ? names[type] : "something unknown";
}

}  // namespace cornu::onnx::detail
