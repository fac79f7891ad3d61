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
  char thousands = '\0';             ///< between groups of three digits, or of two before the last three; '\0': none
  std::vector<std::string> units{};  ///< "$", "%": one before and one after a number are ignored
};

/// Parses all of `text` as a number. A number too small for a Real gives 0, one too large infinity.
bool parse_number(std::string_view text, Real& number);
/// The same in a format, with the digits, signs and spaces of in_ascii.
bool parse_number(std::string_view text, const NumberFormat& format, Real& number);

/// The options of read_csv that make a number of a text that is none in `format`: ".decimal = ','". Empty if there are
/// none. Only signs such as $ and % are tried as units.
std::string options_for_number(std::string_view text, const NumberFormat& format);

/// ".units = {"$", "kg"}": the option with one more unit.
std::string option_with_unit(const NumberFormat& format, std::string_view unit);

}  // namespace cornu::detail
