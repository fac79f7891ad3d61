#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cornu/core/options/json.h"
#include "cornu/tool/graph_batch.h"
#include "cornu/tool/network.h"

/// Everything that depends on cornu::onnx. Without it, these functions throw ValueError saying so.
namespace cornu::tool {

/// The graph as a network with one of its outputs; the first one if the name is empty.
Network load_onnx(const std::string& path, const std::string& output);

/// The initializers of a graph, with the names and axis order of the file.
struct OnnxWeights {
  std::vector<std::pair<std::string, Tensor>> list;
  std::vector<std::string> left_out;  ///< names of integer and boolean initializers
  std::vector<std::string> metadata;  ///< keys
};
OnnxWeights read_onnx_weights(const std::string& path);

void save_onnx(const Sequential& model, const std::string& path, const std::vector<std::string>& class_names);

/// An output of a graph: floats, or whole numbers and booleans.
struct GraphOutput {
  std::string name, type;
  Shape shape;
  Tensor real{};
  std::vector<std::int64_t> integers{};
  bool is_real = false;
};

/// An ONNX graph with any number of inputs and outputs.
class OnnxGraph {
 public:
  explicit OnnxGraph(const std::string& path);
  ~OnnxGraph();
  OnnxGraph(const OnnxGraph&) = delete;
  OnnxGraph& operator=(const OnnxGraph&) = delete;

  std::vector<std::string> input_names() const;
  std::vector<std::string> output_names() const;
  /// Runs it on arrays by the names of the inputs. An array with one axis less than the input, whose first axis is open
  /// or 1 in the file, is a batch of one. Where the shapes of the file are fixed, arrays of many samples run one by
  /// one: those with one axis more, and, if the outputs count samples, those with a multiple of the first axis. The
  /// outputs are stacked, or joined along their first axis. Arrays that fit as they are are used for each of them.
  /// Throws ValueError for other shapes.
  std::vector<GraphOutput> run(const std::map<std::string, RawTensor>& inputs) const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

/// The contents of a file: "ir_version", "producer", "opsets", "inputs", "outputs", "batch", "metadata", "nodes" (the
/// count of each op), "initializers", "parameters" (the count of their floats), "multiply_adds" (of a pass in which
/// open dimensions are 1; null if it cannot run), and "unsupported" (every reason why Cornu cannot run it).
Json describe_onnx(const std::string& path);

}  // namespace cornu::tool
