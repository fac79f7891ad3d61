#pragma once

#include <string>

/// Where the checkout and its compiler are. Of all files paths.cpp alone is compiled with what names them, so that the
/// others are the same in every checkout, and ccache knows them.
namespace cornu::testing {

/// "tests/models/golden" as a path from anywhere.
std::string source_path(const std::string& relative);
/// The command that compiles C++.
std::string compiler();

}  // namespace cornu::testing
