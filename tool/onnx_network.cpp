// ONNX graphs for `cornu predict` and `cornu evaluate`.
#include "cornu/tool/onnx_files.h"

#ifdef CORNU_HAS_ONNX

#include <algorithm>
#include <string_view>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/options/options.h"
#include "cornu/core/text/listed.h"
#include "cornu/formats/json.h"
#include "cornu/onnx/model.h"
#include "cornu/tool/ports.h"

namespace cornu::tool {

namespace {

using Kind = GraphBatch::Kind;

std::string trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin));
}

/// Class names in the two common forms: a JSON list of strings, or a comma-separated list with one name per output.
/// Empty for anything else, as other programs may use the entry differently.
std::vector<std::string> class_names_of(const onnx::Model& model, const onnx::Port& output) {
  const auto found = model.metadata().find("class_names");
  if (found == model.metadata().end()) return {};
  const std::string& text = found->second;
  try {
    return value_of<std::vector<std::string>>(parse_json(text));
  } catch (const Error&) {
    if (text.find_first_of("[]{}\"'") != std::string::npos) return {};
  }
  std::vector<std::string> names;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    names.push_back(trimmed(std::string_view(text).substr(at, end - at)));
    at = end + 1;
  }
  const bool fits = output.shape && !output.shape->empty() && output.shape->back() == std::ssize(names);
  return fits ? names : std::vector<std::string>();
}

/// The shape of a sample; nullopt if an axis of it is open.
std::optional<Shape> sample_shape(const DeclaredShape& declared, const GraphBatch& batch) {
  if (!declared || (declared->empty() && batch.kind != Kind::none)) return std::nullopt;
  const std::span<const Index> sample = std::span(*declared).subspan(batch.kind == Kind::none ? 0 : 1);
  const bool known =
      sample.size() <= Shape::max_rank && std::all_of(sample.begin(), sample.end(), [](Index d) { return d >= 0; });
  return known ? std::optional(Shape(sample)) : std::nullopt;
}

/// A layer around a graph: takes any number of samples, and returns one output.
/// A graph with a fixed batch size runs on that many, the last ones being zeros if there are fewer; a graph without a
/// batch axis runs on each sample.
struct GraphLayer {
  onnx::Model graph;
  std::size_t output = 0;
  GraphBatch batch{};
  std::optional<Shape> sample{};  ///< of a single input
  std::vector<Shape> parts{};     ///< of several inputs: the samples of each, which x packs into rows

  std::optional<Shape> input_shape() const { return sample; }
  NamedParameters parameters() { return graph.parameters(); }

  /// Runs the graph once.
  Var run(Var x) const {
    const auto shaped = [&](Var part, const Shape& shape) {
      return reshape(part, batch.kind == Kind::none ? shape : shape.batched(x.shape()[0]));
    };
    if (parts.empty()) {
      const Var own = batch.kind == Kind::none ? shaped(x, x.shape().sub(1)) : x;
      return graph.forward(std::span<const Var>(&own, 1))[output];
    }
    std::vector<Var> inputs;
    Index begin = 0;
    for (const Shape& part : parts) {
      inputs.push_back(shaped(slice_axis(x, 1, begin, begin + part.size()), part));
      begin += part.size();
    }
    return graph.forward(inputs)[output];
  }

  /// Runs a graph with a fixed batch size.
  Var run_padded(Var x) const {
    const Index count = x.shape()[0];
    if (count == batch.size) return run(x);
    const View zeros = x.tape().scratch(x.shape().sub(1).batched(batch.size - count));
    std::fill(zeros.begin(), zeros.end(), Real{0});
    const Var y = run(concatenate({x, x.tape().input(zeros)}, 0));
    require(y.rank() > 0 && y.shape()[0] == batch.size, "for a batch of {} samples its outputs have shape {}",
            batch.size, y.shape());
    return slice_axis(y, 0, 0, count);
  }

  /// Runs a graph without a batch axis on one sample.
  Var run_one(Var x) const {
    const Var y = run(x);
    const Var result = reshape(y, y.shape().batched(1));
    if (const Var logits = y.softmax_logits()) result.made_from_logits(reshape(logits, result.shape()), true);
    return result;
  }

  Var forward(Var x) const {
    if (batch.kind == Kind::any) return run(x);
    const Index count = x.shape()[0], step = batch.kind == Kind::fixed ? batch.size : 1;
    std::vector<Var> results;
    for (Index begin = 0; begin < count; begin += step) {
      const Index end = std::min(begin + step, count);
      const Var chunk = count <= step ? x : slice_axis(x, 0, begin, end);
      results.push_back(batch.kind == Kind::fixed ? run_padded(chunk) : run_one(chunk));
    }
    return results.size() == 1 ? results.front() : concatenate(results, 0);
  }
};

/// The layer as a model; errors of the layer begin with the file's name.
Sequential model_of(GraphLayer graph, const std::string& path) {
  AnyLayer layer(std::move(graph));
  layer.rename(path);
  return Sequential{std::move(layer)};
}

}  // namespace

Network load_onnx(const std::string& path, const std::string& output_name) {
  const onnx::Model graph = onnx::load(path);
  require<ValueError>(!graph.inputs().empty() && !graph.outputs().empty(),
                      "{}: {} inputs and {} outputs; predict and evaluate require one of each; 'cornu run' runs it",
                      path, graph.inputs().size(), graph.outputs().size());
  std::vector<std::string> outputs;
  for (const onnx::Port& port : graph.outputs()) outputs.push_back(port.name);
  GraphLayer layer{.graph = graph, .output = position_of_output(output_name, outputs, path)};
  const onnx::Port& output = graph.outputs()[layer.output];
  std::vector<DeclaredShape> shapes;
  for (const onnx::Port& port : graph.inputs()) shapes.push_back(port.shape);
  const auto batch = batch_of(shapes, output.shape);
  require<ValueError>(batch.has_value(),
                      "{}: only some of its inputs {} have a batch axis; 'cornu run' takes arrays for them", path,
                      detail::listed(graph.inputs(), &onnx::Port::name));
  layer.batch = *batch;
  Network network{.model = {}, .class_names = class_names_of(graph, output), .batch = *batch};
  for (const onnx::Port& port : graph.inputs()) {
    network.inputs.push_back({port.name, sample_shape(port.shape, layer.batch)});
  }
  if (network.inputs.size() == 1) {
    layer.sample = network.inputs.front().shape;
    network.model = model_of(std::move(layer), path);
  } else {
    network.model_for = [layer = std::move(layer), path](const std::vector<Shape>& samples) {
      GraphLayer own = layer;
      own.parts = samples;
      return model_of(std::move(own), path);
    };
  }
  return network;
}

}  // namespace cornu::tool

#endif
