#pragma once

#include <deque>
#include <istream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/datasets/csv/csv.h"
#include "cornu/datasets/csv/decorated.h"
#include "cornu/datasets/csv/numbers.h"
#include "cornu/formats/csv/rows.h"

namespace cornu {

namespace detail {

/// The name in quotes, or the index.
std::string shown(const CsvColumn& column);
/// The first few of many names.
std::string some_of(const std::vector<std::string>& names);

}  // namespace detail

/// Reads the rows of a file into a dataset. Internal to datasets/csv/*.cpp: columns.cpp finds the columns, reader.cpp
/// reads the rows.
class CsvReader {
 public:
  CsvReader(std::istream& stream, const std::string& name, const CsvOptions& options);
  CsvDataset read();

 private:
  enum class Kind { unknown, numbers, texts };
  struct Column {
    std::string name;
    std::size_t cell;  // index in the row
    bool is_target = false;
    Kind kind = Kind::unknown;
    bool is_declared = false;  // categorical by an option or by `like`
    // Numbered in order of appearance; with `like`, as in the encoding.
    std::map<std::string, Index, std::less<>> categories{};
    detail::CsvCell first_text{};
    detail::DecoratedTexts decorated{};  // the decorated numbers among the categories, unless declared
    long double total = 0;               // the sum of the values
    Index count = 0;
    Real filling = -1;           // replaces a missing value
    std::vector<Real> places{};  // from a category's index in order of appearance to its index in the encoding
  };

  bool is_missing(const std::string& text) const;
  bool parse(std::string_view text, Real& number) const;
  bool is_like_number(const std::string& text) const;

  // ---- The first row ----

  bool begins_with_names(std::vector<detail::CsvCell>& first, const std::vector<detail::CsvCell>& second) const;
  bool take_comment(std::vector<detail::CsvCell>& first, const std::vector<detail::CsvCell>& second) const;
  bool require_known_names(const std::vector<detail::CsvCell>& first) const;
  bool fits_positions(const std::vector<detail::CsvCell>& row) const;
  static std::vector<std::string> names_of(const std::vector<CsvEncodedColumn>& columns);
  void name_columns(const std::vector<detail::CsvCell>& first, bool header);
  void require_single(const std::string& name) const;

  // ---- The columns of a training table ----

  void choose_columns(const std::vector<detail::CsvCell>& first);
  bool is_cut_wrongly(const std::vector<detail::CsvCell>& first, const std::vector<detail::CsvCell>& second) const;
  std::size_t position(const char* option, const CsvColumn& column) const;
  std::string hint_of(const std::string& text) const;

  // ---- The columns of a table like another one ----

  void find_columns(const std::vector<detail::CsvCell>& first, bool header);
  std::size_t find(const std::string& name) const;
  bool fits_width(std::size_t width) const;
  std::size_t position_of(const CsvEncodedColumn& column, std::size_t width) const;

  // ---- The rows ----

  [[noreturn]] void fail(const Column& column, const detail::CsvCell& cell, const std::string& what) const;
  void add_row(const std::vector<detail::CsvCell>& cells);
  Real value_of(Column& column, const detail::CsvCell& cell);
  void refuse_other_format(const Column& column, const detail::CsvCell& cell) const;
  [[noreturn]] void fail_as_number(const Column& column, const detail::CsvCell& cell, const std::string& what) const;
  [[noreturn]] void refuse_text_among_numbers(const Column& column, const detail::CsvCell& cell) const;
  [[noreturn]] void refuse_number_among_texts(const Column& column, const detail::CsvCell& cell) const;
  Real unknown(const Column& column, const detail::CsvCell& cell) const;
  void require_utf8(const Column& column, const detail::CsvCell& cell) const;
  Real add_category(Column& column, const detail::CsvCell& cell);

  // ---- The end ----

  void learn();
  void refuse_decorated(const Column& column) const;
  void finish();

  static constexpr std::size_t node_bytes =
      96;  // a map node with a number and a string, without the string's characters

  void charge(std::size_t bytes);

  const CsvOptions& options_;
  CsvEncoding settings_;  // the encoding in `like` with this table's options; learn() adds the columns
  detail::CsvRows rows_;
  detail::NumberFormat format_;
  std::vector<std::string> names_;  // of all columns in the file
  bool has_names_ = true;
  std::vector<Column> columns_;  // the features in the encoding's order, then the target
  std::deque<Real> cells_;       // a deque grows without copying
  std::size_t charged_ = 0;
  Index dropped_ = 0;
  CsvDataset data_;
};

}  // namespace cornu
