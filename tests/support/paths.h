#pragma once

#include <string>

/// Paths of the checkout and the compiler. Only paths.cpp is compiled with macros that contain them, so that all other
/// files compile identically in every checkout and hit ccache.
namespace cornu::testing {

/// The absolute path of a file in the checkout, such as "tests/models/golden".
std::string source_path(const std::string& relative);
/// The command of the C++ compiler.
std::string compiler();

}  // namespace cornu::testing
