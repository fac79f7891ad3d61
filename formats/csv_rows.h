#pragma once

#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

/// For readers of tables alone.
namespace cornu::detail {

struct CsvCell {
  std::string text;
  Index line = 0;  // where it begins, from 1
  bool quoted = false;
};

/// Reads a CSV file row by row; one row is in memory at a time. With ' ' as the delimiter, runs of spaces and tabs
/// separate cells and may begin and end a row.
class CsvRows {
 public:
  /// Throws FormatError for a file in UTF-16.
  CsvRows(std::istream& stream, std::string name, char delimiter);

  /// Limits for a row and a cell: an empty cell takes one byte of the file and forty of memory.
  static constexpr std::size_t most_cells = 100'000, most_bytes = 1 << 20;

  /// The next row that is not empty; false at the end. Throws FormatError for quotes that do not match and beyond the
  /// limits.
  bool next();
  const std::vector<CsvCell>& cells() const { return cells_; }
  /// Where the row begins.
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
