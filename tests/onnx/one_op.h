#pragma once

#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cornu/tests/onnx/support.h"

/// The values of one op for constant inputs.
namespace cornu::testing {

/// Whole numbers of a shape; `type`: ONNX's number of their type, if it is not int64.
struct WholeInput {
  Shape shape;
  List numbers;
  Index type = 7;
};
/// An input that is left out.
struct NoInput {};
using AnyInput = std::variant<Tensor, WholeInput, NoInput>;

inline onnx::Array output_of(const std::string& op, const std::vector<AnyInput>& inputs,
                             const std::vector<Given>& attributes, Index opset, bool whole = false) {
  Writer writer;
  std::vector<std::string> names;
  for (const AnyInput& input : inputs) {
    if (const auto* const real = std::get_if<Tensor>(&input)) {
      names.push_back(writer.initializer("x", *real));
      continue;
    }
    if (std::holds_alternative<NoInput>(input)) {
      names.emplace_back();
      continue;
    }
    const auto& given = std::get<WholeInput>(input);
    const std::vector<Index> shape(given.shape.dimensions().begin(), given.shape.dimensions().end());
    std::string name = writer.node("Reshape", {writer.initializer("n", given.numbers), writer.initializer("s", shape)},
                                   {{"allowzero", Index{1}}});
    if (given.type != 7) name = writer.node("Cast", {name}, {{"to", given.type}});
    names.push_back(name);
  }
  const std::string y = "y";
  writer.node_of(op, "", names, std::span(&y, 1), attributes, "node");
  writer.output(y, {}, whole ? Kind::integer : Kind::real);
  return onnx::parse(writer.finished("g", opset), "m").run_exact({}).at("y");
}

inline Tensor reals_of(const std::string& op, const std::vector<AnyInput>& inputs,
                       const std::vector<Given>& attributes = {}, Index opset = 18) {
  return std::get<Tensor>(output_of(op, inputs, attributes, opset));
}
inline onnx::Integers whole_of(const std::string& op, const std::vector<AnyInput>& inputs,
                               const std::vector<Given>& attributes = {}, Index opset = 18) {
  return std::get<onnx::Integers>(output_of(op, inputs, attributes, opset, true));
}

inline WholeInput list(List numbers) {
  const auto n = static_cast<Index>(numbers.size());
  return {{n}, std::move(numbers)};
}
inline WholeInput number(Index n) { return {{}, {n}}; }

}  // namespace cornu::testing
