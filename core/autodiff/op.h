#pragma once

#include <concepts>
#include <initializer_list>
#include <span>
#include <string_view>
#include <variant>

#include "cornu/core/shape.h"

namespace cornu {

/// An option of an op by name: `{"axis", axis}`. A view, for the duration of one call of Tape::output.
struct OpAttribute {
  using Value = std::variant<bool, Index, double, std::string_view, std::span<const Index>>;
  const char* name;
  Value value;

  template <std::integral T>
  constexpr OpAttribute(const char* attribute, T number) : name(attribute), value(static_cast<Index>(number)) {}
  constexpr OpAttribute(const char* attribute, bool flag) : name(attribute), value(flag) {}
  template <std::floating_point T>
  constexpr OpAttribute(const char* attribute, T number) : name(attribute), value(static_cast<double>(number)) {}
  constexpr OpAttribute(const char* attribute, const char* text) : name(attribute), value(std::string_view(text)) {}
  constexpr OpAttribute(const char* attribute, std::span<const Index> numbers) : name(attribute), value(numbers) {}
};

/// What an op says of itself where it makes its output, for traces (core/autodiff/trace.h): its name, and the options
/// that its result depends on besides the operands. A pass that is not traced ignores it.
/// Write it where it is passed, `{"softmax", {{"axis", axis}}}`: its attributes end with the expression, so it must not
/// be kept. A user's op needs a name that no op of Cornu has: exporters know ops by their names.
struct OpDescription {
  const char* name = "";  ///< of the function: "relu"
  std::initializer_list<OpAttribute> attributes{};

  constexpr OpDescription() = default;
  OpDescription(const OpDescription&) = delete;
  OpDescription(OpDescription&&) = default;
  OpDescription& operator=(const OpDescription&) = delete;
  OpDescription& operator=(OpDescription&&) = delete;
  ~OpDescription() = default;
  constexpr OpDescription(const char* op, std::initializer_list<OpAttribute> options = {})
      : name(op), attributes(options) {}
};

}  // namespace cornu
