#pragma once

#include <string_view>

#include "cornu/core/error.h"

/// Checks of numeric options. `who` is the layer, rule, schedule or loss that has the option. All throw ValueError,
/// also for NaN.
namespace cornu::detail {

template <class T>
void require_positive(std::string_view who, std::string_view option, T value) {
  require<ValueError>(value > 0, "{}: {} is {}; it must be positive", who, option, value);
}

template <class T>
void require_not_negative(std::string_view who, std::string_view option, T value) {
  require<ValueError>(value >= 0, "{}: {} is {}; it must not be negative", who, option, value);
}

/// In [0, 1].
inline void require_fraction(std::string_view who, std::string_view option, double value) {
  require<ValueError>(value >= 0 && value <= 1, "{}: {} is {}; it must be in [0, 1]", who, option, value);
}

/// In [0, 1), for decay rates such as beta_1 and rho.
inline void require_decay_rate(std::string_view who, std::string_view option, double value) {
  require<ValueError>(value >= 0 && value < 1, "{}: {} is {}; it must be in [0, 1)", who, option, value);
}

}  // namespace cornu::detail
