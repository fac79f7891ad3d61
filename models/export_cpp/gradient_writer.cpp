#include "cornu/models/export_cpp/gradient_writer.h"

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/text/printable.h"

namespace cornu::detail {

CppGradientWriter::CppGradientWriter(const Trace& trace, CppTraceWriter& forward)
    : trace_(trace), forward_(forward), depends_(trace.values.size()), gradients_(trace.values.size()) {
  for (const Trace::Op& op : trace.ops) {
    depends_[op.result] =
        std::any_of(op.operands.begin(), op.operands.end(), [&](std::size_t operand) { return wants(operand); });
  }
}

bool CppGradientWriter::wants(std::size_t value) const {
  return depends_[value] || forward_.trained_.offset(trace_.values[value]).has_value();
}

CppValue CppGradientWriter::start(std::size_t value) {
  gradients_[value] = forward_.calls_.make(trace_.values[value].at(1));
  return *gradients_[value];
}

void CppGradientWriter::add(std::size_t i, std::string_view name, std::string_view templates,
                            const std::vector<CppArgument>& arguments) {
  const std::size_t at = op().operands[i];
  if (!wants(at)) return;
  if (const auto trained = forward_.trained_.offset(trace_.values[at])) {
    std::vector<CppArgument> all = arguments;
    all.emplace_back(message("gradients + {}", *trained));
    forward_.to_.call(name, templates, all, std::nullopt);
    return;
  }
  if (!gradients_[at]) {
    start(at);
    const CppValue rows = gradient_of(at);
    forward_.to_.call("zero", std::to_string(rows.shape.size()), {}, rows);
  }
  forward_.to_.call(name, templates, arguments, gradient_of(at));
}

void CppGradientWriter::change_gradient(std::string_view name, std::string_view templates,
                                        const std::vector<CppArgument>& arguments) {
  forward_.to_.call(name, templates, arguments, gradient_of(op().result));
}

void CppGradientWriter::write(const Trace::Op& op) {
  if (!depends_[op.result] || !gradients_[op.result]) return;
  try {
    const CppGradientRow row = cpp_gradient_row_of(op.name);
    require<ValueError>(row != nullptr, "the op {} has no gradient in a C++ header, so it cannot be trained there",
                        op.name);
    forward_.to_.start(op);
    row(*this);
  } catch (Error& error) {
    if (!op.layer.empty()) error.add_context(printable(op.layer));
    throw;
  }
}

}  // namespace cornu::detail
