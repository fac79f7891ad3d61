#pragma once

#include <string>
#include <string_view>

#include "cornu/core/compiler.h"

namespace cornu::detail {

/// The name that a type was declared with, out of a function's __PRETTY_FUNCTION__: of "... [with T = a::B<c::D>; ...]"
/// (g++) or "... [T = a::B<c::D>]" (clang) it is "B".
std::string_view declared_name(std::string_view pretty_function);

template <class T>
std::string_view type_name() {
  static const std::string_view name = declared_name(__PRETTY_FUNCTION__);
  return name;
}

/// "a Dense", "an Embedding", "an LSTM": by how the word is spoken.
std::string with_article(std::string_view word);

}  // namespace cornu::detail
