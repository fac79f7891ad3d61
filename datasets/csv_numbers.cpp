#include "cornu/datasets/csv_numbers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/core/listed.h"

namespace cornu::detail {

namespace {

constexpr std::string_view no_break_space = "\xC2\xA0", narrow_space = "\xE2\x80\xAF", thin_space = "\xE2\x80\x89";
constexpr std::string_view minus_sign = "\xE2\x88\x92";  // U+2212
constexpr std::array<std::string_view, 9> signs{"$", "%", "€", "£", "¥", "₹", "¢", "‰", "°"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed(std::string_view text) {
  const auto begin = std::min(text.find_first_not_of(" \t"), text.size());
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

std::string with_plain_spaces(std::string_view text) {
  std::string result(text);
  for (const std::string_view space : {no_break_space, narrow_space, thin_space}) {
    for (std::size_t at = 0; (at = result.find(space, at)) != std::string::npos;) result.replace(at, space.size(), " ");
  }
  return result;
}

/// Removes the separators of "1,234,567". False unless digits are in groups of three, or there is no separator at all.
bool take_groups(std::string& whole, char separator) {
  const std::size_t first = whole.find(separator);
  if (first == std::string::npos) return true;
  if (first == 0 || first > 3) return false;
  for (std::size_t at = first; at < whole.size(); at += 4) {
    if (whole[at] != separator || at + 4 > whole.size()) return false;
    if (!std::all_of(&whole[at + 1], &whole[at] + 4, is_digit)) return false;
  }
  std::erase(whole, separator);
  return true;
}

/// "-1234.5" for "-$1,234.50"; empty if this is no number in the format.
std::string plain(std::string_view text, const NumberFormat& format) {
  std::string result;
  const auto take_sign = [&] {
    if (!result.empty() || text.empty() || (text[0] != '-' && text[0] != '+')) return;
    result = text[0];
    text = trimmed(text.substr(1));
  };
  take_sign();
  bool has_unit = false;
  for (const std::string& unit : format.units) {
    if (has_unit || unit.empty() || !text.starts_with(unit)) continue;
    text = trimmed(text.substr(unit.size()));
    has_unit = true;
  }
  take_sign();
  for (const std::string& unit : format.units) {
    if (has_unit || unit.empty() || !text.ends_with(unit)) continue;
    text = trimmed(text.substr(0, text.size() - unit.size()));
    has_unit = true;
  }
  const std::size_t end = std::min({text.size(), text.find(format.decimal), text.find_first_of("eE")});
  std::string whole(text.substr(0, end)), rest(text.substr(end));
  if (format.thousands != '\0' && !take_groups(whole, format.thousands)) return "";
  if (!std::all_of(whole.begin(), whole.end(), is_digit)) return "";
  if (rest.starts_with(format.decimal)) rest[0] = '.';
  return result + whole + rest;
}

std::string quoted(char c) {
  if (c == '\0') return R"('\0')";
  return c == '\'' ? R"('\'')" : std::string{'\'', c, '\''};
}

/// ".decimal = ',', .thousands = '.'": by what `there` differs from `here`.
std::string difference(const NumberFormat& here, const NumberFormat& there) {
  std::vector<std::string> options;
  if (there.decimal != here.decimal) options.push_back(".decimal = " + quoted(there.decimal));
  if (there.thousands != here.thousands) options.push_back(".thousands = " + quoted(there.thousands));
  if (there.units != here.units) {
    const auto text = [](const std::string& unit) { return '"' + unit + '"'; };
    options.push_back(".units = {" + listed(there.units, text) + "}");
  }
  return listed(options);
}

}  // namespace

bool parse_number(std::string_view text, Real& number) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* const last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, number);
  if (error == std::errc::result_out_of_range) {  // which does not say at which end
    long double wide = 0;
    error = std::from_chars(text.data(), last, wide).ec;
    const bool small = std::abs(wide) < 1;
    number = std::copysign(small ? Real{0} : std::numeric_limits<Real>::infinity(), wide < 0 ? Real{-1} : Real{1});
  }
  return error == std::errc() && end == last;
}

bool parse_number(std::string_view text, const NumberFormat& format, Real& number) {
  if (text.starts_with(minus_sign)) {
    return parse_number("-" + std::string(text.substr(minus_sign.size())), format, number);
  }
  if (format.decimal == '.' && format.thousands == '\0' && format.units.empty()) return parse_number(text, number);
  const std::string spaced = format.thousands == ' ' ? with_plain_spaces(text) : std::string(text);
  const std::string digits = plain(spaced, format);
  return !digits.empty() && parse_number(digits, number);
}

std::string options_for_number(std::string_view text, const NumberFormat& format) {
  const std::string spaced = with_plain_spaces(text);
  const auto has = [&](std::string_view what) { return spaced.find(what) != std::string::npos; };
  std::vector<std::string> found;
  NumberFormat other = format;
  const auto try_marks = [&] {
    for (const char decimal : {'.', ','}) {
      bool read = false;
      for (const char thousands : {'\0', ',', '.', ' ', '\''}) {
        const std::string_view mark(thousands == '\0' ? &format.thousands : &thousands, 1);
        const bool helps = thousands != decimal && (thousands == format.thousands || has(mark)) &&
                           (decimal == format.decimal || thousands == format.decimal || has({&decimal, 1})) &&
                           !(thousands == ' ' && read);  // the space was that before a unit
        other.decimal = decimal;
        other.thousands = thousands;
        Real number = 0;
        if (helps && parse_number(text, other, number) && std::isfinite(number)) {
          found.push_back(difference(format, other));
          read = true;
        }
      }
    }
  };
  try_marks();
  for (const std::string_view sign : signs) {
    if (!found.empty() || !has(sign)) continue;
    other.units.emplace_back(sign);
    try_marks();
    other.units.pop_back();
  }
  std::string options;
  for (const std::string& one : found) options += (options.empty() ? "" : " or ") + one;
  return options;
}

std::string unit_of(std::string_view text, const NumberFormat& format) {
  const std::string spaced = with_plain_spaces(text);
  const std::size_t space = spaced.rfind(' ');
  if (space == std::string::npos || spaced.find_first_of("0123456789", space) != std::string::npos) return "";
  const std::string_view number = trimmed(std::string_view(spaced).substr(0, space));
  Real ignored = 0;
  const bool is_number = parse_number(number, format, ignored) || !options_for_number(number, format).empty();
  return is_number ? spaced.substr(space + 1) : "";
}

}  // namespace cornu::detail
