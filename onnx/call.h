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

/// The nodes of a graph, and the interface through which an op reads inputs and writes outputs.
namespace cornu::onnx::detail {

class Call;

/// An op that Cornu implements: one row of the tables in onnx/ops.
struct Op {
  std::string_view name;
  Index since;  // the first opset that defines it as implemented here
  std::size_t least_inputs, most_inputs, most_outputs;
  std::string_view attributes;  // all attributes it supports, each followed by a space
  unsigned weights;             // bit i: input i is a trainable weight if it is an initializer
  void (*run)(Call& call);
  /// Bit i: input i may hold integers that a Real cannot represent, because the op reads it with Call::integers, or
  /// only moves, orders or negates its elements. The last bit covers all inputs from there on.
  unsigned large_integers = 0;
};

/// Stands for an unlimited number of inputs or outputs.
inline constexpr std::size_t many = 1000;

/// True for ONNX's default domain, which has two names.
bool is_onnx_domain(std::string_view domain);
/// The op of this name, in whatever opset, or null if Cornu has none. The optimizers are in the domain
/// "ai.onnx.preview.training".
const Op* find_op(std::string_view domain, std::string_view name);

/// An attribute of a node: a number, text or tensor from the file.
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
  std::vector<Index> inputs, outputs;  // indices into the pass's values; -1: left out
  std::vector<Attribute> attributes;

  const Attribute* attribute(std::string_view wanted) const;
  bool is_unused() const {
    return std::all_of(outputs.begin(), outputs.end(), [](Index output) { return output < 0; });
  }
};

/// The order of a value's axes in memory. ONNX stores images with the channels first, Cornu computes with the channels
/// last. A value keeps the layout that the last op produced until another op needs a different one.
enum class Layout {
  plain,          // the order of the ONNX file
  channels_last,  // (batch, pixels..., channels) instead of (batch, channels, pixels...)
  kernel,         // of a convolution: (rows, columns, in, out) instead of (out, in, rows, columns)
  transposed,     // of a matrix product: (in, out) instead of (out, in)
};

/// Whether an integer value is represented exactly by its Reals.
enum class Rounding { unknown, exact, rounded };

/// A value during a pass. It lives in the tape's memory and must not need a destructor.
struct Value {
  Var var;
  Kind kind = Kind::real;
  Layout layout = Layout::plain;
  Rounding rounding = Rounding::unknown;
  const Index* integers = nullptr;  // the exact elements of a rounded value, if known
};

/// A tensor from the file; `integers` as in TensorMessage.
Value value_of(Tape& tape, const Tensor& tensor, Kind kind, const std::vector<Index>& integers);

/// The value with its axes in ONNX's order. Kernels and transposed weights never reach an op that calls this.
Var plain(const Value& x);

/// One node in one pass: gives its op the inputs and attributes, and takes the outputs.
class Call {
 public:
  Call(Tape& tape, const Node& node, std::span<Value> values) : tape_(tape), node_(node), values_(values) {}

  /// Runs the node's op. Throws FormatError if a used output is not computed, and ValueError for an integer that a Real
  /// cannot represent where its exact value matters, or for a fraction in an integer result.
  void run();

  Tape& tape() const { return tape_; }
  Index opset() const { return node_.opset; }
  const Node& node() const { return node_; }

  // ---- Inputs ----

  std::size_t input_count() const { return node_.inputs.size(); }
  bool has(std::size_t input) const { return input < node_.inputs.size() && node_.inputs[input] >= 0; }
  const Value& value(std::size_t input) const;
  Kind kind(std::size_t input) const { return value(input).kind; }
  /// The input with its axes in ONNX's order, and with the channels last.
  Var operator[](std::size_t input) const { return plain(value(input)); }
  Var channels_last(std::size_t input) const;
  /// All inputs from `first` on.
  std::span<Var> from(std::size_t first) const;
  /// The elements as integers, such as a shape. Throws FormatError for other kinds, ValueError for rounded values.
  std::span<const Index> integers(std::size_t input) const;
  /// Bounds along an axis of at most `most` elements. Rounded values are accepted: rounding leaves them out of range.
  std::span<const Index> bounds(std::size_t input, Index most) const;
  /// The only element.
  double number(std::size_t input) const { return static_cast<double>((*this)[input].item()); }

  // ---- Attributes. They throw FormatError for a wrong type, or for a missing attribute without a default. ----

  bool has(std::string_view attribute) const { return node_.attribute(attribute) != nullptr; }
  const Attribute& attribute(std::string_view name, AttributeType type) const;
  Index integer(std::string_view name) const { return attribute(name, AttributeType::integer).integer; }
  Index integer(std::string_view name, Index otherwise) const { return has(name) ? integer(name) : otherwise; }
  double real(std::string_view name, double otherwise) const;
  std::string_view text(std::string_view name, std::string_view otherwise) const;
  std::span<const Index> integers(std::string_view name) const {
    return attribute(name, AttributeType::integers).integers;
  }
  /// Integers that newer opsets pass as an input and older ones as an attribute; empty if neither is given.
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
  /// Sets output 0 to the elements of input 0 in another shape.
  void reshaped_result(Var y) {
    Value result = value(0);
    result.var = y;
    result.layout = Layout::plain;
    this->result(0, result);
  }
  /// Sets output 0 to integers that depend on `operands`. `numbers` must stay valid for the whole pass.
  void integer_result(const Shape& shape, std::span<const Index> numbers, std::initializer_list<Var> operands = {});
  /// Sets output 0 to f(input 0) for an elementwise f, in any layout.
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

/// The first element of a rounded value that a Real cannot represent, as text.
std::string large_integer_in(const Value& value);
/// The integers 0 to n - 1.
std::span<Index> counted(Tape& tape, Index n);

}  // namespace cornu::onnx::detail
