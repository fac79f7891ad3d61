#pragma once

#include <string>
#include <string_view>

namespace cornu::detail {

enum class LineBreaks { escaped, kept };  ///< newlines and tabs

/// Escapes characters that a terminal interprets. Control characters (C0, DEL, C1), line and paragraph separators, and
/// characters that change the text direction become \uXXXX, as in JSON; bytes that are not UTF-8 become \xXX.
/// Apply it to names from files before they are printed: a newline in one would forge a line.
std::string printable(std::string_view text, LineBreaks line_breaks = LineBreaks::escaped);

}  // namespace cornu::detail
