#include "cornu/core/autodiff/trace.h"

#include <fmt/format.h>

#include <algorithm>

#include "cornu/core/error.h"

namespace cornu {

Shape Trace::Value::at(Index batch) const {
  Shape result;
  for (const Dimension& dimension : shape) result = result.inserted(result.rank(), dimension.at(batch));
  return result;
}

namespace {

template <class T>
const T& attribute_of(const Trace::Op& op, std::string_view name) {
  for (const Trace::Attribute& attribute : op.attributes) {
    if (attribute.name != name) continue;
    if (const T* const value = std::get_if<T>(&attribute.value)) return *value;
  }
  throw ValueError(message("the op {} has no attribute {} of this type", op.name, name));
}

}  // namespace

bool Trace::Op::flag(std::string_view attribute) const { return attribute_of<bool>(*this, attribute); }
Index Trace::Op::integer(std::string_view attribute) const { return attribute_of<Index>(*this, attribute); }
double Trace::Op::real(std::string_view attribute) const { return attribute_of<double>(*this, attribute); }
const std::vector<Index>& Trace::Op::integers(std::string_view attribute) const {
  return attribute_of<std::vector<Index>>(*this, attribute);
}
const std::string& Trace::Op::text(std::string_view attribute) const {
  return attribute_of<std::string>(*this, attribute);
}
bool Trace::Op::has(std::string_view attribute) const {
  return std::any_of(attributes.begin(), attributes.end(),
                     [&](const Attribute& each) { return each.name == attribute; });
}

Trace::Dimensions Trace::fixed(const Shape& shape) {
  Dimensions result;
  for (const Index dimension : shape.dimensions()) result.push_back({dimension, 0});
  return result;
}

Trace::Value Trace::owning(Kind kind, Tensor numbers) {
  Value value{.kind = kind, .shape = fixed(numbers.shape())};
  value.owned = std::make_shared<const Tensor>(std::move(numbers));
  value.data = *value.owned;
  return value;
}

std::size_t Trace::constant(Tensor numbers) {
  values.push_back(owning(Kind::constant, std::move(numbers)));
  return values.size() - 1;
}

// ---- Text ----

namespace {

std::string text_of(const Trace::Dimension& dimension) {
  if (dimension.per_sample == 0) return std::to_string(dimension.fixed);
  std::string text = dimension.per_sample == 1 ? "batch" : message("{} batch", dimension.per_sample);
  if (dimension.fixed != 0) text += message(" + {}", dimension.fixed);
  return text;
}

std::string name_of(const Trace& trace, std::size_t at) {
  const Trace::Value& value = trace.values[at];
  if (!value.name.empty()) return value.name;
  if (value.kind == Trace::Kind::constant && value.data.size() == 1) return message("{}", value.data[0]);
  const auto input = std::find(trace.inputs.begin(), trace.inputs.end(), at);
  if (input != trace.inputs.end())
    return trace.inputs.size() == 1 ? "input" : message("input_{}", input - trace.inputs.begin() + 1);
  return (value.kind == Trace::Kind::constant ? "constant" : "%") + std::to_string(at);
}

std::string text_of(const Trace::Attribute& attribute) {
  return attribute.name + " = " +
         std::visit(
             [](const auto& value) {
               using T = std::decay_t<decltype(value)>;
               if constexpr (std::is_same_v<T, bool>) {
                 return std::string(value ? "true" : "false");
               } else if constexpr (std::is_same_v<T, std::string>) {
                 return value;
               } else if constexpr (std::is_same_v<T, std::vector<Index>>) {
                 return fmt::format("({})", fmt::join(value, ", "));
               } else {
                 return fmt::format("{}", value);
               }
             },
             attribute.value);
}

/// "conv2d(%1, conv/kernel, strides = (1, 1))".
std::string call_text(const Trace& trace, const Trace::Op& op) {
  std::vector<std::string> arguments;
  for (const std::size_t operand : op.operands) arguments.push_back(name_of(trace, operand));
  for (const Trace::Attribute& attribute : op.attributes) arguments.push_back(text_of(attribute));
  return fmt::format("{}({})", op.name.empty() ? "(an op without a name)" : op.name, fmt::join(arguments, ", "));
}

/// Text between double quotes in DOT.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result + "\"";
}

}  // namespace

std::string to_string(const Trace::Dimensions& shape) {
  std::vector<std::string> dimensions;
  for (const Trace::Dimension& dimension : shape) dimensions.push_back(text_of(dimension));
  return fmt::format("({}{})", fmt::join(dimensions, ", "), shape.size() == 1 ? "," : "");
}

std::string to_string(const Trace& trace) {
  std::string text;
  for (const std::size_t input : trace.inputs) {
    text += fmt::format("{}: {}\n", name_of(trace, input), to_string(trace.values[input].shape));
  }
  for (const Trace::Op& op : trace.ops) {
    text += fmt::format("{} = {} -> {}", name_of(trace, op.result), call_text(trace, op),
                        to_string(trace.result(op).shape));
    text += op.layer.empty() ? "\n" : fmt::format("  # {}\n", op.layer);
  }
  for (const std::size_t output : trace.outputs) text += fmt::format("return {}\n", name_of(trace, output));
  return text;
}

std::string to_dot(const Trace& trace) {
  std::string text = "digraph trace {\n  node [shape=box];\n";
  for (const std::size_t input : trace.inputs) {
    text += fmt::format("  v{} [label={}, shape=ellipse];\n", input,
                        quoted(name_of(trace, input) + " " + to_string(trace.values[input].shape)));
  }
  for (const Trace::Op& op : trace.ops) {
    std::string label = op.name;
    for (const std::size_t operand : op.operands) {
      if (trace.values[operand].is_known()) label += " " + name_of(trace, operand);
    }
    text += fmt::format("  v{} [label={}];\n", op.result, quoted(label));
    for (const std::size_t operand : op.operands) {
      if (trace.values[operand].is_known()) continue;
      text +=
          fmt::format("  v{} -> v{} [label={}];\n", operand, op.result, quoted(to_string(trace.values[operand].shape)));
    }
  }
  for (const std::size_t output : trace.outputs) {
    text += fmt::format("  out{} [label=output, shape=ellipse];\n  v{} -> out{};\n", output, output, output);
  }
  return text + "}\n";
}

}  // namespace cornu
