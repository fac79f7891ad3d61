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

/// The root of every exception that Cornu throws. `what()` says where it happened, what came and what was required.
class Error : public std::exception {
 public:
  explicit Error(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

  /// Puts "where: " before the text while the error travels outwards; a Sequential adds the layer's name this way.
  void add_context(std::string_view where) { message_.insert(0, std::string(where) + ": "); }

 private:
  std::string message_;
};

/// Shapes, ranks or axes that do not fit together, and sizes that overflow.
class ShapeError : public Error {
  using Error::Error;
};

/// An argument or option outside its range: a label, a rate, a name nobody has.
class ValueError : public Error {
  using Error::Error;
};

/// Something used before it is ready (unbuilt, uncompiled) or after its time (a Var of a cleared tape).
class StateError : public Error {
  using Error::Error;
};

/// A computation that is no longer finite.
class NonFiniteError : public Error {
  using Error::Error;
};

/// A file that cannot be found, opened, read or written, and a download that failed.
class FileError : public Error {
  using Error::Error;
};

/// A file that can be read but whose content breaks its format.
class FormatError : public FileError {
  using FileError::FileError;
};

namespace detail {

/// One argument of a message.
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
    return {.kind = MessageArgument::Kind::text, .text = to_string(value)};  // found beside T: Shape and its like
  }
}

std::string format_message(std::string_view format, std::initializer_list<MessageArgument> arguments);

}  // namespace detail

/// `format` with each {} replaced (fmt's syntax); arguments are numbers, text, or anything with a `to_string`. Control
/// characters in texts are escaped, line breaks included: a name from a file cannot forge a line. So it is for texts
/// that people read; a name that goes into a file is concatenated.
template <class... Args>
std::string message(std::string_view format, const Args&... arguments) {
  return detail::format_message(format, {detail::message_argument(arguments)...});
}

/// Throws `E` with the formatted message unless `condition` holds.
/// The one way in which Cornu checks what a caller hands it; custom layers and ops are welcome to it.
template <class E = ShapeError, class... Args>
void require(bool condition, std::string_view format, const Args&... arguments) {
  if (!condition) [[unlikely]]
    throw E(message(format, arguments...));
}

}  // namespace cornu
