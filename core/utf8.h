#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cornu::detail {

/// Bytes of the UTF-8 character at the start of `text`, which is not empty; 0 if there is none.
/// Source: Unicode 15, table 3-7.
std::size_t character_size(std::string_view text);

/// The code point of one UTF-8 character.
std::uint32_t code_point(std::string_view character);

}  // namespace cornu::detail
