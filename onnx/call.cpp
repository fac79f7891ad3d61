#include "cornu/onnx/call.h"

#include <numeric>

#include "cornu/core/error.h"

namespace cornu::onnx::detail {

const Attribute* Node::attribute(std::string_view wanted) const {
  for (const Attribute& attribute : attributes) {
    if (attribute.name == wanted) return &attribute;
  }
  return nullptr;
}

const Value& Call::value(std::size_t input) const {
  require<FormatError>(has(input), "input {} is missing", input);
  return values_[static_cast<std::size_t>(node_.inputs[input])];
}

Var plain(const Value& x) {
  if (x.layout != Layout::channels_last) return x.var;
  return x.var.rank() == 3 ? transpose(x.var, {0, 2, 1}) : transpose(x.var, {0, 3, 1, 2});
}

Var Call::channels_last(std::size_t input) const {
  const Value& x = value(input);
  if (x.layout == Layout::channels_last) return x.var;
  require<FormatError>(
      x.var.rank() == 3 || x.var.rank() == 4,
      "an input of shape {}; (batch, channels, height, width) or (batch, channels, length) is required", x.var.shape());
  return x.var.rank() == 3 ? transpose(x.var, {0, 2, 1}) : transpose(x.var, {0, 2, 3, 1});
}

std::span<Var> Call::from(std::size_t first) const {
  const std::span<Var> result = memory<Var>(input_count() - first);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = (*this)[first + i];
  return result;
}

std::span<const Index> Call::integers(std::size_t input) const {
  require<FormatError>(kind(input) != Kind::real, "input {} has whole numbers, floats came", input);
  const ConstView numbers = (*this)[input].value();
  const std::span<Index> result = memory<Index>(static_cast<std::size_t>(numbers.size()));
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = index_of(numbers[static_cast<Index>(i)]);
  return result;
}

const Attribute& Call::attribute(std::string_view name, AttributeType type) const {
  const Attribute* const found = node_.attribute(name);
  require<FormatError>(found != nullptr, "attribute '{}' is missing", name);
  require<FormatError>(found->type == type, "attribute '{}' holds {}, expected {}", name,
                       name_of_attribute_type(static_cast<std::int64_t>(found->type)),
                       name_of_attribute_type(static_cast<std::int64_t>(type)));
  return *found;
}

double Call::real(std::string_view name, double otherwise) const {
  return has(name) ? attribute(name, AttributeType::real).real : otherwise;
}

std::string_view Call::text(std::string_view name, std::string_view otherwise) const {
  return has(name) ? std::string_view(attribute(name, AttributeType::text).text) : otherwise;
}

std::optional<std::span<const Index>> Call::integers(std::size_t input, std::string_view name) const {
  if (has(input)) return integers(input);
  if (has(name)) return integers(name);
  return std::nullopt;
}

void Call::result(std::size_t output, Var y, Kind kind, Layout layout) {
  if (wants(output)) values_[static_cast<std::size_t>(node_.outputs[output])] = {y, kind, layout};
}

Var Call::whole(std::span<const Index> numbers) const {
  const View kept = tape_.scratch({static_cast<Index>(numbers.size())});
  for (std::size_t i = 0; i < numbers.size(); ++i) kept[static_cast<Index>(i)] = static_cast<Real>(numbers[i]);
  return tape_.input(kept);
}

Index index_of(Real number) {
  constexpr Index no_limit = Index{1} << 62;
  if (number >= static_cast<Real>(no_limit)) return no_limit;
  if (!(number > static_cast<Real>(-no_limit))) return -no_limit;
  return static_cast<Index>(number);
}

std::span<Index> counted(Tape& tape, Index n) {
  const std::span<Index> result = tape_memory<Index>(tape, static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), Index{0});
  return result;
}

}  // namespace cornu::onnx::detail
