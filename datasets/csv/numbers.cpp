#include "cornu/datasets/csv/numbers.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/utf8.h"
#include "cornu/formats/csv/characters.h"

namespace cornu::detail {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Removes the separators of "1,234,567", or of the Indian "12,34,567". Returns false for other groups of digits.
bool take_groups(std::string& whole, char separator) {
  const std::size_t first = whole.find(separator), last = whole.rfind(separator);
  if (first == std::string::npos) return true;
  const std::size_t group = first == last ? 3 : whole.find(separator, first + 1) - first - 1;
  if ((group != 2 && group != 3) || first == 0 || first > group || whole.size() - last != 4) return false;
  const auto separators = static_cast<std::size_t>(std::count(whole.begin(), whole.end(), separator));
  if ((separators - 1) * (group + 1) != last - first) return false;
  for (std::size_t at = first; at <= last; at += group + 1) {
    if (whole[at] != separator) return false;
  }
  std::erase(whole, separator);
  return true;
}

/// Converts "-$1,234.50" to "-1234.5"; empty if the text is not a number in the format.
std::string plain(std::string_view text, const NumberFormat& format) {
  std::string result;
  const auto take_sign = [&] {
    if (!result.empty() || text.empty() || (text[0] != '-' && text[0] != '+')) return;
    result = text[0];
    text = trimmed(text.substr(1));
  };
  take_sign();
  const auto is_before = [&](const std::string& unit) { return !unit.empty() && text.starts_with(unit); };
  const auto before = std::find_if(format.units.begin(), format.units.end(), is_before);
  if (before != format.units.end()) text = trimmed(text.substr(before->size()));
  take_sign();
  const auto is_after = [&](const std::string& unit) { return !unit.empty() && text.ends_with(unit); };
  const auto after = std::find_if(format.units.begin(), format.units.end(), is_after);
  if (after != format.units.end()) text = trimmed(text.substr(0, text.size() - after->size()));
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

/// The options that turn `here` into `there`: ".decimal = ',', .thousands = '.'".
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

/// True if a number outside the range of long double is near 0, judged by its exponent.
bool is_tiny(std::string_view text) {
  const std::size_t exponent = text.find_first_of("eE");
  constexpr std::size_t longest = 1000;  // in digits; fewer cannot outweigh such an exponent
  return exponent < longest && text.substr(exponent + 1).starts_with('-');
}

std::vector<std::string> signs_in(std::string_view text) {
  std::vector<std::string> signs;
  while (!text.empty()) {
    const std::size_t size = utf8_length(text);
    if (size > 0 && is_unit_sign(code_point(text.substr(0, size)))) signs.emplace_back(text.substr(0, size));
    text.remove_prefix(std::max(size, std::size_t{1}));
  }
  return signs;
}

}  // namespace

bool parse_number(std::string_view text, Real& number) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const char* const last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, number);
  if (error == std::errc::result_out_of_range) {  // it does not say whether it is an overflow
    long double wide = 0;
    const bool is_wide = std::from_chars(text.data(), last, wide).ec == std::errc();
    const bool small = is_wide ? std::abs(wide) < 1 : is_tiny(text);
    number = std::copysign(small ? Real{0} : std::numeric_limits<Real>::infinity(),
                           text.starts_with('-') ? Real{-1} : Real{1});
    error = std::errc();
  }
  return error == std::errc() && end == last;
}

bool parse_number(std::string_view text, const NumberFormat& format, Real& number) {
  const bool is_plain = format.decimal == '.' && format.thousands == '\0' && format.units.empty();
  if (is_plain && parse_number(text, number)) return true;
  const bool is_ascii = std::none_of(text.begin(), text.end(), [](char c) { return (c & '\x80') != 0; });
  if (is_plain && is_ascii && text.find_first_of(" \t") == std::string_view::npos) return false;
  const std::string ascii = is_ascii ? std::string(text) : in_ascii(text);
  const std::string simplified = plain(trimmed(ascii), format);
  return !simplified.empty() && parse_number(simplified, number);
}

std::string options_for_number(std::string_view text, const NumberFormat& format) {
  const std::string ascii = in_ascii(text);
  const auto has = [&](std::string_view what) { return ascii.find(what) != std::string::npos; };
  std::vector<std::string> found;
  NumberFormat other = format;
  const auto try_marks = [&] {
    for (const char decimal : {'.', ','}) {
      bool read = false;
      for (const char thousands : {'\0', ',', '.', ' ', '\'', '_'}) {
        const std::string_view mark(thousands == '\0' ? &format.thousands : &thousands, 1);
        const bool helps = thousands != decimal && (thousands == format.thousands || has(mark)) &&
                           (decimal == format.decimal || thousands == format.decimal || has({&decimal, 1})) &&
                           !(thousands == ' ' && read);  // the space already separates a unit
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
  for (const std::string& sign : signs_in(ascii)) {
    if (!found.empty()) break;
    other.units.push_back(sign);
    try_marks();
    other.units.pop_back();
  }
  std::string options;
  for (const std::string& one : found) options += (options.empty() ? "" : " or ") + one;
  return options;
}

std::string option_with_unit(const NumberFormat& format, std::string_view unit) {
  NumberFormat other = format;
  other.units.emplace_back(unit);
  return difference(format, other);
}

}  // namespace cornu::detail
