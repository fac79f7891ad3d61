#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

/// Internal to the CSV readers.
namespace cornu::detail {

/// The notation of a table's numbers.
struct NumberFormat {
  char decimal = '.';
  char thousands = '\0';             ///< between groups of three digits, or of two before the last three; '\0': none
  std::vector<std::string> units{};  ///< "$", "%": ignored, one before and one after a number
};

/// Parses all of `text` as a number. Underflow gives 0, overflow infinity.
bool parse_number(std::string_view text, Real& number);
/// The same in a given format, with the digits, signs and spaces of in_ascii.
bool parse_number(std::string_view text, const NumberFormat& format, Real& number);

/// The read_csv options with which a text that is not a number in `format` becomes one: ".decimal = ','". Empty if
/// there are none. Only signs such as $ and % are tried as units.
std::string options_for_number(std::string_view text, const NumberFormat& format);

/// The units option with one more unit: ".units = {"$", "kg"}".
std::string option_with_unit(const NumberFormat& format, std::string_view unit);

}  // namespace cornu::detail
