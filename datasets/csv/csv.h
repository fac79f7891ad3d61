#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/csv/encoding.h"

namespace cornu {

/// A column by its name, or by its number from 0, from the end where negative.
struct CsvColumn : std::variant<Index, std::string> {
  CsvColumn(int number) : variant(Index{number}) {}
  CsvColumn(Index number) : variant(number) {}
  CsvColumn(const char* name) : variant(std::string(name)) {}
  CsvColumn(std::string name) : variant(std::move(name)) {}
};

/// An option without a value takes it from `like` or, without that, the default in its comment.
struct CsvOptions {
  using Missing = CsvMissing;
  using Unknown = CsvUnknown;
  using enum CsvMissing;
  using enum CsvUnknown;

  /// The column to predict; all others are features. std::nullopt: all columns are features.
  std::optional<CsvColumn> target = CsvColumn(-1);
  std::vector<CsvColumn> ignored{};      ///< columns to leave out
  std::vector<CsvColumn> categorical{};  ///< columns of names, even if these look like numbers: postal codes, "5kg"
  /// Reads the table like the training table: the same features in the same order, whatever the order of the columns.
  /// Other columns are ignored. The target may be missing; .target = std::nullopt ignores it.
  std::optional<CsvEncoding> like{};
  std::optional<char> delimiter{};      ///< ','. ' ' is any run of spaces and tabs, as numpy.savetxt writes
  std::optional<char> decimal{};        ///< '.'
  std::optional<char> thousands{};      ///< '\0', none; ',' reads 1,234 as 1234
  std::vector<std::string> units{};     ///< before or after a number, ignored: {"$", "%"} reads "$5" and "5 %" as 5
  std::optional<bool> header{};         ///< whether the first row has the names; default: seen from the first two rows
  std::optional<CsvMissing> missing{};  ///< refuse
  std::optional<CsvUnknown> unknown{};  ///< error
  std::vector<std::string> missing_values = default_missing_values();
  Index most_categories = 1000;  ///< a column with more different texts is an error

  static std::vector<std::string> default_missing_values() {
    return {"", "?", "NA", "N/A", "NaN", "nan", "null", "None"};
  }
};

/// A table read from a CSV file. A column of numbers is one feature. A column of texts is one-hot: one feature for each
/// different text, in alphabetical order. A target of texts is a class index, in alphabetical order; a target of
/// numbers has the shape (samples, 1). Stores one number for each cell; gather() expands it.
class CsvDataset {
 public:
  Index size() const { return cells_.empty() ? 0 : size_; }  // empty once it was moved from
  Shape feature_shape() const { return {std::ssize(feature_names_)}; }
  /// (0) without a target: a model can predict such a table, but not learn from it.
  Shape target_shape() const;
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has no room for the rows.
  void gather(std::span<const Index> rows, View x, View y) const;

  /// How the columns were encoded; for read_csv's option `like`.
  const CsvEncoding& encoding() const { return encoding_; }
  bool has_target() const { return has_target_; }
  /// "age", or "colour=red" for a one-hot feature.
  const std::vector<std::string>& feature_names() const { return feature_names_; }
  /// Empty if the encoding has no target.
  std::string target_name() const { return encoding_.target ? encoding_.target->name : ""; }
  /// By class index; empty if the target is a number.
  const std::vector<std::string>& class_names() const { return encoding_.class_names(); }
  Index classes() const { return std::ssize(class_names()); }

 private:
  friend class CsvReader;

  CsvEncoding encoding_;
  std::vector<std::string> feature_names_;
  std::vector<Real> cells_;  // row by row, the target last: numbers, and indices of categories (-1: none)
  Index size_ = 0;
  bool has_target_ = false;
};

/// Reads a CSV file in one pass (RFC 4180: quoted cells may contain delimiters, line ends, and doubled quotes). Empty
/// lines and spaces around unquoted cells are ignored. A column's first value shows whether it holds numbers or texts;
/// all others must be of the same kind. Numbers become the nearest Real; ids, and dates such as 20141013, are names
/// (.categorical, .ignored). Texts are UTF-8. Throws FileError if the file cannot be read. Throws FormatError, naming
/// file, line and column, for unbalanced quotes, a row of another length, a text that is not UTF-8 among the names or
/// categories that are kept, a text among numbers, a number in another format, a column of texts that look like numbers
/// ("5kg", docs/datasets.md), a missing value, a category that `like` does not know, and a first row that may be names
/// or data. Throws ValueError for options that name no column of the file, and for those that
/// contradict each other or `like`.
CsvDataset read_csv(const std::string& path, const CsvOptions& options = {});
/// The same from a stream; `name` stands for the file in errors.
CsvDataset read_csv(std::istream& stream, const std::string& name, const CsvOptions& options = {});

}  // namespace cornu
