#include "cornu/datasets/csv/decorated.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/utf8.h"
#include "cornu/formats/csv/characters.h"

namespace cornu::detail {

namespace {

using Kind = DecoratedNumber::Kind;

constexpr std::string_view digits = "0123456789";

/// Currency codes before or after an amount. Source: ISO 4217, and equally common abbreviations.
constexpr std::string_view currencies =
    " AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF "
    "CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD "
    "RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX "
    "USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW Rs Rs. Re. kr kr. Fr Fr. ";

bool has_unit_sign(std::string_view text) {
  while (!text.empty()) {
    const std::size_t size = utf8_length(text);
    if (size > 0 && is_unit_sign(code_point(text.substr(0, size)))) return true;
    text.remove_prefix(std::max(size, std::size_t{1}));
  }
  return false;
}

/// Prefixes that make an amount: "USD", "US$", "~". Other words make a name: "A 1", "room 5".
bool is_prefix(std::string_view text) {
  constexpr std::size_t longest = 6;  // for "US$" and similar
  return text == "~" || text == "≈" || text == "'" || (text.size() <= longest && has_unit_sign(text)) ||
         (text.find(' ') == std::string_view::npos &&
          currencies.find(" " + std::string(text) + " ") != std::string_view::npos);
}

/// Suffixes that may follow a number: words and signs, but not the hyphen of a name such as "12-A".
bool is_suffix(std::string_view text) {
  constexpr std::size_t longest = 24;
  const char first = text[0];
  const bool is_letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || (first & '\x80') != 0;
  return text.size() <= longest && (is_letter || first == '%' || first == '\'' || first == '"');
}

bool is_number(std::string_view text, const NumberFormat& format) {
  Real number = 0;
  return (parse_number(text, format, number) && std::isfinite(number)) || !options_for_number(text, format).empty();
}

bool is_all(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

/// True for "1/2", but not for "5/2024", which is a date.
bool is_fraction(std::string_view text) {
  constexpr std::size_t most_digits = 3;
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view above = trimmed(text.substr(0, slash)), below = trimmed(text.substr(slash + 1));
  return is_all(above, digits) && is_all(below, digits) && above.size() <= most_digits && below.size() <= most_digits;
}

std::string_view without_sign(std::string_view text) {
  return !text.empty() && (text[0] == '-' || text[0] == '+') ? trimmed(text.substr(1)) : text;
}

DecoratedNumber number_with_unit(std::string_view text, const NumberFormat& format) {
  const bool in_parentheses = text.starts_with('(') && text.ends_with(')') && text.size() > 2;
  if (in_parentheses) text = trimmed(text.substr(1, text.size() - 2));
  std::size_t begin = text.find_first_of(digits);
  const std::size_t last = text.find_last_of(digits);
  if (begin == std::string_view::npos) return {};
  // A decimal mark before the first digit belongs to the number, unless it ends an abbreviation: "Rs.500".
  const bool has_mark = begin > 0 && (text[begin - 1] == '.' || text[begin - 1] == ',');
  if (has_mark && (begin == 1 || std::string_view(" -+").find(text[begin - 2]) != std::string_view::npos)) --begin;
  const std::string_view number = text.substr(begin, last + 1 - begin);
  std::string_view before = without_sign(trimmed(text.substr(0, begin))), after = trimmed(text.substr(last + 1));
  if (before.ends_with('-') || before.ends_with('+')) before = trimmed(before.substr(0, before.size() - 1));
  const bool sign_follows = after == "-";
  if (sign_follows) after = {};
  if (!is_number(number, format) || (!before.empty() && !is_prefix(before)) || (!after.empty() && !is_suffix(after))) {
    return {};
  }
  DecoratedNumber result{.unit = std::string(after.empty() ? before : after), .whole = is_all(number, digits)};
  if (in_parentheses || sign_follows) {
    result.kind = Kind::negative;
  } else if (!result.unit.empty()) {
    result.kind = Kind::unit;
  }
  return result;
}

/// True if a unit is short enough to be a symbol, such as "kg". Ordinals ("1st") are not.
bool is_symbol(std::string_view unit) {
  constexpr std::array<std::string_view, 4> ordinals{"st", "nd", "rd", "th"};
  constexpr Index longest = 3;
  const auto is_first_byte = [](char c) { return (c & '\xC0') != '\x80'; };
  return std::count_if(unit.begin(), unit.end(), is_first_byte) <= longest &&
         std::find(ordinals.begin(), ordinals.end(), unit) == ordinals.end();
}

}  // namespace

DecoratedNumber decorated_number(std::string_view given, const NumberFormat& format) {
  const std::string ascii = in_ascii(given);
  const std::string_view text = trimmed(ascii);
  Real number = 0;
  if (parse_number(text, number) || parse_number(text, format, number)) {
    if (std::isfinite(number)) return {};
    const bool has_digits = text.find_first_of(digits) != std::string_view::npos;
    return {.kind = has_digits ? Kind::too_large : Kind::not_finite};
  }
  const std::string_view magnitude = without_sign(text);
  if (magnitude.starts_with("0x") || magnitude.starts_with("0X")) {
    return {.kind = is_all(magnitude.substr(2), "0123456789abcdefABCDEF") ? Kind::hexadecimal : Kind::none};
  }
  if (is_fraction(magnitude)) return {.kind = Kind::fraction};
  return number_with_unit(text, format);
}

std::string described(const DecoratedNumber& number, const NumberFormat& format) {
  switch (number.kind) {
    case Kind::none:
      return "";
    case Kind::unit:
      return "a number with " + option_with_unit(format, number.unit);
    case Kind::negative:
      return "a negative number in another notation; a leading minus sign is required";
    case Kind::fraction:
      return "a fraction or two numbers; a decimal number is required";
    case Kind::hexadecimal:
      return "a hexadecimal number; a decimal one is required";
    case Kind::too_large:
      return "too large for a number";
    case Kind::not_finite:
      return "not a finite number; list it in .missing_values if it means a missing value";
  }
  return "";
}

void DecoratedTexts::add(const CsvCell& cell, const NumberFormat& format) {
  ++texts_;
  DecoratedNumber number = decorated_number(cell.text, format);
  if (number.kind == Kind::none) return;
  if (decorated_++ == 0) {
    first_ = cell;
    first_number_ = number;
  }
  all_whole_ = all_whole_ && number.whole;
  all_units_ = all_units_ && number.kind == Kind::unit;
  ++units_[std::move(number.unit)];
}

bool DecoratedTexts::are_numbers(Index rows) const {
  if (decorated_ == 0 || 5 * decorated_ < 4 * texts_) return false;
  if (!all_units_) return true;
  const auto all = [&](auto holds) {
    return std::all_of(units_.begin(), units_.end(), [&](const auto& unit) { return holds(unit.first); });
  };
  const bool mixed = units_.size() > 1, symbols = all(is_symbol);
  if (mixed && all_whole_ && all([](const std::string& unit) { return unit.size() == 1; })) return false;
  constexpr Index few = 5;
  const bool are_words = std::none_of(units_.begin(), units_.end(), [](const auto& u) { return is_symbol(u.first); });
  if (all_whole_ && are_words && texts_ <= few && rows >= 2 * texts_) return false;
  return !mixed || symbols || 2 * std::ssize(units_) <= decorated_;
}

std::string DecoratedTexts::described(const NumberFormat& format) const {
  if (units_.size() < 2 || !all_units_) return detail::described(first_number_, format);
  std::vector<std::string> units;
  for (const auto& [unit, count] : units_) units.push_back('"' + unit + '"');
  constexpr std::size_t most = 5;
  if (units.size() > most) {
    units.resize(most);
    units.emplace_back("...");
  }
  return message("one of several numbers with different units ({}); numbers in one unit, given in .units, are required",
                 listed(units));
}

}  // namespace cornu::detail
