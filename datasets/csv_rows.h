#pragma once

#include <istream>
#include <string>
#include <vector>

#include "cornu/core/shape.h"

/// For datasets/csv*.cpp alone.
namespace cornu::detail {

struct CsvCell {
  std::string text;
  Index line = 0;  // on which it begins, from 1
};

/// The rows of a CSV file one after the other, in memory for one of them.
class CsvRows {
 public:
  CsvRows(std::istream& stream, std::string name, char delimiter);

  /// The next row that is not empty; false at the end. Throws FormatError for quotes that do not match.
  bool next();
  const std::vector<CsvCell>& cells() const { return cells_; }
  /// On which the row begins.
  Index line() const { return cells_.front().line; }
  const std::string& name() const { return name_; }
  std::size_t bytes_read() const { return bytes_read_; }

 private:
  static constexpr int end = std::char_traits<char>::eof();

  int get();
  bool ends_row(int c) const { return c == '\n' || c == '\r' || c == end; }
  int read_cell(CsvCell& cell);
  int read_quoted(CsvCell& cell);
  [[noreturn]] void fail(const CsvCell& cell, const char* what) const;

  std::streambuf& buffer_;
  std::string name_;
  char delimiter_;
  Index line_ = 1;
  std::size_t bytes_read_ = 0;
  std::vector<CsvCell> cells_;
};

}  // namespace cornu::detail
