#pragma once

#include <string_view>

#include "cornu/core/error.h"

/// Checks of the options of update rules.
namespace cornu::detail {

/// For decay rates such as beta_1 and rho: in [0, 1).
inline void require_kept_fraction(std::string_view rule, std::string_view option, double value) {
  require<ValueError>(value >= 0 && value < 1, "{}: {} is {}; it must be in [0, 1)", rule, option, value);
}

inline void require_not_negative(std::string_view rule, std::string_view option, double value) {
  require<ValueError>(value >= 0, "{}: {} is {}; it must not be negative", rule, option, value);
}

}  // namespace cornu::detail
