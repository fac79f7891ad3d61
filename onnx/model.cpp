#include "cornu/onnx/model.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/onnx/program.h"

namespace cornu::onnx {

using detail::Graph;
using detail::Initializer;
using detail::Kind;
using detail::Program;
using detail::Value;

namespace {

std::string names_of(const std::vector<Port>& ports) { return cornu::detail::listed(ports, &Port::name); }

/// Throws ValueError for a number out of the range of the input's type.
void require_in_range(const Graph& graph, std::size_t input, bool is_inside, const auto& number) {
  require<ValueError>(is_inside, "{}: input '{}' takes {}, got {}", graph.file, graph.inputs[input].name,
                      graph.inputs[input].type, number);
}

/// An input that takes whole numbers, given as Reals.
Value whole_input(const Graph& graph, std::size_t input, Var x) {
  const detail::ElementType type = graph.input_types[input];
  const auto [least, most] = detail::range_of(type);
  const std::span<Index> numbers = detail::tape_memory<Index>(x.tape(), static_cast<std::size_t>(x.size()));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const Real number = x.value()[static_cast<Index>(i)];
    require<ValueError>(std::trunc(number) == number, "{}: input '{}' takes integers, got {}", graph.file,
                        graph.inputs[input].name, number);
    require_in_range(graph, input,
                     static_cast<double>(least) <= static_cast<double>(number) &&
                         static_cast<double>(number) < static_cast<double>(most) + 1,
                     number);
    numbers[i] = static_cast<Index>(number);
  }
  Value result = detail::whole_value(type, x.shape(), numbers, x);
  result.var = x;
  return result;
}

Value value_of(const Graph& graph, std::size_t input, Var x) {
  const detail::ElementType type = graph.input_types[input];
  if (detail::kind_of(type) == Kind::real) return {.type = type, .var = x};
  return whole_input(graph, input, x);
}

/// x must outlive the pass.
Value value_of(const Graph& graph, std::size_t input, Tape& tape, const Array& x) {
  if (const auto* const real = std::get_if<Tensor>(&x)) return value_of(graph, input, tape.input(*real));
  const auto& integers = std::get<Integers>(x);
  const detail::ElementType type = graph.input_types[input];
  require<ValueError>(detail::kind_of(type) != Kind::real, "{}: input '{}' takes floats; give it a Tensor", graph.file,
                      graph.inputs[input].name);
  require<ValueError>(std::ssize(integers.elements) == integers.shape.size(),
                      "{}: input '{}' has {} elements, its shape {} has {}", graph.file, graph.inputs[input].name,
                      integers.elements.size(), integers.shape, integers.shape.size());
  const auto [least, most] = detail::range_of(type);
  for (const Index number : integers.elements) {
    require_in_range(graph, input, least <= number && number <= most, number);
  }
  return detail::whole_value(type, integers.shape, integers.elements);
}

/// Runs the graph on `tape` and returns all its values.
std::span<Value> run_graph(const Graph& graph, Tape& tape, std::span<const Value> inputs) {
  const auto count = static_cast<std::size_t>(graph.value_count);
  auto* const memory = static_cast<Value*>(tape.allocate(count * sizeof(Value)));
  std::uninitialized_value_construct_n(memory, count);
  const std::span<Value> values(memory, count);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    values[static_cast<std::size_t>(graph.input_values[i])] = inputs[i];
  }
  for (const Initializer& each : graph.initializers) {
    Value& value = values[static_cast<std::size_t>(each.value)];
    if (each.is_real()) {
      value = {.type = each.elements.type, .layout = each.layout, .var = tape.parameter(each.parameter)};
    } else {
      value = detail::value_of(tape, each.elements);
    }
    value.is_constant = true;
  }
  // Backward rules, and traces, read values later.
  detail::run_nodes(tape, graph.nodes, values, graph.file, !tape.training() && tape.recording() == nullptr);
  return values;
}

/// Runs the graph on Vars, given in its order.
std::span<Value> run_graph(const Graph& graph, Tape& tape, std::span<const Var> inputs) {
  require<ValueError>(inputs.size() == graph.inputs.size(), "{}: {} inputs given, expected {} ({})", graph.file,
                      inputs.size(), graph.inputs.size(), names_of(graph.inputs));
  const std::span<Value> values = detail::tape_memory<Value>(tape, inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) std::construct_at(&values[i], value_of(graph, i, inputs[i]));
  return run_graph(graph, tape, std::span<const Value>(values));
}

/// Output i with its axes in ONNX's order.
Var output(const Graph& graph, Tape& tape, std::span<Value> values, std::size_t i) {
  const Value& value = values[static_cast<std::size_t>(graph.output_values[i])];
  if (!value.is_real()) {
    for (const Index number : value.numbers()) {
      require<ValueError>(detail::fits_real(number),
                          "{}: output '{}' holds the integer {}, which is larger than Cornu can represent exactly; "
                          "run_exact returns it",
                          graph.file, graph.outputs[i].name, number);
    }
  }
  return detail::as_real(tape, value);
}

/// Takes inputs by name and returns all values of the graph.
template <class T>
std::span<Value> run_named(const Graph& graph, Tape& tape, const std::map<std::string, T>& inputs) {
  std::vector<Value> values;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const auto found = inputs.find(graph.inputs[i].name);
    require<ValueError>(found != inputs.end(), "{}: input '{}' is missing; its inputs are {}", graph.file,
                        graph.inputs[i].name, names_of(graph.inputs));
    if constexpr (std::is_same_v<T, Tensor>) {
      values.push_back(value_of(graph, i, tape.input(found->second)));
    } else {
      values.push_back(value_of(graph, i, tape, found->second));
    }
  }
  for (const auto& [name, value] : inputs) {
    const bool known = std::any_of(graph.inputs.begin(), graph.inputs.end(),
                                   [&, &n = name](const Port& port) { return port.name == n; });
    require<ValueError>(known, "{}: there is no input '{}'; its inputs are {}", graph.file, name,
                        names_of(graph.inputs));
  }
  return run_graph(graph, tape, std::span<const Value>(values));
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
  return output(graph, x.tape(), run_graph(graph, x.tape(), std::span<const Var>(&x, 1)), 0);
}

std::vector<Var> Model::forward(std::span<const Var> inputs) const {
  const Graph& graph = program_->graph;
  require<ValueError>(!inputs.empty(), "{}: no inputs given", graph.file);
  const std::span<Value> values = run_graph(graph, inputs[0].tape(), inputs);
  std::vector<Var> result;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    result.push_back(output(graph, inputs[0].tape(), values, i));
  }
  return result;
}

NamedParameters Model::parameters() {
  NamedParameters result;
  for (Initializer& each : program_->graph.initializers) {
    if (each.is_real()) result.push_back({each.name, &each.parameter});
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
  const std::span<Value> made = run_named(graph, *tape, inputs);
  std::map<std::string, Tensor> result;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    result.emplace(graph.outputs[i].name, Tensor(output(graph, *tape, made, i).value()));
  }
  return result;
}

std::map<std::string, Array> Model::run_exact(const std::map<std::string, Array>& inputs) const {
  const Graph& graph = program_->graph;
  const cornu::detail::TapePool::Lease tape(program_->tapes);
  const std::span<Value> made = run_named(graph, *tape, inputs);
  std::map<std::string, Array> result;
  for (std::size_t i = 0; i < graph.outputs.size(); ++i) {
    const Value& value = made[static_cast<std::size_t>(graph.output_values[i])];
    if (value.is_real()) {
      result.emplace(graph.outputs[i].name, Tensor(output(graph, *tape, made, i).value()));
    } else {
      result.emplace(graph.outputs[i].name, Integers{value.whole, {value.numbers().begin(), value.numbers().end()}});
    }
  }
  return result;
}

Tensor Model::predict(const Tensor& x) const {
  const cornu::detail::TapePool::Lease tape(program_->tapes);
  return Tensor(forward(tape->input(x)).value());
}

namespace {

std::unique_ptr<Program> program_of(std::string_view bytes, std::string_view name, const std::string& folder) {
  auto program = std::make_unique<Program>();
  try {
    program->graph = detail::graph_of(detail::read_model(bytes, name, folder), name);
  } catch (const FormatError&) {
    const std::string foreign =
        cornu::detail::described_if_foreign(std::as_bytes(std::span(bytes)), {cornu::detail::FileKind::onnx});
    if (!foreign.empty()) throw FormatError(message("{}: {}", name, foreign));
    throw;
  }
  return program;
}

}  // namespace

Model parse(std::string_view bytes, std::string_view name) { return Model(program_of(bytes, name, "")); }

Model load(const std::string& file) {
  const FileBytes content(file, false);
  const std::span<const std::byte> bytes = content.bytes();
  const std::filesystem::path folder = std::filesystem::path(file).parent_path();
  return Model(program_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file,
                          folder.empty() ? "." : folder.string()));
}

}  // namespace cornu::onnx
