#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/ops.h"
#include "cornu/onnx/reader.h"
#include "cornu/onnx/take.h"

/// What a node of a graph is, and what an op sees of it while it runs.
namespace cornu::onnx::detail {

class Call;

/// An op that Cornu has: a row of the table in ops.cpp.
struct Op {
  std::string_view name;
  Index since;  // the first opset that has it as it is here
  std::size_t least_inputs, most_inputs, most_outputs;
  std::string_view attributes;  // all that it knows, with a space after each
  unsigned weights;             // bit i: input i is learnt where it is an initializer
  void (*run)(Call& call);
};

/// Any number of inputs or outputs.
inline constexpr std::size_t many = 1000;

/// The op of this name; null if Cornu has none. Those of training are in a domain of their own.
const Op* find_op(std::string_view domain, std::string_view name);

/// A number, text or tensor that a node was given with the graph.
struct Attribute {
  std::string name;
  AttributeType type;
  double real;
  Index integer;
  std::string text;
  std::vector<Index> integers;
  std::vector<std::string> texts;
  Kind kind;  // of the tensor
  Tensor tensor;
};

struct Node {
  const Op* op;
  std::string name;
  Index opset;
  std::vector<Index> inputs, outputs;  // where their values are kept; -1: left out
  std::vector<Attribute> attributes;

  const Attribute* attribute(std::string_view wanted) const;
};

/// How a value's axes lie in memory. ONNX puts channels before the pixels, Cornu's windows move over images with the
/// channels last: a value stays as the last op left it until another one needs it otherwise.
enum class Layout {
  plain,          // as ONNX has it
  channels_last,  // (batch, pixels..., channels) instead of (batch, channels, pixels...)
  kernel,         // of a convolution: (rows, columns, in, out) instead of (out, in, rows, columns)
  transposed,     // of a product: (in, out) instead of (out, in)
};

/// A value while a pass runs. It needs no destructor: it lives in the tape's memory.
struct Value {
  Var var;
  Kind kind = Kind::real;
  Layout layout = Layout::plain;
};

/// The value with its axes as ONNX has them. (Kernels and transposed weights never meet an op that would ask.)
Var plain(const Value& x);

/// One node in one pass: its inputs, its attributes, and where its outputs go.
class Call {
 public:
  Call(Tape& tape, const Node& node, std::span<Value> values) : tape_(tape), node_(node), values_(values) {}

  Tape& tape() const { return tape_; }
  Index opset() const { return node_.opset; }
  const Node& node() const { return node_; }

  // ---- Inputs ----

  std::size_t input_count() const { return node_.inputs.size(); }
  bool has(std::size_t input) const { return input < node_.inputs.size() && node_.inputs[input] >= 0; }
  const Value& value(std::size_t input) const;
  Kind kind(std::size_t input) const { return value(input).kind; }
  /// As ONNX has it, and with channels last.
  Var operator[](std::size_t input) const { return plain(value(input)); }
  Var channels_last(std::size_t input) const;
  /// All inputs from one on.
  std::span<Var> from(std::size_t first) const;
  /// Whole numbers, such as a shape; a single number.
  std::span<const Index> integers(std::size_t input) const;
  double number(std::size_t input) const { return static_cast<double>((*this)[input].item()); }

  // ---- Attributes; throw FormatError where one is of another type, or missing and without a default ----

  bool has(std::string_view attribute) const { return node_.attribute(attribute) != nullptr; }
  const Attribute& attribute(std::string_view name, AttributeType type) const;
  Index integer(std::string_view name) const { return attribute(name, AttributeType::integer).integer; }
  Index integer(std::string_view name, Index otherwise) const { return has(name) ? integer(name) : otherwise; }
  double real(std::string_view name, double otherwise) const;
  std::string_view text(std::string_view name, std::string_view otherwise) const;
  std::span<const Index> integers(std::string_view name) const {
    return attribute(name, AttributeType::integers).integers;
  }
  /// What newer opsets have as an input, and older ones as an attribute; empty if it is neither.
  std::optional<std::span<const Index>> integers(std::size_t input, std::string_view name) const;

  // ---- Outputs ----

  bool wants(std::size_t output) const { return output < node_.outputs.size() && node_.outputs[output] >= 0; }
  std::size_t output_count() const { return node_.outputs.size(); }
  void result(Var y, Kind kind = Kind::real, Layout layout = Layout::plain) { result(0, y, kind, layout); }
  void result(std::size_t output, Var y, Kind kind = Kind::real, Layout layout = Layout::plain);
  /// f of the first input, number by number, however its axes lie.
  template <class F>
  void map(F f) {
    const Value x = value(0);
    result(f(x.var), x.kind, x.layout);
  }

  // ---- Memory of the pass ----

  template <class T>
  std::span<T> memory(std::size_t count) const {
    return tape_memory<T>(tape_, count);
  }
  /// Whole numbers as a value.
  Var whole(std::span<const Index> numbers) const;
  Var whole(std::initializer_list<Index> numbers) const { return whole(std::span(numbers.begin(), numbers.size())); }

 private:
  Tape& tape_;
  const Node& node_;
  std::span<Value> values_;
};

/// A number of a tensor as a position or size; the largest stand for no limit.
Index index_of(Real number);
/// Whole numbers from 0 to n - 1.
std::span<Index> counted(Tape& tape, Index n);

}  // namespace cornu::onnx::detail
