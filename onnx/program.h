#pragma once

#include <map>
#include <string>
#include <vector>

#include "cornu/models/tape_pool.h"
#include "cornu/onnx/call.h"
#include "cornu/onnx/model.h"

namespace cornu::onnx::detail {

/// An initializer, and the index of its value. Floats are a parameter; the others stay as they are.
struct Initializer {
  std::string name;
  Parameter parameter;
  Elements elements{};  // without floats
  Layout layout = Layout::plain;
  Index value = 0;

  bool is_real() const { return elements.kind() == Kind::real; }
};

/// A graph ready to run: nodes in topological order, values by index.
struct Graph {
  std::string file;
  std::vector<Node> nodes;
  std::vector<Initializer> initializers;
  std::vector<Port> inputs, outputs;
  std::vector<ElementType> input_types;
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
