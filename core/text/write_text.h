#pragma once

#include <cstdio>
#include <string_view>

namespace cornu::detail {

/// Writes text to a stream and flushes it. Returns false on failure: the stream is closed, the disk is full, or the
/// reader of the pipe has exited. Never throws and raises no SIGPIPE, so that printing cannot end a program.
bool write_text(std::FILE* out, std::string_view text) noexcept;

/// True if the stream is a terminal that understands control sequences: TERM is not "dumb".
bool is_smart_terminal(std::FILE* out) noexcept;
/// True if the stream is a terminal of any kind.
bool is_terminal(std::FILE* out) noexcept;

}  // namespace cornu::detail
