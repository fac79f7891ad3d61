#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cornu::detail {

/// Length in bytes of the UTF-8 character at the start of `text`; 0 if there is none. Source: Unicode 15, table 3-7.
std::size_t utf8_length(std::string_view text);

/// The code point of one UTF-8 character.
std::uint32_t code_point(std::string_view character);

bool is_utf8(std::string_view text);

/// Throws ValueError if `text`, which is to be written to a file, is not UTF-8. The error quotes the text around the
/// first invalid byte and calls it `what`: "layer name".
void require_utf8(std::string_view what, std::string_view text);

}  // namespace cornu::detail
