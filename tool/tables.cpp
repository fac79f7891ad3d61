#include "cornu/tool/tables.h"

#include <algorithm>
#include <cmath>
#include <istream>
#include <streambuf>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/datasets/csv/decorated.h"
#include "cornu/datasets/csv/header.h"
#include "cornu/datasets/csv/numbers.h"
#include "cornu/datasets/subset.h"
#include "cornu/formats/csv/rows.h"
#include "cornu/tool/commands.h"

namespace cornu::tool {

namespace {

/// A read-only stream buffer over bytes in memory.
struct MemoryBuffer : std::streambuf {
  explicit MemoryBuffer(std::string_view text) {
    char* const begin = const_cast<char*>(text.data());  // the buffer is only read
    setg(begin, begin, begin + text.size());
  }
};

/// The most frequent delimiter in the first non-empty line, outside quotes. The decimal and thousands marks of the
/// options are excluded; numbers contain no other delimiter, so that a wrong guess leads to an error.
char delimiter_of(std::string_view text, const CsvOptions& options) {
  std::string delimiters = ",;\t ";
  std::erase_if(delimiters, [&](char c) { return c == options.decimal || c == options.thousands; });
  text.remove_prefix(text.find_last_of("\r\n", text.find_first_not_of("\r\n\t ")) + 1);
  std::string found;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\r' || c == '\n') break;
    if (delimiters.find(c) != std::string::npos) found += c;
  }
  // A space counts only if there is no other delimiter: names contain spaces, and spaces may follow delimiters.
  const bool others = found.find_first_of(",;\t") != std::string::npos;
  const auto count = [&](char c) { return c == ' ' && others ? 0 : std::count(found.begin(), found.end(), c); };
  return *std::max_element(delimiters.begin(), delimiters.end(), [&](char a, char b) { return count(a) < count(b); });
}

/// The hint for text in a table of numbers.
std::string remedy_for_text(const detail::CsvCell& cell, const detail::NumberFormat& format, char delimiter) {
  const auto is_like_number = [&](const std::string& text) {
    Real number = 0;
    return detail::parse_number(text, format, number) || !detail::options_for_number(text, format).empty();
  };
  const std::string options = detail::options_for_number(cell.text, format);
  if (!options.empty()) return "; it is a number with " + options;
  if (detail::is_list_of_numbers(cell.text, is_like_number)) return detail::delimiter_hint({&cell, 1}, delimiter);
  const detail::DecoratedNumber number = detail::decorated_number(cell.text, format);
  if (number.kind == detail::DecoratedNumber::Kind::not_finite) return "; numbers must be finite";
  if (number.kind == detail::DecoratedNumber::Kind::none) {
    return "; a table of texts needs a model that carries the table's encoding (Sequential::set_csv_encoding)";
  }
  return "; it is " + detail::described(number, format);
}

/// Appends the row's numbers. Returns false for a header: a row in which no cell is a number in any format.
bool append_row(const detail::CsvRows& rows, const detail::NumberFormat& format, std::vector<Real>& numbers,
                bool names_allowed) {
  const std::size_t before = numbers.size();
  const detail::CsvCell* wrong = nullptr;
  for (const detail::CsvCell& cell : rows.cells()) {
    Real number = 0;
    if (detail::parse_number(cell.text, format, number) && std::isfinite(number)) {
      numbers.push_back(number);
    } else if (wrong == nullptr) {
      wrong = &cell;
    }
  }
  if (wrong == nullptr) return true;
  const bool are_names = std::all_of(rows.cells().begin(), rows.cells().end(), [&](const detail::CsvCell& cell) {
    return detail::options_for_number(cell.text, format).empty();
  });
  if (names_allowed && are_names && numbers.size() == before) return false;
  throw FormatError(message("{}: line {}: \"{}\" is not a number{}", rows.name(), wrong->line, wrong->text,
                            remedy_for_text(*wrong, format, rows.delimiter())));
}

/// True if a first row of numbers is a header: quoted above unquoted numbers. Throws FormatError if that is unclear.
bool are_names(const std::vector<detail::CsvCell>& first, const detail::CsvRows& rows,
               const detail::NumberFormat& format) {
  const auto is_number = [&](const std::string& text) {
    Real number = 0;
    return detail::parse_number(text, format, number);
  };
  const detail::FirstRow kind =
      detail::kind_of_first_row(first, rows.cells(), is_number, [](const std::string&) { return false; });
  require<FormatError>(kind != detail::FirstRow::unclear,
                       "{}: the first row, {}, ..., may be names or a sample; remove it, or pass --no-header",
                       rows.name(), first[0].text);
  return kind == detail::FirstRow::names;
}

}  // namespace

Numbers read_table(std::span<const std::byte> bytes, const std::string& name, const TableOptions& options) {
  require<UsageError>(options.missing.empty() && options.unknown.empty(),
                      "{}: --missing and --unknown need a model that carries the table's encoding", name);
  CsvOptions csv;
  options.apply(csv);
  const detail::NumberFormat format{
      .decimal = csv.decimal.value_or('.'), .thousands = csv.thousands.value_or('\0'), .units = csv.units};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  MemoryBuffer buffer(text);
  std::istream stream(&buffer);
  detail::CsvRows rows(stream, name, csv.delimiter.value_or(delimiter_of(text, csv)));
  std::vector<Real> numbers;
  Index count = 0, width = 0;
  std::vector<detail::CsvCell> first_row;
  for (bool first = true; rows.next(); first = false) {
    if (first && !options.no_header) {
      first_row = rows.cells();
    } else if (count == 1 && !first_row.empty()) {
      if (are_names(first_row, rows, format)) {
        numbers.clear();
        count = 0;
      }
      first_row.clear();
    }
    if (!append_row(rows, format, numbers, first && !options.no_header)) {
      first_row.clear();
      continue;
    }
    const Index came = std::ssize(rows.cells());
    require<FormatError>(count == 0 || came == width, "{}: line {}: {} numbers; the rows before it have {}", name,
                         rows.line(), came, width);
    width = came;
    ++count;
  }
  require<FormatError>(count > 0, "{}: there are no numbers in it", name);
  const RawTensor array = raw_tensor(name, ConstView(numbers.data(), {count, width}));
  return {.array = array, .owner = std::move(numbers)};
}

CsvDataset read_encoded_table(std::span<const std::byte> bytes, const std::string& name, CsvOptions options,
                              const TableOptions& given) {
  given.apply(options);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string_view line = text.substr(0, text.find_first_of("\r\n", text.find_first_not_of("\r\n\t ")));
  const char delimiter = delimiter_of(text, options);
  const auto has = [&](char c) { return line.find(c) != std::string_view::npos; };
  const CsvEncoding& encoding = *options.like;
  const bool is_of_numbers = delimiter == options.decimal.value_or(encoding.decimal) ||
                             delimiter == options.thousands.value_or(encoding.thousands);
  const bool has_its_delimiter =
      has(encoding.delimiter) && encoding.delimiter != options.decimal && encoding.delimiter != options.thousands;
  if (!options.delimiter && encoding.features.size() > 1 && !has_its_delimiter && has(delimiter) && !is_of_numbers) {
    options.delimiter = delimiter;
  }
  MemoryBuffer buffer(text);
  std::istream stream(&buffer);
  return read_csv(stream, name, options);
}

Numbers read_features(std::span<const std::byte> bytes, const std::string& name, const CsvEncoding& encoding,
                      const TableOptions& given) {
  CsvOptions options{.target = std::nullopt, .like = encoding};
  if (encoding.missing == CsvMissing::drop_row) options.missing = CsvMissing::refuse;
  const CsvDataset table = read_encoded_table(bytes, name, options, given);
  const TensorDataset samples = gathered(table);
  Numbers result;
  result.array = raw_tensor(name, result.owner.emplace<Tensor>(samples.x()));
  return result;
}

}  // namespace cornu::tool
