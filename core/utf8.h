#pragma once

#include <cstddef>
#include <string_view>

namespace cornu::detail {

/// The bytes of the UTF-8 character that `text` begins with; 0 if it begins with none. Source: Unicode 15, table 3-7.
std::size_t utf8_length(std::string_view text);

bool is_utf8(std::string_view text);

/// Throws ValueError, quoting the text around the first wrong byte, unless `text` is UTF-8, as every text in a file is.
/// `what` is for the error: "layer name".
void require_utf8(std::string_view what, std::string_view text);

}  // namespace cornu::detail
