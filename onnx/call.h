#pragma once

#include <algorithm>
#include <memory>
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

/// Stands for an unlimited number of inputs or outputs.
inline constexpr std::size_t many = 1000;

/// Kinds of elements, as bits.
enum Kinds : unsigned { reals = 1, integers = 2, booleans = 4, numbers = 3, anything = 7 };

enum class Gradient {
  yes,
  zero,  // the result is a step function of the inputs, or whole numbers
  none,  // for inference only: a backward pass through it throws StateError
};

/// An op that Cornu implements: one row of the tables in onnx/ops.
struct Op {
  struct Range {
    std::size_t least, most;
  };

  std::string_view name;
  Index since = 1;  // the first opset that defines it as implemented here
  Range inputs{1, 1};
  std::size_t outputs = 1;        // at most
  std::string_view attributes{};  // all attributes it supports, each followed by a space
  Kinds takes = reals;            // the elements of its data
  std::size_t data = 0;           // the input that these are checked of
  unsigned weights = 0;           // bit i: input i is a trainable weight if it is an initializer
  Gradient gradient = Gradient::yes;
  void (*run)(Call& call);
};

/// True for ONNX's default domain, which has two names.
bool is_onnx_domain(std::string_view domain);
/// The op of this name, in whatever opset, or null if Cornu has none. The optimizers are in the domain
/// "ai.onnx.preview.training".
const Op* find_op(std::string_view domain, std::string_view name);

struct Body;

/// An attribute of a node: a number, text, tensor or graph from the file.
struct Attribute {
  std::string name;
  AttributeType type = AttributeType::none;
  double real = 0;
  Index integer = 0;
  std::string text{};
  std::vector<double> reals{};
  std::vector<Index> integers{};
  std::vector<std::string> texts{};
  Elements tensor{};
  std::shared_ptr<Body> body{};  // of a graph; not changed once the model is built
};

struct Node {
  const Op* op;
  std::string name;
  Index opset;
  std::vector<Index> inputs, outputs;  // indices into the pass's values; -1: left out
  std::vector<Attribute> attributes;
  std::vector<Index> last_reads{};  // the values that no later node reads, and that are no outputs of the graph

  const Attribute* attribute(std::string_view wanted) const;
  bool is_unused() const {
    return std::all_of(outputs.begin(), outputs.end(), [](Index output) { return output < 0; });
  }
};

/// A graph within a graph, which shares the values of the outer one.
struct Body {
  std::vector<Node> nodes;
  std::vector<Index> outputs;
};

/// Runs nodes in order. `file`: for errors, which name the node. recycles: free the memory of each value after its last
/// read, and that of intermediate results.
void run_nodes(Tape& tape, std::span<const Node> nodes, std::span<Value> values, std::string_view file,
               bool recycles = false);

/// One node in one pass: gives its op the inputs and attributes, and takes the outputs.
class Call {
 public:
  Call(Tape& tape, const Node& node, std::span<Value> values, std::string_view file = {})
      : tape_(tape), node_(node), values_(values), file_(file) {}

  /// Runs the node's op. Throws FormatError if a used output is not computed, or if the data is of a type that the op
  /// does not take.
  void run();

  Tape& tape() const { return tape_; }
  Index opset() const { return node_.opset; }
  const Node& node() const { return node_; }

  // ---- Inputs ----

  std::size_t input_count() const { return node_.inputs.size(); }
  bool has(std::size_t input) const { return input < node_.inputs.size() && node_.inputs[input] >= 0; }
  const Value& value(std::size_t input) const;
  Kind kind(std::size_t input) const { return value(input).kind(); }
  ElementType type(std::size_t input) const { return value(input).type; }
  bool is_real(std::size_t input = 0) const { return value(input).is_real(); }
  /// In ONNX's order.
  Shape shape(std::size_t input) const { return value(input).shape(); }
  /// Floats, with their axes in ONNX's order, and with the channels last. Throw FormatError for other elements.
  Var operator[](std::size_t input) const;
  Var channels_last(std::size_t input) const;
  /// Elements of any type as floats, in ONNX's order.
  Var as_real(std::size_t input) const { return detail::as_real(tape_, value(input)); }
  /// All inputs from `first` on.
  std::span<Value> from(std::size_t first) const;
  /// Whole numbers or booleans. Throws FormatError for floats.
  std::span<const Index> integers(std::size_t input) const;
  /// The only element, of any type.
  double number(std::size_t input) const;
  /// A value of the tape that an input follows from, or null.
  Var source() const;

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
  /// Runs the graph of an attribute, whose outputs become those of this node.
  void run_graph(std::string_view attribute);

  // ---- Outputs ----

  bool wants(std::size_t output) const { return output < node_.outputs.size() && node_.outputs[output] >= 0; }
  std::size_t output_count() const { return node_.outputs.size(); }
  /// Floats, of the type of the data.
  void result(Var y, Layout layout = Layout::plain) { result(0, y, layout); }
  void result(std::size_t output, Var y, Layout layout = Layout::plain);
  void result(std::size_t output, const Value& y) {
    if (wants(output)) values_[static_cast<std::size_t>(node_.outputs[output])] = y;
  }
  /// An output that was set.
  const Value& made(std::size_t output) const { return values_[static_cast<std::size_t>(node_.outputs[output])]; }
  /// Whole numbers or booleans computed from the inputs. `numbers` must stay valid for the whole pass.
  void integer_result(std::size_t output, ElementType type, const Shape& shape, std::span<const Index> numbers) {
    result(output, whole_value(type, shape, numbers, source()));
  }
  /// Sets output 0 to f(input 0), floats, for an elementwise f, in any layout.
  template <class F>
  void map(F f) {
    const Value x = value(0);
    require_floats(0);
    result(0, {.type = x.type, .layout = x.layout, .var = f(x.var)});
  }
  /// The same for f of each whole number, which is stored as in its type.
  template <class F>
  void map_integers(F f) {
    const Value& x = value(0);
    const std::span<Index> y = memory<Index>(x.numbers().size());
    std::transform(x.numbers().begin(), x.numbers().end(), y.begin(), [&](Index v) { return wrapped(x.type, f(v)); });
    integer_result(0, x.type, x.whole, y);
  }

  // ---- Memory of the pass ----

  template <class T>
  std::span<T> memory(std::size_t count) const {
    return tape_memory<T>(tape_, count);
  }

 private:
  void require_floats(std::size_t input) const;

  Tape& tape_;
  const Node& node_;
  std::span<Value> values_;
  std::string_view file_;
};

/// The integers 0 to n - 1.
std::span<Index> counted(Tape& tape, Index n);

}  // namespace cornu::onnx::detail
