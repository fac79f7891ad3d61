#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

/// For readers of tables alone.
namespace cornu::detail {

/// How a table writes numbers.
struct NumberFormat {
  char decimal = '.';
  char thousands = '\0';             ///< between groups of three digits; '\0': none
  std::vector<std::string> units{};  ///< "$", "%": before or after a number, ignored
};

/// The number that is the whole text: what is too small for a Real is 0, what is too large infinite. False for anything
/// else, and beyond what a long double holds.
bool parse_number(std::string_view text, Real& number);
/// The same for a number in this format. A thousands separator of ' ' stands for no-break and thin spaces too,
/// and U+2212 is a minus sign.
bool parse_number(std::string_view text, const NumberFormat& format, Real& number);

/// The options of read_csv that would make a number of a text that is none in `format`: ".decimal = ','". Empty if
/// there are none. Known units are signs such as $ and %.
std::string options_for_number(std::string_view text, const NumberFormat& format);

/// The unit of "5 kg": what follows the last space of a number in any format, if no digit is in it; else empty.
std::string unit_of(std::string_view text, const NumberFormat& format);

}  // namespace cornu::detail
