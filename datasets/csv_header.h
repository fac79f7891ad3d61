#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cornu/datasets/csv_rows.h"

/// For readers of tables alone.
namespace cornu::detail {

/// What the first row of a table is, as far as it shows.
enum class FirstRow { names, data, unclear };

/// A row of names has a text above a number, or no number in it. A row of data has only numbers, a number that is no
/// whole one, or the same text as a row below. `second` is empty if there is no other row.
FirstRow kind_of_first_row(std::span<const CsvCell> first, std::span<const CsvCell> second,
                           const std::function<bool(const std::string&)>& is_number,
                           const std::function<bool(const std::string&)>& is_missing);

/// "; is the delimiter ';'? (.delimiter)" for a row that is a single cell with another delimiter in it, else "".
std::string delimiter_hint(std::span<const CsvCell> row, char delimiter);

/// Whether the text is numbers between other delimiters, as "5;2".
bool is_list_of_numbers(std::string_view text, const std::function<bool(const std::string&)>& is_number);

}  // namespace cornu::detail
