#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cornu/datasets/csv/numbers.h"
#include "cornu/formats/csv_rows.h"

/// For readers of tables alone.
namespace cornu::detail {

/// What a text that is not a number in the table's format may be instead: one number with something around it.
struct DecoratedNumber {
  enum class Kind {
    none,         ///< any other text: no number, or several, as in dates and ranges
    unit,         ///< "5kg", "5 EUR", "USD 5", "~5"
    negative,     ///< "(5)" or "5-", as accountants write -5
    fraction,     ///< "1/2"
    hexadecimal,  ///< "0x1F"
    too_large,    ///< "1e999"
    not_finite,   ///< "inf", "-Infinity", "nan"
  };
  Kind kind = Kind::none;
  std::string unit{};
  bool whole = false;  ///< the number has digits alone
};

DecoratedNumber decorated_number(std::string_view text, const NumberFormat& format);

/// For an error, with the option that helps where there is one: "a number with .units = {"kg"}"; "" for Kind::none.
std::string described(const DecoratedNumber& number, const NumberFormat& format);

/// The different texts of a column, as far as they are decorated numbers.
class DecoratedTexts {
 public:
  /// Adds a text that has not been added before.
  void add(const CsvCell& cell, const NumberFormat& format);
  /// Whether the column, of `rows` rows, holds numbers rather than categories. It does where at least four of five
  /// texts are decorated numbers, but for
  /// - whole numbers with different single letters: house numbers such as "12b";
  /// - up to five whole numbers with words, two rows for each or more: "3 doors";
  /// - units of which most come once: "1 star", "2 stars"; not if all of them are short, as "kg" and "lb" are.
  bool are_numbers(Index rows) const;
  /// The first decorated number.
  const CsvCell& first() const { return first_; }
  /// What it is, or that there are several units.
  std::string described(const NumberFormat& format) const;

 private:
  CsvCell first_;
  DecoratedNumber first_number_;
  Index texts_ = 0, decorated_ = 0;
  std::map<std::string, Index> units_;
  bool all_whole_ = true, all_units_ = true;
};

}  // namespace cornu::detail
