#pragma once

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/ops/ops.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/reader.h"

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
  /// Bit i: input i may hold integers that a Real cannot, because the op reads it with Call::integers, or only moves,
  /// orders or negates its elements. The last bit stands for all inputs from there on.
  unsigned large_integers = 0;
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
  std::vector<Index> tensor_integers;  // as in TensorMessage
};

struct Node {
  const Op* op;
  std::string name;
  Index opset;
  std::vector<Index> inputs, outputs;  // where their values are kept; -1: left out
  std::vector<Attribute> attributes;

  const Attribute* attribute(std::string_view wanted) const;
  bool is_unused() const {
    return std::all_of(outputs.begin(), outputs.end(), [](Index output) { return output < 0; });
  }
};

/// How a value's axes lie in memory. ONNX puts channels before the pixels, Cornu's windows move over images with the
/// channels last: a value stays as the last op left it until another one needs it otherwise.
enum class Layout {
  plain,          // as ONNX has it
  channels_last,  // (batch, pixels..., channels) instead of (batch, channels, pixels...)
  kernel,         // of a convolution: (rows, columns, in, out) instead of (out, in, rows, columns)
  transposed,     // of a product: (in, out) instead of (out, in)
};

/// Whether the Reals of an integer value are its integers exactly.
enum class Rounding { unknown, exact, rounded };

/// A value while a pass runs. It needs no destructor: it lives in the tape's memory.
struct Value {
  Var var;
  Kind kind = Kind::real;
  Layout layout = Layout::plain;
  Rounding rounding = Rounding::unknown;
  const Index* integers = nullptr;  // of a rounded value its elements, if they are known
};

/// A tensor of the file; `integers` as in TensorMessage.
Value value_of(Tape& tape, const Tensor& tensor, Kind kind, const std::vector<Index>& integers);

/// The value with its axes as ONNX has them. (Kernels and transposed weights never meet an op that would ask.)
Var plain(const Value& x);

/// One node in one pass: its inputs, its attributes, and where its outputs go.
class Call {
 public:
  Call(Tape& tape, const Node& node, std::span<Value> values) : tape_(tape), node_(node), values_(values) {}

  /// Runs the node's op. Throws FormatError for an output that it does not make, ValueError for integers that a Real
  /// cannot hold where they matter, and for a fraction among integers.
  void run();

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
  /// Integers, such as a shape. Throws FormatError for other kinds, ValueError for rounded ones.
  std::span<const Index> integers(std::size_t input) const;
  /// The same for bounds along an axis of at most `most` elements: those that were rounded are still out of bounds.
  std::span<const Index> bounds(std::size_t input, Index most) const;
  /// A single number.
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
  void result(std::size_t output, Var y, Kind kind = Kind::real, Layout layout = Layout::plain) {
    result(output, Value{y, kind, layout});
  }
  void result(std::size_t output, const Value& y) {
    if (wants(output)) values_[static_cast<std::size_t>(node_.outputs[output])] = y;
  }
  /// The elements of input 0 in another shape.
  void reshaped_result(Var y) {
    Value result = value(0);
    result.var = y;
    result.layout = Layout::plain;
    this->result(0, result);
  }
  /// Integers, computed from `operands`. `numbers` must live as long as the pass.
  void integer_result(const Shape& shape, std::span<const Index> numbers, std::initializer_list<Var> operands = {});
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

 private:
  std::span<const Index> integers_of(std::size_t input) const;
  [[noreturn]] void refuse_rounded(std::size_t input) const;

  Tape& tape_;
  const Node& node_;
  std::span<Value> values_;
};

/// The first element of a rounded value that a Real cannot hold, as a text.
std::string large_integer_in(const Value& value);
/// Whole numbers from 0 to n - 1.
std::span<Index> counted(Tape& tape, Index n);

}  // namespace cornu::onnx::detail
