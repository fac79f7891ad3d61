#pragma once

#include "cornu/core/compiler.h"

#include <concepts>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace cornu {

/// Base of all exceptions that Cornu defines. `what()` says where it happened, what was given and what is required.
class Error : public std::exception {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

  /// Prepends "where: " to the text. A Sequential adds the layer's name this way.
  void add_context(std::string_view where) { message_.insert(0, std::string(where) + ": "); }

 private:
  std::string message_;
};

/// Shapes, ranks or axes do not match, or a size overflows.
class ShapeError : public Error {
  using Error::Error;
};

/// An argument or option is out of range: a label, a rate, an unknown name.
class ValueError : public Error {
  using Error::Error;
};

/// An object is used too early (an unbuilt layer, an uncompiled model) or too late (a Var of a cleared tape).
class StateError : public Error {
  using Error::Error;
};

/// A computed value is infinite or NaN.
class NonFiniteError : public Error {
  using Error::Error;
};

/// A file cannot be found, opened, read or written, or a download failed.
class FileError : public Error {
  using Error::Error;
};

/// A file can be read, but its content violates the format.
class FormatError : public FileError {
  using FileError::FileError;
};

/// Another process of a distributed run has failed. `what()` names its rank and what it threw.
class PeerError : public Error {
  using Error::Error;
};

namespace detail {

/// One argument of `message`, type-erased.
struct MessageArgument {
  enum class Kind { integer, natural, boolean, single, real, text } kind;
  std::int64_t integer = 0;
  std::uint64_t natural = 0;
  double real = 0;
  std::string text{};
};

template <class T>
MessageArgument message_argument(const T& value) {
  if constexpr (std::same_as<T, bool>) {
    return {.kind = MessageArgument::Kind::boolean, .natural = value};
  } else if constexpr (std::unsigned_integral<T>) {
    return {.kind = MessageArgument::Kind::natural, .natural = value};
  } else if constexpr (std::integral<T>) {
    return {.kind = MessageArgument::Kind::integer, .integer = static_cast<std::int64_t>(value)};
  } else if constexpr (std::same_as<T, float>) {
    return {.kind = MessageArgument::Kind::single, .real = value};
  } else if constexpr (std::floating_point<T>) {
    return {.kind = MessageArgument::Kind::real, .real = static_cast<double>(value)};
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    return {.kind = MessageArgument::Kind::text, .text = std::string(std::string_view(value))};
  } else {
    return {.kind = MessageArgument::Kind::text, .text = to_string(value)};  // found by ADL: Shape, Size2D, ...
  }
}

std::string format_message(std::string_view format, std::initializer_list<MessageArgument> arguments);

}  // namespace detail

/// Formats a message for people to read, in fmt's syntax. Arguments: numbers, strings, and anything with a `to_string`.
/// Control characters in strings are escaped, including line breaks, so that a name from a file cannot forge a line.
/// Do not use it for names that are written to a file: concatenate those.
template <class... Args>
std::string message(std::string_view format, const Args&... arguments) {
  return detail::format_message(format, {detail::message_argument(arguments)...});
}

/// Throws `E` with the formatted message unless `condition` holds.
/// Cornu checks all arguments with it; custom layers and ops can use it too.
template <class E = ShapeError, class... Args>
void require(bool condition, std::string_view format, const Args&... arguments) {
  if (!condition) [[unlikely]]
    throw E(message(format, arguments...));
}

}  // namespace cornu
