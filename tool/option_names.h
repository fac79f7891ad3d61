#pragma once

#include <string>

namespace cornu::tool {

/// Rewrites an error of the library in terms of the tool's options: "--no-header" for ".header = false". Functions that
/// only a program can call become the command that does the same.
std::string with_option_names(std::string text);

}  // namespace cornu::tool
