#include "cornu/formats/csv/rows.h"

#include <utility>

#include "cornu/core/error.h"
#include "cornu/formats/csv/characters.h"

namespace cornu::detail {

CsvRows::CsvRows(std::istream& stream, std::string name, char delimiter)
    : buffer_(*stream.rdbuf()), name_(std::move(name)), delimiter_(delimiter) {
  require<ValueError>(delimiter != '"' && delimiter != '\n' && delimiter != '\r',
                      "{}: a quote or a line break cannot be the delimiter", name_);
  if (const int first = buffer_.sgetc(); first == 0xFF || first == 0xFE) {
    buffer_.sbumpc();
    require<FormatError>(buffer_.sgetc() + first != 0xFF + 0xFE,
                         "{}: text in UTF-16; UTF-8 is required (\"CSV UTF-8\" in Excel)", name_);
    buffer_.sungetc();
  }
  // The UTF-8 byte order mark, which Windows programs write.
  for (const int mark : {0xEF, 0xBB, 0xBF}) {
    if (buffer_.sgetc() != mark) break;
    buffer_.sbumpc();
  }
}

/// Returns the next character. "\r\n", "\r" and "\n" each count as one line; "\r\n" is returned as two characters.
int CsvRows::get() {
  const int c = buffer_.sbumpc();
  ++bytes_read_;
  if (c == 0) {
    throw FormatError(
        message("{}, line {}: a NUL byte: not a text file, or text in UTF-16; UTF-8 is required", name_, line_));
  }
  if (c == '\n' || (c == '\r' && buffer_.sgetc() != '\n')) ++line_;
  return c;
}

void CsvRows::fail(const CsvCell& cell, std::string_view what) const {
  throw FormatError(message("{}, line {}, column number {}: {}", name_, cell.line,
                            static_cast<Index>(&cell - cells_.data()) + 1, what));
}

/// Skips spaces and tabs from `c` on and returns the first other character. A delimiter other than ' ' is not skipped.
int CsvRows::skip_spaces(int c) {
  while ((c == ' ' || c == '\t') && (c != delimiter_ || delimiter_ == ' ')) c = get();
  return c;
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
    if (delimiter_ == ' ' && count > 1 && cell.text.empty() && !cell.quoted) --count;  // trailing spaces of the row
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

/// Returns the character that ends the cell.
int CsvRows::read_cell(CsvCell& cell) {
  cell.text.clear();
  cell.line = line_;
  int c = skip_spaces(get());
  cell.quoted = c == '"';
  if (cell.quoted) return read_quoted(cell);
  for (; !ends_cell(c); c = get()) {
    if (c == '"') fail(cell, "a quote inside an unquoted cell");
    append(cell, c);
  }
  if (const std::string_view text = trimmed(cell.text); text.size() < cell.text.size()) cell.text = std::string(text);
  return ends_row(c) ? c : delimiter_;
}

int CsvRows::read_quoted(CsvCell& cell) {
  while (true) {
    int c = get();
    if (c == end) fail(cell, "an unclosed quote");
    if (c != '"') {
      append(cell, c);
      continue;
    }
    c = get();
    if (c == '"') {  // doubled
      append(cell, '"');
      continue;
    }
    if (!ends_cell(c)) c = skip_spaces(c);
    if (!ends_cell(c)) fail(cell, "text after the closing quote");
    return ends_row(c) ? c : delimiter_;
  }
}

}  // namespace cornu::detail
