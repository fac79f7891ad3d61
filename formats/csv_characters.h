#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// For readers of tables alone.
namespace cornu::detail {

/// Without the spaces and tabs at both ends; Unicode's spaces and zero-width characters are spaces too.
std::string_view trimmed(std::string_view text);

/// `text` with the characters of a number in ASCII: the decimal digits of the common scripts, full-width characters,
/// minus signs, Arabic marks, U+2019 as an apostrophe, and every space as ' '. Drops zero-width characters. All other
/// characters stay.
std::string in_ascii(std::string_view text);

/// Currency signs and the signs of per cent, per mille and degrees.
bool is_unit_sign(std::uint32_t code);

}  // namespace cornu::detail
