#include "cornu/models/export_cpp/trace_writer.h"

#include "cornu/core/error.h"
#include "cornu/core/text/printable.h"
#include "cornu/models/export_cpp/rows.h"

namespace cornu::detail {

Index input_size(const Trace& trace) {
  Index size = 0;
  for (const std::size_t input : trace.inputs) size += trace.values[input].at(1).size();
  return size;
}

CppTraceWriter::CppTraceWriter(const Trace& trace, CppProgram& program, CppArrays& arrays, const CppTrained& trained)
    : trace_(trace),
      program_(program),
      arrays_(arrays),
      trained_(trained),
      calls_(input_size(trace)),
      values_(trace.values.size()),
      to_(trace, *this) {
  Index offset = 0;
  for (const std::size_t input : trace.inputs) {
    const Shape shape = trace.values[input].at(1);
    values_[input] = CppValue{0, shape, offset};
    offset += shape.size();
  }
}

namespace {

[[noreturn]] void refuse(const Trace::Op& op) {
  require<ValueError>(!op.name.empty(),
                      "an op without a name cannot be written in C++; give Tape::output its name, and register it by "
                      "register_cpp_op");
  throw ValueError(message("the op {} cannot be written in C++; register_cpp_op says how", op.name));
}

}  // namespace

void CppTraceWriter::write(const Trace::Op& op) {
  try {
    require<ValueError>(trace_.result(op).at(1).size() > 0, "the op {} has a result without elements", op.name);
    const CppRow* const row = cpp_row_of(op.name);
    if (row == nullptr) refuse(op);
    to_.op_ = &op;
    values_[op.result] = (*row)(to_);
  } catch (Error& error) {
    if (!op.layer.empty()) error.add_context(printable(op.layer));
    throw;
  }
}

CppValue CppTraceWriter::output(std::size_t at) {
  const Trace::Op last{"", {}, {at}, at, "", {}};
  to_.op_ = &last;
  const CppValue value = to_.in_memory(0);
  if (calls_.is_whole(value)) return value;
  const Index size = value.shape.size();
  const CppValue copy = to_.make(value.shape);
  to_.call("copy", message("1, {}, {}, {}", size, size, size), {value}, copy);
  return copy;
}

}  // namespace cornu::detail
