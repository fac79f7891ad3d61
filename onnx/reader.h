#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/formats/raw_tensor.h"
#include "cornu/onnx/value.h"

/// The messages of an ONNX file, parsed and checked, but not yet resolved into a graph. The string_views point into the
/// bytes that were read, which must outlive the messages.
namespace cornu::onnx::detail {

using cornu::detail::fits_real;

struct TensorMessage {
  std::string_view name;
  Elements elements;
};

struct GraphMessage;

struct AttributeMessage {
  std::string_view name;
  AttributeType type = AttributeType::none;
  double real = 0;
  std::int64_t integer = 0;
  std::string_view text;
  std::vector<double> reals;
  std::vector<Index> integers;
  std::vector<std::string_view> texts;
  std::optional<Elements> tensor;
  std::vector<GraphMessage> graph;  // one, if it holds a graph
  std::string_view reference;       // in a function: the attribute of the calling node whose value it takes
};

struct NodeMessage {
  std::vector<std::string_view> inputs, outputs;  // an input that is left out has an empty name
  std::string_view name, op_type, domain;
  std::vector<AttributeMessage> attributes;
  std::int64_t opset = 0;  // of the function that it comes from; 0: that of the model
};

/// An input or an output of a graph.
struct ValueMessage {
  std::string_view name;
  ElementType type = ElementType::none;
  bool has_shape = false;
  std::vector<Index> dimensions;  // -1: any
};

struct GraphMessage {
  std::vector<NodeMessage> nodes;
  std::vector<TensorMessage> initializers;
  std::vector<ValueMessage> inputs, outputs;
};

/// A function of the model, which its nodes may call like an op.
struct FunctionMessage {
  std::string_view name, domain;
  std::vector<std::string_view> inputs, outputs;
  std::vector<NodeMessage> nodes;
  std::vector<AttributeMessage> defaults;
  std::vector<std::pair<std::string_view, std::int64_t>> opsets;
};

struct ModelMessage {
  std::int64_t ir_version = 0;
  std::string_view producer;
  std::vector<std::pair<std::string_view, std::int64_t>> opsets;  // one per domain
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  GraphMessage graph;
  std::vector<FunctionMessage> functions;
  std::deque<std::string> names{};  // that are not in the file
};

/// Reads a whole model, or a single tensor as in ONNX's test data. Errors call it `file`. Allocates at most eight times
/// the size of `bytes`, and of the files that `folder` holds for it, plus 16 MB.
/// folder: where its external data is; empty: it must not have any. Throws FormatError for a malformed message and for
/// what Cornu does not read: elements that are not numbers, sparse tensors, sequences.
ModelMessage read_model(std::string_view bytes, std::string_view file, const std::string& folder = {});
TensorMessage read_tensor(std::string_view bytes, std::string_view file);

}  // namespace cornu::onnx::detail
