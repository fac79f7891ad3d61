#include "cornu/datasets/csv/reader.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/utf8.h"
#include "cornu/datasets/csv/header.h"

namespace cornu {

using detail::CsvCell;

std::string detail::shown(const CsvColumn& column) {
  const auto* name = std::get_if<std::string>(&column);
  return name != nullptr ? "\"" + *name + "\"" : std::to_string(std::get<Index>(column));
}

std::string detail::some_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 20;
  if (names.size() <= most) return detail::listed(names);
  return message("{}, ... ({} in all)", detail::listed(std::span(names).first(most)), names.size());
}

namespace {

/// `like`, or an empty encoding, with this table's options.
CsvEncoding settings_of(const CsvOptions& options, const std::string& name) {
  CsvEncoding settings = options.like.value_or(CsvEncoding{.missing_values = options.missing_values});
  if (options.like) {
    const auto& known = settings.target;
    require<ValueError>(!settings.features.empty(), "{}: .like is an encoding without features", name);
    require<ValueError>(options.ignored.empty() && options.categorical.empty(),
                        "{}: .ignored and .categorical are already in the encoding (.like)", name);
    require<ValueError>(
        !options.target || *options.target == CsvColumn(-1) || (known && *options.target == CsvColumn(known->name)),
        "{}: the target is {}, but the encoding (.like) has {}", name,
        options.target ? detail::shown(*options.target) : "", known ? "\"" + known->name + "\"" : "none");
    if (!options.target) settings.target.reset();
    if (options.missing_values != CsvOptions::default_missing_values())
      settings.missing_values = options.missing_values;
  }
  settings.delimiter = options.delimiter.value_or(settings.delimiter);
  settings.decimal = options.decimal.value_or(settings.decimal);
  settings.thousands = options.thousands.value_or(settings.thousands);
  if (!options.units.empty()) settings.units = options.units;
  settings.missing = options.missing.value_or(settings.missing);
  settings.unknown = options.unknown.value_or(settings.unknown);
  constexpr std::string_view marks(".,'_ \0", 6);
  for (const auto& [option, mark] :
       {std::pair("decimal", settings.decimal), std::pair("thousands", settings.thousands)}) {
    require<ValueError>(marks.find(mark) != std::string_view::npos,
                        "{}: .{} is '{}'; it must be one of . , ' _ and a space", name, option, std::string(1, mark));
  }
  require<ValueError>(settings.decimal != settings.thousands, "{}: .decimal and .thousands are both '{}'", name,
                      std::string(1, settings.decimal));
  return settings;
}

}  // namespace

CsvReader::CsvReader(std::istream& stream, const std::string& name, const CsvOptions& options)
    : options_(options),
      settings_(settings_of(options, name)),
      rows_(stream, name, settings_.delimiter),
      format_{.decimal = settings_.decimal, .thousands = settings_.thousands, .units = settings_.units} {}

CsvDataset CsvReader::read() {
  bool more = rows_.next();
  require<FormatError>(more, "{}: it is empty", rows_.name());
  std::vector<CsvCell> first = rows_.cells();
  charge(first.size() * (2 * sizeof(CsvCell) + sizeof(std::string) + sizeof(Column) + node_bytes));
  more = rows_.next();
  const bool header = begins_with_names(first, more ? rows_.cells() : std::vector<CsvCell>{});
  name_columns(first, header);
  if (options_.like) {
    find_columns(first, header);
  } else {
    choose_columns(first);
  }
  data_.has_target_ = !columns_.empty() && columns_.back().is_target;
  if (!header) add_row(first);
  for (; more; more = rows_.next()) add_row(rows_.cells());
  require<FormatError>(data_.size_ > 0, "{}: there are no rows of data{}", rows_.name(),
                       dropped_ > 0 ? message(" ({} had missing values and were dropped)", dropped_) : "");
  if (!options_.like) learn();
  finish();
  return std::move(data_);
}

bool CsvReader::is_missing(const std::string& text) const {
  const auto& missing = settings_.missing_values;
  return std::find(missing.begin(), missing.end(), text) != missing.end();
}

bool CsvReader::parse(std::string_view text, Real& number) const {
  return detail::parse_number(text, format_, number) && std::isfinite(number);
}

/// True if the text is a number, several numbers, or a number in another format.
bool CsvReader::is_like_number(const std::string& text) const {
  Real number = 0;
  return parse(text, number) || !detail::options_for_number(text, format_).empty() ||
         detail::is_list_of_numbers(text, [&](const std::string& one) { return is_like_number(one); });
}

// ---- The rows ----

void CsvReader::fail(const Column& column, const CsvCell& cell, const std::string& what) const {
  throw FormatError(message("{}, line {}, column \"{}\": {}", rows_.name(), cell.line, column.name, what));
}

void CsvReader::add_row(const std::vector<CsvCell>& cells) {
  const std::size_t width = names_.size();
  if (cells.size() != width) {
    throw FormatError(
        message("{}, line {}, column {}: the row has {} cells, but the first row has {}{}", rows_.name(), cells[0].line,
                cells.size() < width ? message(R"("{}")", names_[cells.size()]) : message("number {}", width + 1),
                cells.size(), width, width == 1 ? hint_of(names_[0]) : ""));
  }
  for (const Column& column : columns_) {  // first, because the row may be dropped
    const CsvCell& cell = cells[column.cell];
    if (!is_missing(cell.text)) continue;
    if (settings_.missing == CsvMissing::drop_row) {
      ++dropped_;
      return;
    }
    if (settings_.missing == CsvMissing::refuse || column.is_target) {
      fail(column, cell,
           message("the value is missing (\"{}\"){}", cell.text, column.is_target ? "" : "; set .missing to allow it"));
    }
  }
  for (Column& column : columns_) cells_.push_back(value_of(column, cells[column.cell]));
  ++data_.size_;
}

Real CsvReader::value_of(Column& column, const CsvCell& cell) {
  const std::string& text = cell.text;
  if (is_missing(text)) return std::numeric_limits<Real>::quiet_NaN();
  Real number = 0;
  const bool is_number = !column.is_declared && parse(text, number);
  // Do not accept the number as a category: a typo in the first row would turn a numeric column into categories.
  if (is_number && column.kind == Kind::texts) refuse_number_among_texts(column, cell);
  if (is_number) {
    column.kind = Kind::numbers;
    column.total += static_cast<long double>(number);
    ++column.count;
    return number;
  }
  if (!column.is_declared) refuse_other_format(column, cell);
  if (column.kind == Kind::numbers) refuse_text_among_numbers(column, cell);
  if (column.kind == Kind::unknown) column.first_text = cell;
  column.kind = Kind::texts;
  const auto found = column.categories.find(text);
  if (found != column.categories.end()) return static_cast<Real>(found->second);
  return options_.like ? unknown(column, cell) : add_category(column, cell);
}

/// Throws for a number in another format, which would silently become a category.
void CsvReader::refuse_other_format(const Column& column, const CsvCell& cell) const {
  const std::string options = detail::options_for_number(cell.text, format_);
  if (!options.empty()) fail_as_number(column, cell, "a number with " + options);
  if (detail::is_list_of_numbers(cell.text, [&](const std::string& text) { return is_like_number(text); })) {
    const char c = cell.text[cell.text.find_first_of(";|\t")];
    fail(column, cell,
         message("\"{}\" is several numbers; is the delimiter '{}'? (.delimiter{})", cell.text,
                 c == '\t' ? "\\t" : std::string(1, c),
                 options_.like ? "" : "; list the column in .categorical if its values are names"));
  }
}

/// Throws for a text that is allowed in a categorical column only.
void CsvReader::fail_as_number(const Column& column, const CsvCell& cell, const std::string& what) const {
  fail(column, cell,
       message("\"{}\" is {}{}", cell.text, what,
               options_.like ? "" : "; list the column in .categorical if its values are names"));
}

void CsvReader::refuse_text_among_numbers(const Column& column, const CsvCell& cell) const {
  const std::string what = detail::described(detail::decorated_number(cell.text, format_), format_);
  if (!what.empty()) fail_as_number(column, cell, what);
  fail(column, cell,
       options_.like ? message("\"{}\" is not a number, but the encoding was learnt from numbers", cell.text)
                     : message("\"{}\" is not a number, but the values before it are (list the column in .categorical "
                               "if its values are names)",
                               cell.text));
}

/// Names the first text if it looks like a number, and else both cells.
void CsvReader::refuse_number_among_texts(const Column& column, const CsvCell& cell) const {
  const CsvCell& first = column.first_text;
  const std::string what = detail::described(detail::decorated_number(first.text, format_), format_);
  if (!what.empty()) fail_as_number(column, first, what);
  fail(column, cell,
       message(
           R"("{}" is a number, but "{}" in line {} is not (list the column in .categorical if its values are names))",
           cell.text, first.text, first.line));
}

Real CsvReader::unknown(const Column& column, const CsvCell& cell) const {
  if (settings_.unknown == CsvUnknown::other && !column.is_target) return -1;
  std::vector<std::string> known;
  for (const auto& [text, number] : column.categories) known.push_back(text);
  fail(column, cell,
       message("\"{}\" is not among the {} of the encoding: {}{}", cell.text,
               column.is_target ? "classes" : "categories", detail::some_of(known),
               column.is_target ? "" : " (.unknown = CsvOptions::other allows it)"));
}

/// Checks a text that the encoding stores: files of encodings and models must be UTF-8.
void CsvReader::require_utf8(const Column& column, const CsvCell& cell) const {
  if (detail::is_utf8(cell.text)) return;
  fail(column, cell,
       message("\"{}\" is not UTF-8; save the table as UTF-8 (if it is in Latin-1: iconv -f ISO-8859-1 -t UTF-8)",
               cell.text));
}

Real CsvReader::add_category(Column& column, const CsvCell& cell) {
  require_utf8(column, cell);
  const auto count = std::ssize(column.categories);
  if (count == options_.most_categories) {
    fail(column, cell,
         message("\"{}\" is distinct text number {}; is this a column of ids or names? (list it in .ignored, or raise "
                 ".most_categories)",
                 cell.text, count + 1));
  }
  // Four copies: two here, one in the encoding, one in the feature names.
  charge(4 * cell.text.size() + 3 * node_bytes + (column.is_target ? 0 : column.name.size()));
  if (!column.is_declared) column.decorated.add(cell, format_);
  column.categories.emplace(cell.text, count);
  return static_cast<Real>(count);
}

// ---- The end ----

/// Fills in the encoding and sorts the categories alphabetically.
void CsvReader::learn() {
  settings_.columns = std::ssize(names_);
  settings_.header = has_names_;
  for (Column& column : columns_) {
    require<FormatError>(column.count > 0 || !column.categories.empty(), "{}: column \"{}\" has no values",
                         rows_.name(), column.name);
    refuse_decorated(column);
    CsvEncodedColumn known{.name = column.name, .position = static_cast<Index>(column.cell)};
    if (column.kind == Kind::numbers) {
      known.mean = static_cast<double>(column.total / static_cast<long double>(column.count));
      column.filling = static_cast<Real>(known.mean);
    }
    column.places.resize(column.categories.size());
    for (auto& [text, came] : column.categories) {
      column.places[static_cast<std::size_t>(came)] = static_cast<Real>(known.categories.size());
      known.categories.push_back(text);
    }
    if (column.is_target) {
      settings_.target = std::move(known);
    } else {
      settings_.features.push_back(std::move(known));
    }
  }
}

/// Throws for a column of texts that look like numbers.
void CsvReader::refuse_decorated(const Column& column) const {
  if (!column.decorated.are_numbers(data_.size_)) return;
  fail_as_number(column, column.decorated.first(), column.decorated.described(format_));
}

void CsvReader::finish() {
  if (options_.like) {
    data_.encoding_ = *options_.like;
  } else {
    data_.encoding_ = std::move(settings_);
  }
  data_.feature_names_ = data_.encoding_.feature_names();
  data_.cells_.reserve(cells_.size());
  for (const Real cell : cells_) {
    const Column& column = columns_[data_.cells_.size() % columns_.size()];
    data_.cells_.push_back(std::isnan(cell)        ? column.filling
                           : column.places.empty() ? cell
                                                   : column.places[static_cast<std::size_t>(cell)]);
  }
}

/// Counts memory for columns and categories, because a short cell can take hundreds of bytes. Throws FormatError above
/// the limit for a file of this size.
void CsvReader::charge(std::size_t bytes) {
  charged_ += bytes;
  require<FormatError>(charged_ <= detail::reading_memory(rows_.bytes_read()),
                       "{}, line {}: its columns and categories would take more than three times its size in memory",
                       rows_.name(), rows_.line());
}

}  // namespace cornu
