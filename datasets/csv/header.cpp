#include "cornu/datasets/csv/header.h"

#include <algorithm>
#include <set>
#include <vector>

#include "cornu/core/error.h"

namespace cornu::detail {

namespace {

bool is_whole(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// True for whole numbers in equal steps: "0", "1", "2", the numbering of unnamed columns, or years. Short rows of
/// small numbers are more likely data.
bool counts(std::span<const CsvCell> row) {
  std::vector<Index> numbers;
  for (const CsvCell& cell : row) {
    constexpr std::size_t most_digits = 9;
    if (!is_whole(cell.text) || cell.text.size() > most_digits) return false;
    numbers.push_back(std::stol(cell.text));
  }
  if (numbers.size() < 2 || numbers[0] >= numbers[1]) return false;
  const Index first = numbers.front(), step = numbers[1] - first;
  for (std::size_t i = 2; i < numbers.size(); ++i) {
    if (numbers[i] - numbers[i - 1] != step) return false;
  }
  const bool are_years = first >= 1000 && numbers.back() < 3000;
  return are_years || numbers.size() > 3 || (numbers.size() == 3 && first == 0 && step == 1);
}

}  // namespace

FirstRow kind_of_first_row(std::span<const CsvCell> first, std::span<const CsvCell> second,
                           const std::function<bool(const std::string&)>& is_number,
                           const std::function<bool(const std::string&)>& is_missing) {
  const std::size_t both = std::min(first.size(), second.size());
  std::size_t numbers = 0;
  bool repeated = false, all_whole = true, quoted_above = both > 0;
  std::set<std::string_view> texts;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::string& text = first[i].text;
    const bool number = is_number(text), number_below = i < both && is_number(second[i].text);
    if (number_below && !number && !is_missing(text)) return FirstRow::names;
    numbers += number ? 1 : 0;
    all_whole = all_whole && (!number || is_whole(text));
    repeated = repeated || !texts.insert(text).second || (i < both && !number && text == second[i].text);
    quoted_above = quoted_above && first[i].quoted && (!number_below || !second[i].quoted);
  }
  if (repeated) return FirstRow::data;
  if (numbers == 0 || quoted_above) return FirstRow::names;
  if (!all_whole) return FirstRow::data;
  return numbers == first.size() && (!counts(first) || counts(second)) ? FirstRow::data : FirstRow::unclear;
}

std::string delimiter_hint(std::span<const CsvCell> row, char delimiter) {
  if (row.size() != 1) return "";
  for (const char c : {';', '\t', '|', ',', ' '}) {
    if (c == delimiter || row[0].text.find(c) == std::string::npos) continue;
    return message("; is the delimiter '{}'? (.delimiter)", c == '\t' ? "\\t" : std::string(1, c));
  }
  return "";
}

bool is_list_of_numbers(std::string_view text, const std::function<bool(const std::string&)>& is_number) {
  const auto delimiters = std::string_view(";|\t");
  if (text.find_first_of(delimiters) == std::string_view::npos) return false;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find_first_of(delimiters, begin), text.size());
    if (!is_number(std::string(text.substr(begin, end - begin)))) return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace cornu::detail
