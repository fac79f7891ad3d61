#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "cornu/core/autodiff/trace.h"

/// Writing the ops of a trace as nodes of an ONNX graph.
namespace cornu::onnx {

namespace detail {
class GraphWriter;
class Writer;
}  // namespace detail

/// An attribute of a node. A view, for the duration of the call that writes it.
struct NodeAttribute {
  std::string_view name;
  std::variant<Index, double, std::string_view, std::vector<Index>, std::vector<double>, std::vector<std::string>,
               const Tensor*>
      value;
};

/// The result of an op in the graph: the name of a value, and whether its axes are (batch, channels, ...), as those of
/// ONNX's convolutions, instead of (batch, ..., channels).
struct Written {
  std::string name;
  bool channels_first = false;

  Written(std::string value, bool first = false) : name(std::move(value)), channels_first(first) {}
};

class OpWriter;
/// Writes the nodes of one op and returns its result.
using OpRow = std::function<Written(OpWriter& to)>;

/// Registers how ops of this name are written, for a user's own op (Tape::output). Thread-safe. Throws ValueError for a
/// name that Cornu's own ops or an earlier registration has.
///
///     onnx::register_op("soft_sign", [](onnx::OpWriter& to) { return to.node("Softsign", {to.operand(0)}); });
void register_op(std::string op, OpRow row);

/// Writes one op of a trace.
class OpWriter {
 public:
  /// The op, its operands and its result, as the trace has them.
  const Trace::Op& op() const { return *op_; }
  const Trace::Value& value(std::size_t operand) const { return trace_.operand(*op_, operand); }
  const Trace::Value& result() const { return trace_.result(*op_); }
  std::size_t operand_count() const { return op_->operands.size(); }
  /// The version of ONNX's operators that is written.
  Index opset() const { return opset_; }

  /// The name of an operand in the graph. A constant or a parameter is written on its first use.
  std::string operand(std::size_t i);
  /// The same with the channels first: (batch, channels, ...).
  std::string channels_first(std::size_t i);
  /// True if the operand is in the graph with its channels first, and not yet with its channels last.
  bool is_channels_first(std::size_t i) const;

  /// Adds a node with one output, named after the layer, and returns the output's name. An empty input is omitted.
  std::string node(std::string_view type, std::initializer_list<std::string_view> inputs,
                   std::initializer_list<NodeAttribute> attributes = {});
  std::string node(std::string_view type, std::span<const std::string> inputs,
                   std::span<const NodeAttribute> attributes = {});
  /// Adds a node with several outputs and returns their names.
  std::vector<std::string> nodes(std::string_view type, std::span<const std::string> inputs, std::size_t outputs,
                                 std::span<const NodeAttribute> attributes = {});
  /// A constant node.
  std::string constant(const Tensor& numbers);
  std::string constant(double number) { return constant(Tensor::scalar(static_cast<Real>(number))); }
  /// An initializer with the name of an operand that is a parameter, or else of the layer.
  std::string weight(std::size_t operand, const Tensor& numbers);
  /// An initializer of integers, such as the axes of a Squeeze; the same for the same integers.
  std::string integers(std::span<const Index> numbers);
  std::string integers(std::initializer_list<Index> numbers) {
    return integers(std::span(numbers.begin(), numbers.size()));
  }
  std::string transposed(std::string_view value, std::vector<Index> axes);

 private:
  friend class detail::GraphWriter;
  OpWriter(const Trace& trace, detail::Writer& writer, Index opset);

  /// Where a value of the trace is in the graph; empty if it is not.
  struct Names {
    std::string last, first;
  };
  Names& written(std::size_t value);
  std::string own_name() const;
  std::string known(std::size_t value, bool first);

  const Trace& trace_;
  detail::Writer& writer_;
  Index opset_;
  const Trace::Op* op_ = nullptr;
  std::vector<Names> names_;
  std::map<std::vector<Index>, std::string> lists_;                                   // of integers, by their elements
  std::map<std::tuple<std::size_t, std::string, std::string>, std::string> weights_;  // by value, op and shape
};

}  // namespace cornu::onnx
