#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

/// Internal to the CSV readers.
namespace cornu::detail {

struct CsvCell {
  std::string text;
  Index line = 0;  // line where the cell begins, from 1
  bool quoted = false;
};

/// Reads a CSV file row by row, with one row in memory at a time. If the delimiter is ' ', runs of spaces and tabs
/// separate cells and may begin and end a row.
class CsvRows {
 public:
  /// Throws FormatError for a file in UTF-16, ValueError if the delimiter is a quote or a line break.
  CsvRows(std::istream& stream, std::string name, char delimiter);

  /// Limits for a row and a cell. They bound the memory: an empty cell takes one byte of the file but 48 bytes in
  /// memory.
  static constexpr std::size_t most_cells = 100'000, most_bytes = 1 << 20;

  /// Reads the next non-empty row; returns false at the end of the file. Throws FormatError for unmatched quotes and
  /// for rows or cells over the limits.
  bool next();
  const std::vector<CsvCell>& cells() const { return cells_; }
  /// The line where the row begins, from 1.
  Index line() const { return cells_.front().line; }
  const std::string& name() const { return name_; }
  char delimiter() const { return delimiter_; }
  std::size_t bytes_read() const { return bytes_read_; }

 private:
  static constexpr int end = std::char_traits<char>::eof();

  int get();
  int skip_spaces(int c);
  bool ends_row(int c) const { return c == '\n' || c == '\r' || c == end; }
  bool ends_cell(int c) const { return c == delimiter_ || ends_row(c) || (delimiter_ == ' ' && c == '\t'); }
  int read_cell(CsvCell& cell);
  int read_quoted(CsvCell& cell);
  void append(CsvCell& cell, int c) const;
  [[noreturn]] void fail(const CsvCell& cell, std::string_view what) const;

  std::streambuf& buffer_;
  std::string name_;
  char delimiter_;
  Index line_ = 1;
  std::size_t bytes_read_ = 0;
  std::vector<CsvCell> cells_;
};

}  // namespace cornu::detail
