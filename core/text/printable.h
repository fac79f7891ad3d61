#pragma once

#include <string>
#include <string_view>

namespace cornu::detail {

enum class LineBreaks { escaped, kept };  ///< newlines and tabs

/// `text` without characters that a terminal obeys: control characters (C0, DEL, C1), line and paragraph separators,
/// and those that change the direction of text, become \uXXXX, as in JSON; a byte that is not UTF-8 becomes \xXX.
/// Names that come from a file pass through it before they are laid out: a newline in one would forge a line.
std::string printable(std::string_view text, LineBreaks line_breaks = LineBreaks::escaped);

}  // namespace cornu::detail
