#include "cornu/onnx/model.h"

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/onnx/program.h"

namespace cornu::onnx {

using detail::Call;
using detail::Graph;
using detail::Initializer;
using detail::Kind;
using detail::Program;
using detail::Rounding;
using detail::Value;

namespace {

std::string names_of(const std::vector<Port>& ports) { return cornu::detail::listed(ports, &Port::name); }

/// Throws ValueError unless all elements of an input are integers.
void require_integers(const Graph& graph, std::size_t input, ConstView numbers) {
  for (const Real number : numbers) {
    require<ValueError>(std::trunc(number) == number, "{}: input '{}' takes integers, got {}", graph.file,
                        graph.inputs[input].name, number);
  }
}

/// Runs the graph on `tape` and returns all its values.
std::span<Value> run_graph(const Graph& graph, Tape& tape, std::span<const Var> inputs) {
  require<ValueError>(inputs.size() == graph.inputs.size(), "{}: {} inputs given, expected {} ({})", graph.file,
                      inputs.size(), graph.inputs.size(), names_of(graph.inputs));
  const auto count = static_cast<std::size_t>(graph.value_count);
  auto* const memory = static_cast<Value*>(tape.allocate(count * sizeof(Value)));
  std::uninitialized_value_construct_n(memory, count);
  const std::span<Value> values(memory, count);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Kind kind = graph.input_kinds[i];
    if (kind == Kind::integer) require_integers(graph, i, inputs[i].value());
    values[static_cast<std::size_t>(graph.input_values[i])] = {
        .var = inputs[i], .kind = kind, .rounding = Rounding::exact};
  }
  for (const Initializer& each : graph.initializers) {
    values[static_cast<std::size_t>(each.value)] = each.kind == Kind::real
                                                       ? Value{tape.parameter(each.parameter), each.kind, each.layout}
                                                       : value_of(tape, each.parameter.value, each.kind, each.integers);
  }
  for (const detail::Node& node : graph.nodes) {
    try {
      Call(tape, node, values).run();
    } catch (Error& error) {
      error.add_context(message("{}: node '{}' ({})", graph.file, node.name, node.op->name));
      throw;
    } catch (const std::bad_alloc&) {
      throw ShapeError(
          message("{}: node '{}' ({}): not enough memory for its result", graph.file, node.name, node.op->name));
    }
  }
  return values;
}

/// Output i with its axes in ONNX's order.
Var output(const Graph& graph, std::span<Value> values, std::size_t i) {
  const Value& value = values[static_cast<std::size_t>(graph.output_values[i])];
  require<ValueError>(value.kind != Kind::integer || value.rounding != Rounding::rounded,
                      "{}: output '{}' holds the integer {}, which is larger than Cornu can represent exactly",
                      graph.file, graph.outputs[i].name,
                      value.rounding == Rounding::rounded ? large_integer_in(value) : std::string());
  return plain(value);
}

}  // namespace

Model::Model(std::unique_ptr<Program> program) : program_(std::move(program)) {}
Model::Model(const Model& other) : program_(std::make_unique<Program>()) { program_->graph = other.program_->graph; }
Model::Model(Model&&) noexcept = default;
Model& Model::operator=(Model other) noexcept {
  program_ = std::move(other.program_);
  return *this;
}
Model::~Model() = default;

const std::vector<Port>& Model::inputs() const { return program_->graph.inputs; }
const std::vector<Port>& Model::outputs() const { return program_->graph.outputs; }
const std::map<std::string, std::string>& Model::metadata() const { return program_->graph.metadata; }

Var Model::forward(Var x) const {
  const Graph& graph = program_->graph;
  require<ValueError>(graph.inputs.size() == 1 && graph.outputs.size() == 1,
                      "{}: inputs {} and outputs {}; a layer has one of each, use run", graph.file,
                      names_of(graph.inputs), names_of(graph.outputs));
  return output(graph, run_graph(graph, x.tape(), {&x, 1}), 0);
}

std::vector<Var> Model::forward(std::span<const Var> inputs) const {
  const Graph& graph = program_->graph;
  require<ValueError>(!inputs.empty(), "{}: no inputs given", graph.file);
  const std::span<Value> values = run_graph(graph, inputs[0].tape(), inputs);
  std::vector<Var> result;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    result.push_back(output(graph, values, i));
  }
  return result;
}

NamedParameters Model::parameters() {
  NamedParameters result;
  for (Initializer& each : program_->graph.initializers) {
    if (each.kind == Kind::real) result.push_back({each.name, &each.parameter});
  }
  return result;
}

std::optional<Shape> Model::input_shape() const {
  const std::vector<Port>& ports = inputs();
  if (ports.size() != 1 || !ports[0].shape || ports[0].shape->empty()) return std::nullopt;
  const std::span<const Index> sample = std::span(*ports[0].shape).subspan(1);
  const bool known =
      sample.size() <= Shape::max_rank && std::all_of(sample.begin(), sample.end(), [](Index d) { return d >= 0; });
  return known ? std::optional(Shape(sample)) : std::nullopt;
}

std::map<std::string, Tensor> Model::run(const std::map<std::string, Tensor>& inputs) const {
  const Graph& graph = program_->graph;
  const cornu::detail::TapePool::Lease tape(program_->tapes);
  std::vector<Var> values;
  for (const Port& port : graph.inputs) {
    const auto found = inputs.find(port.name);
    require<ValueError>(found != inputs.end(), "{}: input '{}' is missing; its inputs are {}", graph.file, port.name,
                        names_of(graph.inputs));
    values.push_back(tape->input(found->second));
  }
  for (const auto& [name, tensor] : inputs) {
    const bool known = std::any_of(graph.inputs.begin(), graph.inputs.end(),
                                   [&, &n = name](const Port& port) { return port.name == n; });
    require<ValueError>(known, "{}: there is no input '{}'; its inputs are {}", graph.file, name,
                        names_of(graph.inputs));
  }
  const std::span<Value> made = run_graph(graph, *tape, values);
  std::map<std::string, Tensor> result;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    result.emplace(graph.outputs[i].name, Tensor(output(graph, made, i).value()));
  }
  return result;
}

Tensor Model::predict(const Tensor& x) const {
  const cornu::detail::TapePool::Lease tape(program_->tapes);
  return Tensor(forward(tape->input(x)).value());
}

Model parse(std::string_view bytes, std::string_view name) {
  auto program = std::make_unique<Program>();
  try {
    program->graph = detail::graph_of(detail::read_model(bytes, name), name);
  } catch (const FormatError&) {
    const std::string foreign =
        cornu::detail::described_if_foreign(std::as_bytes(std::span(bytes)), {cornu::detail::FileKind::onnx});
    if (!foreign.empty()) throw FormatError(message("{}: {}", name, foreign));
    throw;
  }
  return Model(std::move(program));
}

Model load(const std::string& file) {
  const FileBytes content(file, false);
  const std::span<const std::byte> bytes = content.bytes();
  return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file);
}

}  // namespace cornu::onnx
