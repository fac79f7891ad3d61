#include "cornu/core/text/utf8.h"

#include <algorithm>
#include <array>

#include "cornu/core/error.h"

namespace cornu::detail {

namespace {

/// Position of the first byte that is not UTF-8; text.size() if there is none.
std::size_t first_wrong_byte(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto continues = [&](std::size_t i, unsigned from = 0x80, unsigned to = 0xBF) {
    return byte(i) >= from && byte(i) <= to;
  };
  if (text.empty()) return 0;
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    return continues(1, first == 0xE0 ? 0xA0 : 0x80, first == 0xED ? 0x9F : 0xBF) && continues(2) ? 3 : 0;
  }
  if (first < 0xF0 || first > 0xF4) return 0;
  return continues(1, first == 0xF0 ? 0x90 : 0x80, first == 0xF4 ? 0x8F : 0xBF) && continues(2) && continues(3) ? 4 : 0;
}

std::uint32_t code_point(std::string_view character) {
  constexpr std::array<std::uint32_t, 5> first_bits{0, 0x7F, 0x1F, 0x0F, 0x07};
  std::uint32_t code = static_cast<unsigned char>(character[0]) & first_bits[character.size()];
  for (const char c : character.substr(1)) code = code << 6 | (static_cast<unsigned char>(c) & 0x3FU);
  return code;
}

bool is_utf8(std::string_view text) { return first_wrong_byte(text) == text.size(); }

void require_utf8(std::string_view what, std::string_view text) {
  const std::size_t at = first_wrong_byte(text);
  if (at == text.size()) return;
  constexpr std::size_t most_before = 60, most_after = 20;
  const std::size_t begin = at - std::min(at, most_before);
  throw ValueError(message("the {} \"{}{}\" is not UTF-8 (at byte {}); is it Latin-1? Files store text as UTF-8", what,
                           begin > 0 ? "..." : "", text.substr(begin, at - begin + most_after), at));
}

}  // namespace cornu::detail
