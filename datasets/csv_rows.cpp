#include "cornu/datasets/csv_rows.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>
#include <utility>

#include "cornu/core/error.h"

namespace cornu::detail {

bool parse_number(std::string_view text, Real& number) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const char* const last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, number);
  if (error == std::errc::result_out_of_range) {  // which does not say at which end
    long double wide = 0;
    error = std::from_chars(text.data(), last, wide).ec;
    const bool small = std::abs(wide) < 1;
    number = std::copysign(small ? Real{0} : std::numeric_limits<Real>::infinity(), wide < 0 ? Real{-1} : Real{1});
  }
  return error == std::errc() && end == last;
}

CsvRows::CsvRows(std::istream& stream, std::string name, char delimiter)
    : buffer_(*stream.rdbuf()), name_(std::move(name)), delimiter_(delimiter) {
  require<ValueError>(delimiter != '"' && delimiter != '\n' && delimiter != '\r',
                      "{}: a quote or a line's end cannot be the delimiter", name_);
  // Windows programs begin a file in UTF-8 with these three bytes.
  for (const int mark : {0xEF, 0xBB, 0xBF}) {
    if (buffer_.sgetc() != mark) break;
    buffer_.sbumpc();
  }
}

/// The next character; both of "\r\n" come, and "\r\n", "\r" and "\n" count as one line.
int CsvRows::get() {
  const int c = buffer_.sbumpc();
  ++bytes_read_;
  if (c == '\n' || (c == '\r' && buffer_.sgetc() != '\n')) ++line_;
  return c;
}

void CsvRows::fail(const CsvCell& cell, std::string_view what) const {
  throw FormatError(message("{}, line {}, column number {}: {}", name_, cell.line,
                            static_cast<Index>(&cell - cells_.data()) + 1, what));
}

bool CsvRows::next() {
  std::size_t count = 0;
  while (true) {
    if (count == most_cells) fail(cells_.back(), message("a row of more than {} cells", most_cells));
    if (count == cells_.size()) cells_.emplace_back();
    CsvCell& cell = cells_[count++];
    int after = read_cell(cell);
    if (after == '\r' && buffer_.sgetc() == '\n') after = get();
    if (after == delimiter_) continue;
    const bool empty = count == 1 && cell.text.empty();
    if (empty && after == end) return false;
    if (!empty) break;
    count = 0;
  }
  cells_.resize(count);
  return true;
}

void CsvRows::append(CsvCell& cell, int c) const {
  if (cell.text.size() == most_bytes) fail(cell, message("a cell of more than {} bytes", most_bytes));
  cell.text += static_cast<char>(c);
}

/// Returns the character that ends it.
int CsvRows::read_cell(CsvCell& cell) {
  cell.text.clear();
  cell.line = line_;
  int c = get();
  while ((c == ' ' || c == '\t') && c != delimiter_) c = get();
  if (c == '"') return read_quoted(cell);
  for (; c != delimiter_ && !ends_row(c); c = get()) {
    if (c == '"') fail(cell, "a quote inside of a cell that does not begin with one");
    append(cell, c);
  }
  cell.text.erase(cell.text.find_last_not_of(" \t") + 1);
  return c;
}

int CsvRows::read_quoted(CsvCell& cell) {
  while (true) {
    int c = get();
    if (c == end) fail(cell, "a quote that is never closed");
    if (c != '"') {
      append(cell, c);
      continue;
    }
    c = get();
    if (c == '"') {  // doubled
      append(cell, '"');
      continue;
    }
    while ((c == ' ' || c == '\t') && c != delimiter_) c = get();
    if (c != delimiter_ && !ends_row(c)) fail(cell, "text after the closing quote");
    return c;
  }
}

}  // namespace cornu::detail
