#pragma once

#include <map>
#include <string>
#include <vector>

#include "cornu/models/tape_pool.h"
#include "cornu/onnx/call.h"
#include "cornu/onnx/model.h"

namespace cornu::onnx::detail {

/// An initializer, and the index of its value.
struct Initializer {
  std::string name;
  Parameter parameter;
  Kind kind = Kind::real;
  Layout layout = Layout::plain;
  Index value = 0;
  std::vector<Index> integers{};  // as in TensorMessage
};

/// A graph ready to run: nodes in topological order, values by index.
struct Graph {
  std::string file;
  std::vector<Node> nodes;
  std::vector<Initializer> initializers;
  std::vector<Port> inputs, outputs;
  std::vector<Kind> input_kinds;
  std::vector<Index> input_values, output_values;
  Index value_count = 0;
  std::map<std::string, std::string> metadata;
};

/// Moves the tensors out of the message. Throws FormatError for a graph that Cornu cannot run.
Graph graph_of(ModelMessage message, std::string_view file);

struct Program {
  Graph graph;
  cornu::detail::TapePool tapes;
};

}  // namespace cornu::onnx::detail
