#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/autodiff/trace.h"

/// Writing the ops of a trace as C++: calls of functions in an exported header.
namespace cornu {

namespace detail {
class CppGradientWriter;
class CppTraceWriter;
}  // namespace detail

/// A value of the header: its input, its output, or an intermediate result.
struct CppValue {
  std::size_t number = 0;  ///< of its memory; 0 is the input
  Shape shape{};           ///< for a batch of one sample
  Index offset = 0;        ///< in that memory, in elements
  Index step = 0;          ///< of a value that has several rows for each sample: elements from one row to the next
};

/// An argument of a call: a pointer to a value's first element, or text, or a value followed by text.
struct CppArgument {
  std::optional<CppValue> value{};
  std::string text{};

  CppArgument(CppValue argument, std::string after = {}) : value(argument), text(std::move(after)) {}
  CppArgument(std::string argument) : text(std::move(argument)) {}
  CppArgument(const char* argument) : text(argument) {}
};

class CppOpWriter;
/// Writes the calls of one op and returns its result.
using CppRow = std::function<CppValue(CppOpWriter& to)>;

/// Registers how export_cpp writes ops of this name, for a user's own op (Tape::output). Thread-safe. Throws ValueError
/// for a name that Cornu's own ops or an earlier registration has.
///
///     register_cpp_op("soft_sign", [](CppOpWriter& to) { return to.each("v / (1.0f + std::fabs(v))"); });
void register_cpp_op(std::string op, CppRow row);

/// Writes one op of a trace, for a batch of one sample. If a sample has several rows of the first axis, as in
/// TimeDistributed, each call is written as a loop over them, and all shapes are those of one row.
class CppOpWriter {
 public:
  const Trace::Op& op() const { return *op_; }
  std::size_t operand_count() const { return op_->operands.size(); }
  /// Shapes for a batch of one sample: the first axis is 1.
  Shape shape(std::size_t operand) const { return row_shape(trace_.operand(*op_, operand)); }
  Shape result_shape() const { return row_shape(trace_.result(*op_)); }
  /// True for a parameter or a constant, whose elements `numbers` returns.
  bool is_known(std::size_t operand) const { return trace_.operand(*op_, operand).is_known(); }
  /// The same, but false for a parameter that the header trains.
  bool is_constant(std::size_t operand) const;
  ConstView numbers(std::size_t operand) const { return trace_.operand(*op_, operand).data; }
  /// Throws ValueError, naming the op, if one of the operands [first, end) is computed.
  void require_known(std::size_t first, std::size_t end) const;
  void require_known(std::size_t first) const { require_known(first, operand_count()); }

  /// An operand as a `const float*`. A parameter or constant is written as an array on its first use.
  CppArgument operand(std::size_t i);
  /// The same; "nullptr" if there is no such operand, or if it is a constant whose elements are all `neutral`.
  CppArgument operand_unless(std::size_t i, Real neutral);
  /// An operand in memory: a constant is copied.
  CppValue in_memory(std::size_t i);
  /// Weights as two arguments: the elements, and a scale for each of `outputs` outputs, or nullptr if the elements are
  /// floats. Element j belongs to output j % outputs.
  CppArgument weights(std::size_t i, Index outputs);
  /// The same for numbers that are computed from operand i. name: of their array, after that of the operand.
  CppArgument weights(std::size_t i, const std::string& name, const Tensor& numbers, Index outputs);
  CppArgument array(std::size_t i, const std::string& name, const Tensor& numbers);
  /// A number in C++, or an attribute of the op. Throws ValueError, naming it, unless it is finite as a float.
  std::string number(const std::string& name, double value) const;
  std::string number_of(const char* attribute) const { return number(attribute, op_->real(attribute)); }

  /// Memory for a value, or scratch memory of a call: an uninitialised array of floats.
  CppValue make(const Shape& shape);
  /// Memory that lasts from step to step in a header that streams, with its first contents, as a `float*`.
  CppArgument state(const std::vector<float>& initial);
  /// Defines a function template or function that `call` can name, in the namespace detail of the header. Every use of
  /// a name must have the same text.
  void function(std::string name, std::string text);
  /// Calls `name<templates>(arguments..., result)` and returns the result, which the function takes as a `float*`.
  CppValue call(std::string_view name, std::string_view templates, const std::vector<CppArgument>& arguments);
  /// The same with a given result; with nullopt, the result is one of the arguments.
  void call(std::string_view name, std::string_view templates, const std::vector<CppArgument>& arguments,
            const std::optional<CppValue>& result);
  /// Computes an expression of each element v of operand 0: "v * v".
  CppValue each(const std::string& expression) { return each(operand(0), result_shape(), expression); }
  CppValue each(const CppArgument& x, const Shape& shape, const std::string& expression);

 private:
  friend class detail::CppGradientWriter;
  friend class detail::CppTraceWriter;
  CppOpWriter(const Trace& trace, detail::CppTraceWriter& all) : trace_(trace), all_(all) {}

  /// Begins an op.
  void start(const Trace::Op& op);
  bool has_rows(const Trace::Value& value) const {
    return rows_ > 1 && !value.shape.empty() && value.shape.front().per_sample > 0;
  }
  Shape row_shape(const Trace::Value& value) const { return has_rows(value) ? value.at(1).with(0, 1) : value.at(1); }
  /// Where the rows of a value of the trace are. all: where it is as a whole.
  CppValue rows_of(std::size_t value, CppValue all) const;
  /// Ends an op: its result as a whole. rows: where its rows are.
  CppValue finish(CppValue rows);

  /// "dense/kernel" for a parameter, or else a name in the op's layer. part: after it.
  std::string name_of(std::size_t operand, const std::string& part) const;

  const Trace& trace_;
  detail::CppTraceWriter& all_;
  const Trace::Op* op_ = nullptr;
  Index rows_ = 1;  // of the op's result, for each sample
};

}  // namespace cornu
