#include "cornu/onnx/call.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cornu/core/error.h"

namespace cornu::onnx::detail {

namespace {

/// From this value on, a Real does not represent every integer.
constexpr auto first_large = static_cast<Real>(Index{1} << std::numeric_limits<Real>::digits);

/// Rounds toward zero and saturates to 64 bits.
Index index_of(Real number) {
  if (number >= Real(0x1p63)) return std::numeric_limits<Index>::max();
  return number > Real(-0x1p63) ? static_cast<Index>(number) : std::numeric_limits<Index>::min();
}

/// Whether computed integers are exact. Throws ValueError for a fraction.
Rounding rounding_of(Var integers) {
  Rounding result = Rounding::exact;
  for (const Real number : integers.value()) {
    require<ValueError>(std::trunc(number) == number, "its result must be integers, but contains {}", number);
    if (std::abs(number) >= first_large) result = Rounding::rounded;
  }
  return result;
}

}  // namespace

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

std::span<const Index> Call::integers_of(std::size_t input) const {
  require<FormatError>(kind(input) != Kind::real, "input {} holds floats; integers are required", input);
  const ConstView numbers = (*this)[input].value();
  const auto count = static_cast<std::size_t>(numbers.size());
  if (value(input).integers != nullptr) return {value(input).integers, count};
  const std::span<Index> result = memory<Index>(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = index_of(numbers[static_cast<Index>(i)]);
  return result;
}

std::span<const Index> Call::integers(std::size_t input) const {
  const Value& x = value(input);
  if (x.rounding == Rounding::rounded && x.integers == nullptr) refuse_rounded(input);
  return integers_of(input);
}

std::span<const Index> Call::bounds(std::size_t input, Index most) const {
  return static_cast<Real>(most) < first_large ? integers_of(input) : integers(input);
}

void Call::refuse_rounded(std::size_t input) const {
  throw ValueError(message("input {} holds the integer {}, which is larger than Cornu can represent exactly", input,
                           large_integer_in(value(input))));
}

void Call::run() {
  bool any_rounded = false;
  for (std::size_t i = 0; i < input_count(); ++i) {
    if (!has(i) || value(i).rounding != Rounding::rounded) continue;
    constexpr std::size_t last = std::numeric_limits<unsigned>::digits - 1;
    if ((node_.op->large_integers >> std::min(i, last) & 1U) == 0) refuse_rounded(i);
    any_rounded = true;
  }
  node_.op->run(*this);
  for (std::size_t i = 0; i < output_count(); ++i) {
    if (!wants(i)) continue;
    Value& y = values_[static_cast<std::size_t>(node_.outputs[i])];
    require<FormatError>(static_cast<bool>(y.var), "its output {} is not computed", i);
    if (y.kind != Kind::integer || y.rounding != Rounding::unknown) continue;
    const bool moves_exact_ones = node_.op->large_integers != 0 && !any_rounded;
    y.rounding = moves_exact_ones ? Rounding::exact : rounding_of(y.var);
  }
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

void Call::integer_result(const Shape& shape, std::span<const Index> numbers, std::initializer_list<Var> operands) {
  const Var y = tape_.output(shape, operands).backward([] {});
  bool all_fit = true;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    y.out()[static_cast<Index>(i)] = static_cast<Real>(numbers[i]);
    all_fit = all_fit && fits_real(numbers[i]);
  }
  result(0, {.var = y,
             .kind = Kind::integer,
             .rounding = all_fit ? Rounding::exact : Rounding::rounded,
             .integers = all_fit ? nullptr : numbers.data()});
}

Value value_of(Tape& tape, const Tensor& tensor, Kind kind, const std::vector<Index>& integers) {
  return {.var = tape.input(tensor),
          .kind = kind,
          .rounding = integers.empty() ? Rounding::exact : Rounding::rounded,
          .integers = integers.empty() ? nullptr : integers.data()};
}

std::string large_integer_in(const Value& value) {
  for (Index i = 0; i < value.var.size(); ++i) {
    const Real number = value.var.value()[i];
    if (value.integers != nullptr && !fits_real(value.integers[i])) return message("{}", value.integers[i]);
    if (value.integers == nullptr && std::abs(number) >= first_large) return message("{} (rounded)", index_of(number));
  }
  return "";
}

std::span<Index> counted(Tape& tape, Index n) {
  const std::span<Index> result = tape_memory<Index>(tape, static_cast<std::size_t>(n));
  std::iota(result.begin(), result.end(), Index{0});
  return result;
}

}  // namespace cornu::onnx::detail
