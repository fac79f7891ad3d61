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

/// The messages of an ONNX file, parsed and checked, but not yet resolved into a graph. The string_views point into the
/// bytes that were read, which must outlive the messages.
namespace cornu::onnx::detail {

/// The type of a tensor's elements. All are stored as Real.
enum class Kind { real, integer, boolean };

using cornu::detail::fits_real;

struct TensorMessage {
  std::string_view name;
  Kind kind = Kind::real;
  Tensor value;
  std::vector<Index> integers{};  // the exact elements, if a Real cannot represent one of them
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
  std::vector<std::pair<std::string_view, std::int64_t>> opsets;  // one per domain
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  GraphMessage graph;
};

/// Reads a whole model, or a single tensor as in ONNX's test data. Errors call it `file`. Allocates at most three times
/// the size of `bytes` plus 16 MB. Throws FormatError for a malformed message and for what Cornu does not read:
/// external data, element types other than float, double, int32, int64 and bool, sparse tensors, nested graphs.
ModelMessage read_model(std::string_view bytes, std::string_view file);
TensorMessage read_tensor(std::string_view bytes, std::string_view file);

}  // namespace cornu::onnx::detail
