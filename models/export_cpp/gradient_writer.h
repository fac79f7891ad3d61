#pragma once

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/models/export_cpp/trace_writer.h"

/// Gradients in trainable headers: for each op, calls that add to the gradients of its operands.
namespace cornu::detail {

class CppGradientWriter;
/// Writes the calls for one op.
using CppGradientRow = void (*)(CppGradientWriter& to);

/// The gradients of the ops of a trace, in reverse order.
class CppGradientWriter {
 public:
  /// forward: has written the ops.
  CppGradientWriter(const Trace& trace, CppTraceWriter& forward);

  /// True for a parameter that learns, and for a value that depends on one.
  bool wants(std::size_t value) const;
  /// Memory for the gradient of a value, which the caller writes as a whole, before `write`.
  CppValue start(std::size_t value);
  /// Writes the gradients of an op. Throws ValueError, naming layer and op, for one that has no row.
  void write(const Trace::Op& op);

  // ---- For rows ----

  const Trace::Op& op() const { return forward_.to_.op(); }
  std::size_t operand_count() const { return op().operands.size(); }
  Shape shape(std::size_t operand) const { return forward_.to_.shape(operand); }
  Shape result_shape() const { return forward_.to_.result_shape(); }
  CppArgument operand(std::size_t i) { return forward_.to_.operand(i); }
  CppArgument result() const { return forward_.to_.rows_of(op().result, *forward_.values_[op().result]); }
  /// The gradient of the result.
  CppArgument gradient() const { return gradient_of(op().result); }
  std::string number_of(const char* attribute) const { return forward_.to_.number_of(attribute); }

  /// Calls `name<templates>(arguments..., d)`, which adds to the gradient d of operand i; nothing if none is wanted.
  void add(std::size_t i, std::string_view name, std::string_view templates, const std::vector<CppArgument>& arguments);
  /// Calls `name<templates>(arguments..., g)`, which changes the gradient of the result.
  void change_gradient(std::string_view name, std::string_view templates, const std::vector<CppArgument>& arguments);

 private:
  CppValue gradient_of(std::size_t value) const { return forward_.to_.rows_of(value, *gradients_[value]); }

  const Trace& trace_;
  CppTraceWriter& forward_;
  std::vector<bool> depends_;                       // by value: it depends on a trained parameter
  std::vector<std::optional<CppValue>> gradients_;  // by value
};

/// The rows of ops that select, scatter and interpolate.
std::vector<std::pair<std::string_view, CppGradientRow>> cpp_indexing_gradient_rows();
/// nullptr if there is none.
CppGradientRow cpp_gradient_row_of(std::string_view op);
/// The names of all ops that have a row.
std::vector<std::string> cpp_gradient_names();

}  // namespace cornu::detail
