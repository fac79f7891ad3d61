#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Internal to the CSV readers.
namespace cornu::detail {

/// `text` without leading and trailing spaces and tabs. Unicode spaces and zero-width characters count as spaces.
std::string_view trimmed(std::string_view text);

/// `text` with the characters of a number mapped to ASCII: decimal digits of the common scripts, full-width characters,
/// minus signs, Arabic separators, U+2019 as an apostrophe, and every kind of space as ' '. Zero-width characters are
/// removed; all other characters are kept.
std::string in_ascii(std::string_view text);

/// True for currency signs and the percent, per mille and degree signs.
bool is_unit_sign(std::uint32_t code);

}  // namespace cornu::detail
