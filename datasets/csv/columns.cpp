#include <algorithm>
#include <array>
#include <set>

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/datasets/csv/header.h"
#include "cornu/datasets/csv/reader.h"

namespace cornu {

using detail::CsvCell;

// ---- The first row ----

bool CsvReader::begins_with_names(std::vector<CsvCell>& first, const std::vector<CsvCell>& second) const {
  if (options_.header.value_or(true) && take_comment(first, second)) return true;
  if (options_.header) return *options_.header;
  if (options_.like && settings_.header) return require_known_names(first);
  if (options_.like) return !fits_positions(first);
  const auto is_name = [](const CsvColumn& column) { return std::holds_alternative<std::string>(column); };
  if ((options_.target && is_name(*options_.target)) ||
      std::any_of(options_.ignored.begin(), options_.ignored.end(), is_name) ||
      std::any_of(options_.categorical.begin(), options_.categorical.end(), is_name)) {
    return true;
  }
  const auto kind = detail::kind_of_first_row(
      first, second, [&](const std::string& text) { return is_like_number(text); },
      [&](const std::string& text) { return is_missing(text); });
  require<FormatError>(kind != detail::FirstRow::unclear,
                       "{}, line {}: the first row may be names or data; set .header to true or false", rows_.name(),
                       first[0].line);
  return kind == detail::FirstRow::names;
}

/// numpy.savetxt writes the names as a comment, "# a b" or "# a,b". Removes the comment mark; returns false if there is
/// none.
bool CsvReader::take_comment(std::vector<CsvCell>& first, const std::vector<CsvCell>& second) const {
  std::string& text = first[0].text;
  if (first[0].quoted || (!second.empty() && second[0].text.starts_with('#'))) return false;
  if (settings_.delimiter == ' ') {
    const bool is_comment = text == "#" && first.size() == second.size() + 1;
    if (is_comment) first.erase(first.begin());
    return is_comment;
  }
  if (!text.starts_with("# ")) return false;
  text.erase(0, text.find_first_not_of(" \t", 1));
  return true;
}

bool CsvReader::require_known_names(const std::vector<CsvCell>& first) const {
  const auto& features = settings_.features;
  for (const CsvCell& cell : first) {
    const auto is_called = [&](const CsvEncodedColumn& column) { return column.name == cell.text; };
    if (std::any_of(features.begin(), features.end(), is_called)) return true;
  }
  throw FormatError(
      message("{}, line {}: no column has a name of the encoding ({}){}; .header = false finds columns by position",
              rows_.name(), first[0].line, detail::some_of(names_of(features)),
              detail::delimiter_hint(first, settings_.delimiter)));
}

/// True if the row has a number or a missing value wherever the encoding has a numeric column.
bool CsvReader::fits_positions(const std::vector<CsvCell>& row) const {
  return std::all_of(settings_.features.begin(), settings_.features.end(), [&](const CsvEncodedColumn& column) {
    const std::size_t at = position_of(column, row.size());
    return !column.categories.empty() || at >= row.size() || is_like_number(row[at].text) || is_missing(row[at].text);
  });
}

std::vector<std::string> CsvReader::names_of(const std::vector<CsvEncodedColumn>& columns) {
  std::vector<std::string> names;
  for (const CsvEncodedColumn& column : columns) names.push_back(column.name);
  return names;
}

void CsvReader::name_columns(const std::vector<CsvCell>& first, bool header) {
  has_names_ = header;
  names_.reserve(first.size());
  for (std::size_t i = 0; i < first.size(); ++i) names_.push_back(header ? first[i].text : std::to_string(i));
}

/// Called only for columns that are used: the others may share a name or have none.
void CsvReader::require_single(const std::string& name) const {
  require<FormatError>(std::count(names_.begin(), names_.end(), name) < 2, "{}: two columns are called \"{}\"",
                       rows_.name(), name);
}

// ---- The columns of a training table ----

void CsvReader::choose_columns(const std::vector<CsvCell>& first) {
  std::set<std::size_t> ignored, categorical;
  std::optional<std::size_t> target;
  if (options_.target) target = position("target", *options_.target);
  for (const CsvColumn& column : options_.ignored) ignored.insert(position("ignored", column));
  for (const CsvColumn& column : options_.categorical) categorical.insert(position("categorical", column));
  require<ValueError>(!target || ignored.count(*target) == 0, "{}: the target \"{}\" is in .ignored", rows_.name(),
                      target ? names_[*target] : "");
  const auto add = [&](std::size_t i, bool is_target) {
    Column& column = columns_.emplace_back(Column{.name = names_[i], .cell = i, .is_target = is_target});
    require_utf8(column, {.text = column.name, .line = first[0].line});
    require_single(column.name);
    column.is_declared = categorical.count(i) != 0;
    if (column.is_declared) column.kind = Kind::texts;
  };
  columns_.reserve(names_.size());
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (ignored.count(i) == 0 && i != target) add(i, false);
  }
  const std::string hint = detail::delimiter_hint(first, settings_.delimiter);
  require<FormatError>(!columns_.empty(), "{}, line {}: no column is left for a feature; the only column is \"{}\"{}",
                       rows_.name(), first[0].line, detail::listed(names_), hint);
  if (names_.size() == 1 && !hint.empty() && is_cut_wrongly(first, rows_.cells())) {
    throw FormatError(
        message("{}, line {}: a single column, \"{}\"{}", rows_.name(), first[0].line, first[0].text, hint));
  }
  if (target) add(*target, true);
}

/// True if both rows have one cell that contains another delimiter, equally often.
bool CsvReader::is_cut_wrongly(const std::vector<CsvCell>& first, const std::vector<CsvCell>& second) const {
  const std::string_view delimiters = ";|,\t ";
  return std::any_of(delimiters.begin(), delimiters.end(), [&](char c) {
    const auto count = [&](const CsvCell& cell) { return std::count(cell.text.begin(), cell.text.end(), c); };
    return c != settings_.delimiter && count(first[0]) > 0 && count(first[0]) == count(second[0]);
  });
}

std::size_t CsvReader::position(const char* option, const CsvColumn& column) const {
  const auto count = std::ssize(names_);
  Index found = count;
  if (const auto* name = std::get_if<std::string>(&column)) {
    require_single(*name);
    found = std::find(names_.begin(), names_.end(), *name) - names_.begin();
  } else {
    const Index number = std::get<Index>(column);
    found = number < 0 ? number + count : number;
  }
  if (found < 0 || found >= count) {
    throw ValueError(message("{}: there is no column {} ({}); there are: {}{}", rows_.name(), detail::shown(column),
                             option, detail::listed(names_), names_.size() == 1 ? hint_of(names_[0]) : ""));
  }
  return static_cast<std::size_t>(found);
}

std::string CsvReader::hint_of(const std::string& text) const {
  return detail::delimiter_hint(std::array{CsvCell{.text = text}}, settings_.delimiter);
}

// ---- The columns of a table with an encoding ----

void CsvReader::find_columns(const std::vector<CsvCell>& first, bool header) {
  const bool by_name = header && settings_.header;
  const auto add = [&](const CsvEncodedColumn& known, std::size_t cell, bool is_target) {
    Column& column = columns_.emplace_back(Column{.name = known.name, .cell = cell, .is_target = is_target});
    column.kind = known.categories.empty() ? Kind::numbers : Kind::texts;
    column.is_declared = !known.categories.empty();
    for (const std::string& category : known.categories) {
      column.categories.emplace(category, std::ssize(column.categories));
    }
    if (column.kind == Kind::numbers) column.filling = static_cast<Real>(known.mean);
  };
  columns_.reserve(settings_.features.size() + 1);
  for (const CsvEncodedColumn& known : settings_.features) {
    const std::size_t at = by_name ? find(known.name) : position_of(known, first.size());
    require<FormatError>(by_name || fits_width(first.size()),
                         "{}, line {}: {} columns; the encoding's training table has {}", rows_.name(), first[0].line,
                         first.size(), settings_.columns);
    require<FormatError>(at < names_.size(), "{}: the encoding needs a column \"{}\"; there are: {}", rows_.name(),
                         known.name, detail::some_of(names_));
    add(known, at, false);
  }
  if (!settings_.target) return;
  const std::size_t at = by_name                                 ? find(settings_.target->name)
                         : std::ssize(first) < settings_.columns ? names_.size()
                                                                 : position_of(*settings_.target, first.size());
  if (at < names_.size()) add(*settings_.target, at, true);
}

std::size_t CsvReader::find(const std::string& name) const {
  require_single(name);
  return static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
}

/// True if the width is the training table's, with or without the target.
bool CsvReader::fits_width(std::size_t width) const {
  const auto columns = static_cast<std::size_t>(settings_.columns);
  return width == columns || (options_.like->target && width + 1 == columns);
}

std::size_t CsvReader::position_of(const CsvEncodedColumn& column, std::size_t width) const {
  const auto& target = options_.like->target;
  const bool shifted = target && static_cast<Index>(width) < settings_.columns && column.position > target->position;
  return static_cast<std::size_t>(column.position - (shifted ? 1 : 0));
}

}  // namespace cornu
