#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/tests/support/paths.h"

/// Compiling exported headers.
namespace cornu::testing {

inline constexpr const char* compiler_flags =
    " -O1 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fno-exceptions -fno-rtti ";

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// Headers are the same with doubles and sanitizers, so that fewer are compiled then.
#ifdef CORNU_SANITIZED
inline constexpr bool compiles_all = false;
#else
inline constexpr bool compiles_all = sizeof(Real) == sizeof(float);
#endif

/// g++ and clang++, if available; first the compiler of this test. With ccache if available: most headers are those of
/// the last run.
inline std::vector<std::string> compilers() {
  const auto is_there = [](const std::string& program) {
    return std::system((program + " --version > /dev/null 2>&1").c_str()) == 0;
  };
  const std::string launcher = is_there("ccache") ? "ccache " : "";
  std::vector<std::string> result{launcher + compiler()};
  if (!compiles_all) return result;
  const char* const other = result[0].find("clang") == std::string::npos ? "clang++" : "g++";
  if (is_there(other)) result.push_back(launcher + other);
  return result;
}

}  // namespace cornu::testing
