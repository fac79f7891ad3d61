#include "cornu/tool/onnx_files.h"

#include "cornu/core/error.h"

#ifdef CORNU_HAS_ONNX
#include <algorithm>
#include <map>

#include "cornu/core/naming.h"
#include "cornu/core/ops.h"
#include "cornu/core/options.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/json.h"
#include "cornu/onnx/model.h"
#include "cornu/onnx/reader.h"
#include "cornu/onnx/save.h"
#endif

namespace cornu::tool {

#ifdef CORNU_HAS_ONNX

namespace {

/// A file and what was read of it, which shows into its bytes.
struct File {
  explicit File(const std::string& path) : content(path, false) {
    const auto bytes = content.bytes();
    message = onnx::detail::read_model({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
  }
  FileBytes content;
  onnx::detail::ModelMessage message;
};

Json json_of(std::span<const Index> shape) {
  Json::Array result;
  for (const Index dimension : shape) result.emplace_back(dimension < 0 ? Json() : Json(std::int64_t{dimension}));
  return result;
}

const char* name_of(onnx::detail::Kind kind) {
  switch (kind) {
    case onnx::detail::Kind::integer:
      return "integer";
    case onnx::detail::Kind::boolean:
      return "boolean";
    case onnx::detail::Kind::real:
      break;
  }
  return "real";
}

/// Inputs or outputs. Older files list the initializers among the inputs.
Json json_of(const std::vector<onnx::detail::ValueMessage>& ports, const onnx::detail::GraphMessage& graph) {
  Json::Array result;
  for (const onnx::detail::ValueMessage& port : ports) {
    const bool is_initializer = std::any_of(graph.initializers.begin(), graph.initializers.end(),
                                            [&](const auto& tensor) { return tensor.name == port.name; });
    if (is_initializer) continue;
    result.emplace_back(Json::Object{{"name", std::string(port.name)},
                                     {"type", name_of(port.kind)},
                                     {"shape", port.has_shape ? json_of(std::span(port.dimensions)) : Json()}});
  }
  return result;
}

std::vector<std::string> class_names_of(const onnx::Model& model, const std::string& path) {
  const auto found = model.metadata().find("class_names");
  if (found == model.metadata().end()) return {};
  return detail::naming(message("{}: the metadata entry \"class_names\"", path),
                        [&] { return value_of<std::vector<std::string>>(parse_json(found->second)); });
}

/// A graph that is made for a number of samples, as a layer that takes fewer as well: zeros fill them up.
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
    require(y.rank() > 0 && y.shape()[0] == batch, "its outputs for a batch of {} samples are {}", batch, y.shape());
    return slice_axis(y, 0, 0, count);
  }
};

}  // namespace

Network load_onnx(const std::string& path) {
  const onnx::Model graph = onnx::load(path);
  Network network{.model = {}, .class_names = class_names_of(graph, path)};
  const auto& shape = graph.inputs().front().shape;
  if (shape && !shape->empty() && shape->front() > 0) network.batch = shape->front();
  network.model = network.batch ? Sequential{FixedBatch{graph, *network.batch}} : Sequential{graph};
  return network;
}

std::vector<std::pair<std::string, Tensor>> read_onnx_weights(const std::string& path) {
  File file(path);
  std::vector<std::pair<std::string, Tensor>> weights;
  for (onnx::detail::TensorMessage& tensor : file.message.graph.initializers) {
    if (tensor.kind == onnx::detail::Kind::real) weights.emplace_back(tensor.name, std::move(tensor.value));
  }
  return weights;
}

void save_onnx(const Sequential& model, const std::string& path, const std::vector<std::string>& class_names) {
  onnx::save(model, path, {.class_names = class_names});
}

Json describe_onnx(const std::string& path) {
  const File file(path);
  const onnx::detail::ModelMessage& model = file.message;
  Json::Object opsets, metadata, nodes;
  for (const auto& [domain, version] : model.opsets) {
    opsets.emplace_back(domain.empty() ? "ai.onnx" : std::string(domain), version);
  }
  for (const auto& [key, value] : model.metadata) metadata.emplace_back(std::string(key), std::string(value));
  std::map<std::string_view, std::int64_t> counts;
  for (const onnx::detail::NodeMessage& node : model.graph.nodes) ++counts[node.op_type];
  for (const auto& [op, count] : counts) nodes.emplace_back(std::string(op), count);
  Json::Array initializers;
  for (const onnx::detail::TensorMessage& tensor : model.graph.initializers) {
    const Shape shape = tensor.value.shape();
    initializers.emplace_back(Json::Object{
        {"name", std::string(tensor.name)}, {"type", name_of(tensor.kind)}, {"shape", json_of(shape.dimensions())}});
  }
  return Json::Object{{"ir_version", model.ir_version},
                      {"producer", std::string(model.producer)},
                      {"opsets", std::move(opsets)},
                      {"inputs", json_of(model.graph.inputs, model.graph)},
                      {"outputs", json_of(model.graph.outputs, model.graph)},
                      {"metadata", std::move(metadata)},
                      {"nodes", std::move(nodes)},
                      {"initializers", std::move(initializers)}};
}

#else

namespace {

[[noreturn]] void refuse(const std::string& path) {
  throw ValueError(message("{}: an ONNX model, and this program was built without cornu::onnx", path));
}

}  // namespace

Network load_onnx(const std::string& path) { refuse(path); }
std::vector<std::pair<std::string, Tensor>> read_onnx_weights(const std::string& path) { refuse(path); }
void save_onnx(const Sequential&, const std::string& path, const std::vector<std::string>&) { refuse(path); }
Json describe_onnx(const std::string& path) { refuse(path); }

#endif

}  // namespace cornu::tool
