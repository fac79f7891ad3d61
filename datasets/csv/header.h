#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cornu/formats/csv/rows.h"

/// Internal to the CSV readers.
namespace cornu::detail {

/// The role of a table's first row.
enum class FirstRow { names, data, unclear };

/// Guesses the role of the first row. Names: a text above a number, quoted cells above unquoted ones, or no numbers.
/// Data: only numbers, a number with a fraction, two equal cells, or a text that `second` repeats. Unclear: whole
/// numbers among texts, and whole numbers in equal steps (0, 1, 2, or years) above a row that has no equal steps.
/// `second` is empty if there is only one row.
FirstRow kind_of_first_row(std::span<const CsvCell> first, std::span<const CsvCell> second,
                           const std::function<bool(const std::string&)>& is_number,
                           const std::function<bool(const std::string&)>& is_missing);

/// "; is the delimiter ';'? (.delimiter)" for a row of a single cell that contains another delimiter, else "".
std::string delimiter_hint(std::span<const CsvCell> row, char delimiter);

/// True if the text consists of numbers separated by another delimiter: "5;2".
bool is_list_of_numbers(std::string_view text, const std::function<bool(const std::string&)>& is_number);

}  // namespace cornu::detail
