#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/formats/raw_tensor.h"
#include "cornu/onnx/fields.h"

/// An ONNX file as it is written, checked but not yet understood. Texts show into the bytes that were read: these must
/// stay where they are.
namespace cornu::onnx::detail {

/// What the elements of a tensor mean. All are kept as Real.
enum class Kind { real, integer, boolean };

using cornu::detail::fits_real;

struct TensorMessage {
  std::string_view name;
  Kind kind = Kind::real;
  Tensor value;
  std::vector<Index> integers{};  // the elements again, if there is one among them that a Real cannot hold
};

struct AttributeMessage {
  std::string_view name;
  AttributeType type = AttributeType::none;
  double real = 0;
  std::int64_t integer = 0;
  std::string_view text;
  std::vector<Index> integers;
  std::vector<std::string_view> texts;
  std::optional<TensorMessage> tensor;
};

struct NodeMessage {
  std::vector<std::string_view> inputs, outputs;  // an input that is left out has an empty name
  std::string_view name, op_type, domain;
  std::vector<AttributeMessage> attributes;
};

/// An input or an output of a graph.
struct ValueMessage {
  std::string_view name;
  Kind kind = Kind::real;
  bool has_shape = false;
  std::vector<Index> dimensions;  // -1: any
};

struct GraphMessage {
  std::vector<NodeMessage> nodes;
  std::vector<TensorMessage> initializers;
  std::vector<ValueMessage> inputs, outputs;
};

struct ModelMessage {
  std::int64_t ir_version = 0;
  std::string_view producer;
  std::vector<std::pair<std::string_view, std::int64_t>> opsets;  // of each domain
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  GraphMessage graph;
};

/// A whole model, or a single tensor as ONNX's tests keep them. `file` is what errors call it. Reading takes, beside
/// the bytes, no more memory than three times their number and 16 megabytes. Throws FormatError for anything that
/// breaks the format, and for what Cornu does not read: data in other files, other numbers than float, double, int32,
/// int64 and bool, sparse tensors, graphs within graphs.
ModelMessage read_model(std::string_view bytes, std::string_view file);
TensorMessage read_tensor(std::string_view bytes, std::string_view file);

}  // namespace cornu::onnx::detail
