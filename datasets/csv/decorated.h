#pragma once

#include <map>
#include <string>
#include <string_view>

#include "cornu/datasets/csv/numbers.h"
#include "cornu/formats/csv/rows.h"

/// Internal to the CSV readers.
namespace cornu::detail {

/// A text that is not a number in the table's format but denotes one: with a unit, in another notation, out of range.
struct DecoratedNumber {
  enum class Kind {
    none,         ///< any other text, also several numbers, such as dates and ranges
    unit,         ///< "5kg", "5 EUR", "USD 5", "~5"
    negative,     ///< "(5)" or "5-", accountants' notation for -5
    fraction,     ///< "1/2"
    hexadecimal,  ///< "0x1F"
    too_large,    ///< "1e999"
    not_finite,   ///< "inf", "-Infinity", "nan"
  };
  Kind kind = Kind::none;
  std::string unit{};
  bool whole = false;  ///< the number consists of digits only
};

DecoratedNumber decorated_number(std::string_view text, const NumberFormat& format);

/// For errors, with the option that reads the number, if there is one: "a number with .units = {"kg"}"; "" for
/// Kind::none.
std::string described(const DecoratedNumber& number, const NumberFormat& format);

/// Counts how many of a column's distinct texts are decorated numbers.
class DecoratedTexts {
 public:
  /// Adds a text. Each text may be added only once.
  void add(const CsvCell& cell, const NumberFormat& format);
  /// Decides whether a column of `rows` rows is numeric rather than categorical. It is numeric if at least four in five
  /// texts are decorated numbers, with these exceptions:
  /// - whole numbers with different single letters: house numbers such as "12b";
  /// - up to five whole numbers with words, on average two rows or more for each: "3 doors";
  /// - units that mostly occur once: "1 star", "2 stars"; unless all units are short, such as "kg" and "lb".
  bool are_numbers(Index rows) const;
  /// The first decorated number.
  const CsvCell& first() const { return first_; }
  /// Its description, or that there are several units.
  std::string described(const NumberFormat& format) const;

 private:
  CsvCell first_;
  DecoratedNumber first_number_;
  Index texts_ = 0, decorated_ = 0;
  std::map<std::string, Index> units_;
  bool all_whole_ = true, all_units_ = true;
};

}  // namespace cornu::detail
