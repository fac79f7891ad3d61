#pragma once

#include <cstdlib>
#include <fstream>
#include <string>

#include "cornu/core/error.h"
#include "cornu/tests/support/paths.h"

namespace cornu::testing {

/// The file or folder that an environment variable names. Without the variable, `relative` in the checkout.
inline std::string fixture_path(const char* variable, const std::string& relative) {
  const char* other = std::getenv(variable);
  return other != nullptr ? other : source_path(relative);
}

/// Opens the file at fixture_path. Throws FileError if it cannot be read.
inline std::ifstream open_fixture(const char* variable, const std::string& relative) {
  const std::string name = fixture_path(variable, relative);
  std::ifstream file(name);
  require<FileError>(file.good(), "{}: cannot be read", name);
  return file;
}

}  // namespace cornu::testing
