#pragma once

#include "cornu/core/compiler.h"

#include <string_view>

namespace cornu {

/// Receives each warning. May be called by any thread.
using WarningHandler = void (*)(std::string_view text);

/// Sets what happens to warnings: by default they go to stderr, a line each. A null handler silences them. Returns the
/// previous handler. Each text is reported once.
WarningHandler set_warning_handler(WarningHandler handler);

namespace detail {
/// For what may be a mistake, but may also be meant.
void warn(std::string_view text);
}  // namespace detail

}  // namespace cornu
