#pragma once

#include <string>

namespace cornu::tool {

/// An error of the library with its options as the tool calls them: "--no-header" for ".header = false". What names
/// something that only a program can call is named for the command that does it.
std::string with_option_names(std::string text);

}  // namespace cornu::tool
