#include "cornu/tool/onnx_files.h"

#include "cornu/core/error.h"

#ifdef CORNU_HAS_ONNX
#include <algorithm>
#include <filesystem>
#include <span>

#include "cornu/formats/file_bytes.h"
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

}  // namespace

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

std::optional<GraphBatch> batch_of_graph(const onnx::Description& model) {
  const auto shape = [](const onnx::ValueDescription& value) {
    return value.has_shape ? DeclaredShape(value.shape) : DeclaredShape();
  };
  std::vector<DeclaredShape> inputs;
  for (const onnx::ValueDescription& value : model.inputs) inputs.push_back(shape(value));
  return batch_of(inputs, model.outputs.empty() ? DeclaredShape() : shape(model.outputs.front()));
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
                      {"batch", text_of(batch_of_graph(model))},
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

Network load_onnx(const std::string& path, const std::string&) { refuse(path); }
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
