#pragma once

#include <string>

#include "cornu/core/gradcheck.h"

namespace cornu::testing {

/// The failed lines, concatenated.
inline std::string failures(const CheckReport& report) {
  std::string text;
  for (const CheckReport::Line& line : report.lines) text += line.passed ? "" : line.text + "\n";
  return text;
}

}  // namespace cornu::testing
