#pragma once

#include <string>
#include <string_view>

#include "cornu/core/compiler.h"

namespace cornu::detail {

/// The unqualified name of T, parsed from __PRETTY_FUNCTION__: "B" for "... [with T = a::B<c::D>; ...]" (g++) and for
/// "... [T = a::B<c::D>]" (clang).
std::string_view declared_name(std::string_view pretty_function);

template <class T>
std::string_view type_name() {
  // Not a static variable: plugins in one process would share it, and it would outlive the plugin that holds the text.
  return declared_name(__PRETTY_FUNCTION__);
}

/// Prepends "a" or "an" by pronunciation: "a Dense", "an Embedding", "an LSTM".
std::string with_article(std::string_view word);

}  // namespace cornu::detail
