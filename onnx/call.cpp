#include "cornu/onnx/call.h"

#include <algorithm>
#include <new>
#include <numeric>

#include "cornu/core/error.h"

namespace cornu::onnx::detail {

namespace {

const char* name_of(ElementType type) { return name_of_element_type(static_cast<std::int64_t>(type)); }

/// "floats or whole numbers".
std::string text_of(Kinds kinds) {
  std::string result;
  const auto add = [&](Kinds kind, const char* name) {
    if ((kinds & kind) == 0) return;
    if (!result.empty()) result += " or ";
    result += name;
  };
  add(reals, "floats");
  add(integers, "whole numbers");
  add(booleans, "booleans");
  return result;
}

Kinds bit_of(Kind kind) { return kind == Kind::real ? reals : kind == Kind::integer ? integers : booleans; }

}  // namespace

const Attribute* Node::attribute(std::string_view wanted) const {
  for (const Attribute& attribute : attributes) {
    if (attribute.name == wanted) return &attribute;
  }
  return nullptr;
}

namespace {

/// Frees the memory of values after their last reads.
class Recycling {
 public:
  explicit Recycling(Tape& tape) : arena_(tape.arena()) { arena_.start_recycling(); }
  ~Recycling() { arena_.stop_recycling(); }
  Recycling(const Recycling&) = delete;
  Recycling& operator=(const Recycling&) = delete;

  /// After a node: its results are kept, everything else that it allocated is freed.
  void after(const Node& node, std::span<const Value> values) {
    for (const Index output : node.outputs) {
      if (output >= 0) each_memory(values[static_cast<std::size_t>(output)], [&](const void* at) { arena_.hold(at); });
    }
    for (const Index value : node.last_reads) {
      each_memory(values[static_cast<std::size_t>(value)], [&](const void* at) { arena_.release(at); });
    }
    arena_.sweep();
  }

 private:
  template <class F>
  static void each_memory(const Value& value, F f) {
    if (value.size() == 0) return;
    if (value.var) f(value.var.value().data());
    if (value.integers != nullptr) f(value.integers);
  }

  cornu::detail::Arena& arena_;
};

}  // namespace

void run_nodes(Tape& tape, std::span<const Node> nodes, std::span<Value> values, std::string_view file, bool recycles) {
  std::optional<Recycling> recycling;
  if (recycles) recycling.emplace(tape);
  for (const Node& node : nodes) {
    try {
      Call(tape, node, values, file).run();
      if (recycling) recycling->after(node, values);
    } catch (Error& error) {
      error.add_context(message("{}: node '{}' ({})", file, node.name, node.op->name));
      throw;
    } catch (const std::bad_alloc&) {
      throw ShapeError(message("{}: node '{}' ({}): not enough memory for its result", file, node.name, node.op->name));
    }
  }
}

void Call::run() {
  const Op& op = *node_.op;
  if (has(op.data) && (op.takes & bit_of(kind(op.data))) == 0) {
    throw FormatError(message("input {} holds {}; it takes {}", op.data, name_of(type(op.data)), text_of(op.takes)));
  }
  op.run(*this);
  const bool is_constant = std::all_of(node_.inputs.begin(), node_.inputs.end(), [&](Index input) {
    return input < 0 || values_[static_cast<std::size_t>(input)].is_constant;
  });
  for (std::size_t i = 0; i < output_count(); ++i) {
    if (!wants(i)) continue;
    Value& y = values_[static_cast<std::size_t>(node_.outputs[i])];
    require<FormatError>(static_cast<bool>(y), "its output {} is not computed", i);
    y.is_constant = is_constant && node_.op->name != "If";
  }
}

// ---- Inputs ----

const Value& Call::value(std::size_t input) const {
  require<FormatError>(has(input), "input {} is missing", input);
  return values_[static_cast<std::size_t>(node_.inputs[input])];
}

void Call::require_floats(std::size_t input) const {
  require<FormatError>(is_real(input), "input {} holds {}; floats are required", input, name_of(type(input)));
}

Var Call::operator[](std::size_t input) const {
  require_floats(input);
  return plain(value(input));
}

Var Call::channels_last(std::size_t input) const {
  require_floats(input);
  const Value& x = value(input);
  if (x.layout == Layout::channels_last) return x.var;
  require<FormatError>(
      x.var.rank() == 3 || x.var.rank() == 4,
      "an input of shape {}; (batch, channels, height, width) or (batch, channels, length) is required", x.var.shape());
  return x.var.rank() == 3 ? cornu::transpose(x.var, {0, 2, 1}) : cornu::transpose(x.var, {0, 2, 3, 1});
}

std::span<Value> Call::from(std::size_t first) const {
  const std::span<Value> result = memory<Value>(input_count() - first);
  for (std::size_t i = 0; i < result.size(); ++i) std::construct_at(&result[i], value(first + i));
  return result;
}

std::span<const Index> Call::integers(std::size_t input) const {
  require<FormatError>(!is_real(input), "input {} holds {}; whole numbers are required", input, name_of(type(input)));
  return value(input).numbers();
}

double Call::number(std::size_t input) const {
  const Value& x = value(input);
  require(x.size() == 1, "input {} has shape {}; one number is required", input, x.shape());
  return x.is_real() ? static_cast<double>(x.var.item()) : static_cast<double>(x.integers[0]);
}

Var Call::source() const {
  for (std::size_t i = 0; i < input_count(); ++i) {
    if (!has(i) || value(i).is_constant) continue;
    if (const Var origin = value(i).origin()) return origin;
  }
  return {};
}

// ---- Attributes ----

const Attribute& Call::attribute(std::string_view name, AttributeType type) const {
  const Attribute* const found = node_.attribute(name);
  require<FormatError>(found != nullptr, "attribute '{}' is missing", name);
  require<FormatError>(found->type == type, "attribute '{}' holds {}, expected {}", name,
                       name_of_attribute_type(static_cast<std::int64_t>(found->type)),
                       name_of_attribute_type(static_cast<std::int64_t>(type)));
  return *found;
}

double Call::real(std::string_view name, double otherwise) const {
  return has(name) ? attribute(name, AttributeType::real).real : otherwise;
}

std::string_view Call::text(std::string_view name, std::string_view otherwise) const {
  return has(name) ? std::string_view(attribute(name, AttributeType::text).text) : otherwise;
}

std::optional<std::span<const Index>> Call::integers(std::size_t input, std::string_view name) const {
  if (has(input)) return integers(input);
  if (has(name)) return integers(name);
  return std::nullopt;
}

void Call::run_graph(std::string_view name) {
  const Body& body = *attribute(name, AttributeType::graph).body;
  require<FormatError>(body.outputs.size() >= output_count(), "the graph '{}' has {} outputs, the node has {}", name,
                       body.outputs.size(), output_count());
  run_nodes(tape_, body.nodes, values_, file_);
  for (std::size_t i = 0; i < output_count(); ++i) {
    result(i, values_[static_cast<std::size_t>(body.outputs[i])]);
  }
}

// ---- Outputs ----

void Call::result(std::size_t output, Var y, Layout layout) {
  const bool follows = has(node_.op->data) && is_real(node_.op->data);
  result(output, {.type = follows ? type(node_.op->data) : ElementType::float32, .layout = layout, .var = y});
}

std::span<Index> counted(Tape& tape, Index n) {
  const std::span<Index> result = tape_memory<Index>(tape, static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), Index{0});
  return result;
}

}  // namespace cornu::onnx::detail
