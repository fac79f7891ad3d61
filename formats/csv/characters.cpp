#include "cornu/formats/csv/characters.h"

#include <algorithm>
#include <array>

#include "cornu/core/text/utf8.h"

namespace cornu::detail {

namespace {

bool is_within(std::uint32_t code, std::uint32_t from, std::uint32_t to) { return code >= from && code <= to; }

bool is_zero_width(std::uint32_t code) {
  return is_within(code, 0x200B, 0x200F) || code == 0x061C || code == 0x2060 || code == 0xFEFF;
}

bool is_space_character(std::uint32_t code) {
  return code == ' ' || code == '\t' || code == 0xA0 || code == 0x1680 || is_within(code, 0x2000, 0x200A) ||
         code == 0x202F || code == 0x205F || code == 0x3000;
}

/// The digit zero of each script other than ASCII; the digits 1 to 9 follow it. Source: Unicode 15, category Nd,
/// without the historical scripts.
constexpr std::array<std::uint32_t, 20> digit_zeros{0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6,
                                                    0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0E50, 0x0ED0,
                                                    0x0F20, 0x1040, 0x17E0, 0x1810, 0x1946, 0xFF10};

/// The ASCII equivalent of `code` in a number; '\0' if there is none.
char ascii_of(std::uint32_t code) {
  if (is_space_character(code)) return ' ';
  for (const std::uint32_t zero : digit_zeros) {
    if (is_within(code, zero, zero + 9)) return static_cast<char>('0' + (code - zero));
  }
  if (is_within(code, 0xFF01, 0xFF5E)) return static_cast<char>(code - 0xFF01 + '!');  // full-width
  switch (code) {
    case 0x2010:  // hyphens
    case 0x2011:
    case 0x2212:  // the minus sign
    case 0xFE63:
      return '-';
    case 0x2019:  // the group separator of Swiss tables
      return '\'';
    case 0x066A:
      return '%';
    case 0x066B:
      return '.';
    case 0x066C:
      return ',';
    default:
      return '\0';
  }
}

std::uint32_t first_code(std::string_view text, std::size_t& size) {
  size = utf8_length(text);
  return size == 0 ? 0xFFFD : code_point(text.substr(0, size));
}

bool is_trimmed(std::uint32_t code) { return is_space_character(code) || is_zero_width(code); }

}  // namespace

std::string_view trimmed(std::string_view text) {
  std::size_t size = 0;
  while (!text.empty() && is_trimmed(first_code(text, size))) text.remove_prefix(size);
  while (!text.empty()) {
    std::size_t last = text.size() - 1;
    while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
    if (!is_trimmed(first_code(text.substr(last), size)) || last + size != text.size()) break;
    text = text.substr(0, last);
  }
  return text;
}

std::string in_ascii(std::string_view text) {
  std::string result;
  for (std::size_t size = 0; !text.empty(); text.remove_prefix(std::max(size, std::size_t{1}))) {
    if ((text[0] & '\x80') == 0) {
      size = 1;
      result += text[0] == '\t' ? ' ' : text[0];
      continue;
    }
    const std::uint32_t code = first_code(text, size);
    if (is_zero_width(code)) continue;
    const char ascii = ascii_of(code);
    if (ascii != '\0') {
      result += ascii;
    } else {
      result += text.substr(0, std::max(size, std::size_t{1}));
    }
  }
  return result;
}

bool is_unit_sign(std::uint32_t code) {
  return code == '$' || code == '%' || is_within(code, 0xA2, 0xA5) || code == 0xB0 || code == 0x0E3F ||
         code == 0x2030 || is_within(code, 0x20A0, 0x20CF) || is_within(code, 0xFFE0, 0xFFE6);
}

}  // namespace cornu::detail
