#include "cornu/models/export_cpp/op_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/models/export_cpp/trace_writer.h"

namespace cornu {

void CppOpWriter::start(const Trace::Op& op) {
  op_ = &op;
  rows_ = 1;
  if (op.name == "reshape") return;  // may change the rows of a sample, and moves nothing
  const auto rows = [](const Trace::Value& value) {
    return value.is_known() || value.shape.empty() ? 0 : value.shape.front().per_sample;
  };
  rows_ = std::max(rows(trace_.result(op)), Index{1});
  for (std::size_t i = 0; i < operand_count(); ++i) {
    const Index of_operand = rows(trace_.operand(op, i));
    require<ValueError>(of_operand == 0 || of_operand == rows_, "{}: operand {} has {} rows for each sample, not {}",
                        op.name, i, of_operand, rows_);
  }
}

CppValue CppOpWriter::rows_of(std::size_t value, CppValue all) const {
  if (!has_rows(trace_.values[value])) return all;
  all.shape = row_shape(trace_.values[value]);
  all.step = all.shape.size();
  return all;
}

CppValue CppOpWriter::finish(CppValue rows) {
  if (rows_ == 1) return rows;
  const Index count = std::exchange(rows_, 1), size = rows.shape.size(), step = std::exchange(rows.step, 0);
  const Shape shape = result_shape();
  if (step == size) return {rows.number, shape, rows.offset};
  const CppValue copy = make(shape);
  call("copy", message("{}, {}, {}, {}", count, size, step, size), {rows}, copy);
  return copy;
}

void CppOpWriter::require_known(std::size_t first, std::size_t end) const {
  for (std::size_t i = first; i < end; ++i) {
    require<ValueError>(is_known(i), "{}: operand {} is computed; a parameter or a constant is required", op_->name, i);
  }
}

bool CppOpWriter::is_constant(std::size_t operand) const {
  return is_known(operand) && !all_.trained_.offset(trace_.operand(*op_, operand));
}

std::string CppOpWriter::name_of(std::size_t operand, const std::string& part) const {
  const std::string& name = trace_.operand(*op_, operand).name;
  const std::string whole = !name.empty() ? name : op_->layer.empty() ? "constant" : op_->layer + "/constant";
  return part.empty() ? whole : whole + "_" + part;
}

CppArgument CppOpWriter::operand(std::size_t i) {
  if (const auto trained = all_.trained_.offset(trace_.operand(*op_, i))) return message("weights + {}", *trained);
  return is_known(i) ? array(i, "", Tensor(numbers(i))) : CppArgument(in_memory(i));
}

CppArgument CppOpWriter::operand_unless(std::size_t i, Real neutral) {
  if (i >= operand_count()) return "nullptr";
  const auto is_neutral = [&] {
    const ConstView all = numbers(i);
    return std::all_of(all.begin(), all.end(), [&](Real each) { return each == neutral; });
  };
  return trace_.operand(*op_, i).kind == Trace::Kind::constant && is_neutral() ? CppArgument("nullptr") : operand(i);
}

CppValue CppOpWriter::in_memory(std::size_t i) {
  const std::size_t at = op_->operands[i];
  if (is_known(i)) {
    const CppValue copy = make(shape(i));
    const Index size = copy.shape.size();
    call("copy", message("1, {}, {}, {}", size, size, size), {operand(i)}, copy);
    return copy;
  }
  require<ValueError>(all_.values_[at].has_value(), "the op {} reads a value that a composed op makes on its way",
                      op_->name);
  return rows_of(at, *all_.values_[at]);
}

CppArgument CppOpWriter::weights(std::size_t i, Index outputs) {
  if (!is_known(i)) return {in_memory(i), ", nullptr"};
  if (const auto trained = all_.trained_.offset(trace_.operand(*op_, i))) {
    return message("weights + {}, nullptr", *trained);
  }
  return weights(i, "", Tensor(numbers(i)), outputs);
}

CppArgument CppOpWriter::weights(std::size_t i, const std::string& name, const Tensor& numbers, Index outputs) {
  std::string& text = all_.arrays_[{op_->operands[i], message("{} {}", name, outputs)}];
  if (text.empty()) text = all_.program_.weights(name_of(i, name), numbers, outputs);
  return text;
}

CppArgument CppOpWriter::array(std::size_t i, const std::string& name, const Tensor& numbers) {
  std::string& text = all_.arrays_[{op_->operands[i], name}];
  if (text.empty())
    text = all_.program_.array(name_of(i, name), numbers, trace_.operand(*op_, i).kind == Trace::Kind::constant);
  return text;
}

std::string CppOpWriter::number(const std::string& name, double value) const {
  return detail::CppProgram::number(name, value);
}

CppValue CppOpWriter::make(const Shape& shape) {
  if (rows_ == 1) return all_.calls_.make(shape);
  CppValue result = all_.calls_.make({rows_ * shape.size()});
  result.shape = shape;
  result.step = shape.size();
  return result;
}

CppArgument CppOpWriter::state(const std::vector<float>& initial) {
  const std::size_t begin = all_.state_.size();
  all_.state_.insert(all_.state_.end(), initial.begin(), initial.end());
  return message("state + {}", begin);
}

void CppOpWriter::function(std::string name, std::string text) {
  all_.program_.define(std::move(name), std::move(text));
}

void CppOpWriter::call(std::string_view name, std::string_view templates, const std::vector<CppArgument>& arguments,
                       const std::optional<CppValue>& result) {
  const bool may_overwrite = all_.program_.need(name);
  all_.calls_.add({templates.empty() ? std::string(name) : fmt::format("{}<{}>", name, templates), arguments, result,
                   op_->layer, may_overwrite, all_.before_, rows_});
}

CppValue CppOpWriter::call(std::string_view name, std::string_view templates,
                           const std::vector<CppArgument>& arguments) {
  const CppValue result = make(result_shape());
  call(name, templates, arguments, result);
  return result;
}

CppValue CppOpWriter::each(const CppArgument& x, const Shape& shape, const std::string& expression) {
  const CppValue result = make(shape);
  call("each", std::to_string(shape.size()), {x, "[](float v) { return " + expression + "; }"}, result);
  return result;
}

}  // namespace cornu
