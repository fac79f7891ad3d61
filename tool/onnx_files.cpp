#include "cornu/tool/onnx_files.h"

#include "cornu/core/error.h"

#ifdef CORNU_HAS_ONNX
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <span>
#include <string_view>

#include "cornu/core/ops/ops.h"
#include "cornu/core/options/options.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/json.h"
#include "cornu/onnx/description.h"
#include "cornu/onnx/model.h"
#include "cornu/onnx/reader.h"
#include "cornu/onnx/save.h"
#include "cornu/tool/costs.h"
#endif

namespace cornu::tool {

#ifdef CORNU_HAS_ONNX

namespace {

Json json_of(std::span<const Index> shape) {
  Json::Array result;
  for (const Index dimension : shape) result.emplace_back(dimension < 0 ? Json() : Json(std::int64_t{dimension}));
  return result;
}

Json json_of(const std::vector<onnx::ValueDescription>& values) {
  Json::Array result;
  for (const onnx::ValueDescription& value : values) {
    Json::Object object{{"name", value.name},
                        {"type", value.type},
                        {"shape", value.has_shape ? json_of(std::span(value.shape)) : Json()}};
    if (value.external) object.emplace_back("external", true);
    result.emplace_back(std::move(object));
  }
  return result;
}

std::string trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  return std::string(text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin));
}

/// Class names in the two common forms: a JSON list of strings, or a comma-separated list with one name per output.
/// Empty for anything else, as other programs may use the entry differently.
std::vector<std::string> class_names_of(const onnx::Model& model) {
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
  const auto& shape = model.outputs().front().shape;
  const bool fits = shape && !shape->empty() && shape->back() == std::ssize(names);
  return fits ? names : std::vector<std::string>();
}

std::vector<std::string> names_of(const std::vector<onnx::Port>& ports) {
  std::vector<std::string> names;
  for (const onnx::Port& port : ports) names.push_back(port.name);
  return names;
}

/// An array for an input. Whole numbers stay what they are where the graph takes them.
onnx::Array array_for(const onnx::Port& port, RawTensor array, const std::string& path) {
  if (port.shape) {
    const std::vector<Index>& declared = *port.shape;
    if (array.shape.size() + 1 == declared.size() && (declared[0] == -1 || declared[0] == 1)) {
      array.shape.insert(array.shape.begin(), 1);
    }
    bool fits = array.shape.size() == declared.size();
    for (std::size_t i = 0; fits && i < declared.size(); ++i) {
      fits = declared[i] == -1 || declared[i] == array.shape[i];
    }
    if (!fits) {
      throw ValueError(message("{}: input '{}' has shape {} (-1: any length), the array has {}", path, port.name,
                               to_string(std::span(declared)), to_string(std::span(array.shape))));
    }
  }
  if (port.type.find("float") != std::string::npos || port.type == "double") return to_tensor(array);
  onnx::Integers result{.shape = Shape(array.shape), .elements = {}};
  const auto copy = [&]<class T>(T number) {
    for (std::size_t at = 0; at < array.bytes.size(); at += sizeof number) {
      std::memcpy(&number, array.bytes.data() + at, sizeof number);
      result.elements.push_back(static_cast<std::int64_t>(number));
    }
  };
  switch (array.dtype) {
    case Dtype::i64:
      copy(std::int64_t{});
      break;
    case Dtype::i32:
      copy(std::int32_t{});
      break;
    case Dtype::i16:
      copy(std::int16_t{});
      break;
    case Dtype::i8:
      copy(std::int8_t{});
      break;
    case Dtype::u32:
      copy(std::uint32_t{});
      break;
    case Dtype::u16:
      copy(std::uint16_t{});
      break;
    case Dtype::u8:
    case Dtype::boolean:
      copy(std::uint8_t{});
      break;
    default:  // floats that are whole numbers
      return to_tensor(array);
  }
  return result;
}

/// A layer around a graph with a fixed batch size: smaller batches are padded with zeros.
struct FixedBatch {
  onnx::Model graph;
  Index batch;

  std::optional<Shape> input_shape() const { return graph.input_shape(); }
  NamedParameters parameters() { return graph.parameters(); }
  Var forward(Var x) const {
    const Index count = x.shape()[0];
    if (count == batch) return graph.forward(x);
    const View zeros = x.tape().scratch(x.shape().sub(1).batched(batch - count));
    std::fill(zeros.begin(), zeros.end(), Real{0});
    const Var y = graph.forward(concatenate({x, x.tape().input(zeros)}, 0));
    require(y.rank() > 0 && y.shape()[0] == batch, "for a batch of {} samples its outputs have shape {}", batch,
            y.shape());
    return slice_axis(y, 0, 0, count);
  }
};

}  // namespace

Network load_onnx(const std::string& path) {
  const onnx::Model graph = onnx::load(path);
  require<ValueError>(graph.inputs().size() == 1 && graph.outputs().size() == 1,
                      "{}: {} inputs and {} outputs; predict and evaluate require one of each", path,
                      graph.inputs().size(), graph.outputs().size());
  Network network{.model = {}, .class_names = class_names_of(graph)};
  const auto& shape = graph.inputs().front().shape;
  if (shape && !shape->empty() && shape->front() > 0) network.batch = shape->front();
  network.model = network.batch ? Sequential{FixedBatch{graph, *network.batch}} : Sequential{graph};
  return network;
}

struct OnnxGraph::Content {
  std::string path;
  onnx::Model model;
};

OnnxGraph::OnnxGraph(const std::string& path) : content_(std::make_unique<Content>(Content{path, onnx::load(path)})) {}
OnnxGraph::~OnnxGraph() = default;

std::vector<std::string> OnnxGraph::input_names() const { return names_of(content_->model.inputs()); }
std::vector<std::string> OnnxGraph::output_names() const { return names_of(content_->model.outputs()); }

std::vector<GraphOutput> OnnxGraph::run(const std::map<std::string, RawTensor>& inputs) const {
  const onnx::Model& model = content_->model;
  std::map<std::string, onnx::Array> arrays;
  for (const onnx::Port& port : model.inputs()) {
    const auto found = inputs.find(port.name);
    if (found != inputs.end()) arrays.emplace(port.name, array_for(port, found->second, content_->path));
  }
  const std::map<std::string, onnx::Array> made = model.run_exact(arrays);
  std::vector<GraphOutput> result;
  for (const onnx::Port& port : model.outputs()) {
    const onnx::Array& array = made.at(port.name);
    GraphOutput output{.name = port.name, .type = port.type, .shape = {}};
    if (const auto* const real = std::get_if<Tensor>(&array)) {
      output.shape = real->shape();
      output.is_real = true;
      output.real = *real;
    } else {
      const auto& whole = std::get<onnx::Integers>(array);
      output.shape = whole.shape;
      output.integers = whole.elements;
    }
    result.push_back(std::move(output));
  }
  return result;
}

OnnxWeights read_onnx_weights(const std::string& path) {
  const FileBytes content(path, false);
  const auto bytes = content.bytes();
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  onnx::detail::ModelMessage message = onnx::detail::read_model(
      {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, folder.empty() ? "." : folder.string());
  OnnxWeights weights;
  for (onnx::detail::TensorMessage& tensor : message.graph.initializers) {
    if (tensor.elements.kind() == onnx::detail::Kind::real) {
      weights.list.emplace_back(tensor.name, std::move(tensor.elements.real));
    } else {
      weights.left_out.emplace_back(tensor.name);
    }
  }
  for (const auto& [key, value] : message.metadata) weights.metadata.emplace_back(key);
  return weights;
}

void save_onnx(const Sequential& model, const std::string& path, const std::vector<std::string>& class_names) {
  onnx::save(model, path, {.class_names = class_names});
}

namespace {

/// The multiply-adds of a pass in which every open dimension is 1; null if that does not run.
Json cost_of(const std::string& path) {
  try {
    const onnx::Model model = onnx::load(path);
    std::vector<Tensor> inputs;
    for (const onnx::Port& port : model.inputs()) {
      if (!port.shape) return {};
      std::vector<Index> shape = *port.shape;
      std::replace(shape.begin(), shape.end(), Index{-1}, Index{1});
      inputs.emplace_back(Shape(std::span<const Index>(shape)));
    }
    if (inputs.empty()) return {};
    return std::int64_t{multiply_adds([&](Tape& tape) {
      std::vector<Var> vars;
      for (const Tensor& input : inputs) vars.push_back(tape.input(input));
      static_cast<void>(model.forward(vars));
    })};
  } catch (const Error&) {
    return {};
  }
}

/// -1 if it is beyond 64 bits.
std::int64_t parameter_count(const onnx::Description& model) {
  std::int64_t count = 0;
  for (const onnx::ValueDescription& value : model.initializers) {
    if (value.type.find("float") == std::string::npos && value.type != "double") continue;
    std::int64_t size = 1;
    bool overflows = false;
    for (const Index dimension : value.shape) overflows |= __builtin_mul_overflow(size, dimension, &size);
    if (overflows || size < 0 || __builtin_add_overflow(count, size, &count)) return -1;  // not a file that can be run
  }
  return count;
}

}  // namespace

Json describe_onnx(const std::string& path) {
  const onnx::Description model = onnx::describe(path);
  Json::Object opsets, metadata, nodes;
  for (const auto& [domain, version] : model.opsets) opsets.emplace_back(domain, version);
  for (const auto& [key, value] : model.metadata) metadata.emplace_back(key, value);
  for (const auto& [op, count] : model.nodes) nodes.emplace_back(op, count);
  Json::Array unsupported;
  for (const std::string& what : model.unsupported) unsupported.emplace_back(what);
  return Json::Object{{"ir_version", model.ir_version},
                      {"producer", model.producer},
                      {"opsets", std::move(opsets)},
                      {"inputs", json_of(model.inputs)},
                      {"outputs", json_of(model.outputs)},
                      {"metadata", std::move(metadata)},
                      {"nodes", std::move(nodes)},
                      {"initializers", json_of(model.initializers)},
                      {"parameters", parameter_count(model)},
                      {"multiply_adds", model.unsupported.empty() ? cost_of(path) : Json()},
                      {"unsupported", std::move(unsupported)}};
}

#else

namespace {

[[noreturn]] void refuse(const std::string& path) {
  throw ValueError(message("{}: an ONNX model, but this program was built without cornu::onnx", path));
}

}  // namespace

Network load_onnx(const std::string& path) { refuse(path); }
struct OnnxGraph::Content {};
OnnxGraph::OnnxGraph(const std::string& path) { refuse(path); }
OnnxGraph::~OnnxGraph() = default;
std::vector<std::string> OnnxGraph::input_names() const { return {}; }
std::vector<std::string> OnnxGraph::output_names() const { return {}; }
std::vector<GraphOutput> OnnxGraph::run(const std::map<std::string, RawTensor>&) const { return {}; }
OnnxWeights read_onnx_weights(const std::string& path) { refuse(path); }
void save_onnx(const Sequential&, const std::string& path, const std::vector<std::string>&) { refuse(path); }
Json describe_onnx(const std::string& path) { refuse(path); }

#endif

}  // namespace cornu::tool
