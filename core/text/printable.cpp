#include "cornu/core/text/printable.h"

#include <fmt/format.h>

#include <cstdint>

#include "cornu/core/text/utf8.h"

namespace cornu::detail {

namespace {

/// True for characters that a terminal interprets.
bool is_obeyed(std::uint32_t code) {
  const auto within = [&](std::uint32_t from, std::uint32_t to) { return code >= from && code <= to; };
  return code < 0x20 || within(0x7F, 0x9F) || code == 0x061C || within(0x200E, 0x200F) || within(0x2028, 0x202E) ||
         within(0x2066, 0x2069);
}

}  // namespace

std::string printable(std::string_view text, LineBreaks line_breaks) {
  std::string result;
  while (!text.empty()) {
    const std::size_t size = utf8_length(text);
    if (size == 0) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
      continue;
    }
    const std::string_view character = text.substr(0, size);
    const std::uint32_t code = code_point(character);
    const bool kept = line_breaks == LineBreaks::kept && (code == '\n' || code == '\t');
    if (is_obeyed(code) && !kept) {
      result += fmt::format("\\u{:04x}", code);
    } else {
      result += character;
    }
    text.remove_prefix(size);
  }
  return result;
}

}  // namespace cornu::detail
