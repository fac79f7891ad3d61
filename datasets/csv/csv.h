#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/csv/encoding.h"

namespace cornu {

/// A column by name, or by index from 0; negative indices count from the end.
struct CsvColumn : std::variant<Index, std::string> {
  CsvColumn(int number) : variant(Index{number}) {}
  CsvColumn(Index number) : variant(number) {}
  CsvColumn(const char* name) : variant(std::string(name)) {}
  CsvColumn(std::string name) : variant(std::move(name)) {}
};

/// An unset option takes its value from `like`, or else the default in its comment.
struct CsvOptions {
  using Missing = CsvMissing;
  using Unknown = CsvUnknown;
  using enum CsvMissing;
  using enum CsvUnknown;

  /// The column to predict; all others are features. std::nullopt: all columns are features.
  std::optional<CsvColumn> target = CsvColumn(-1);
  std::vector<CsvColumn> ignored{};      ///< columns to leave out
  std::vector<CsvColumn> categorical{};  ///< columns of names, even if the names look like numbers: postal codes, "5kg"
  /// Encodes the table like the training table: the same features in the same order, whatever the order of the columns.
  /// Additional columns are ignored. The target may be missing; .target = std::nullopt ignores it.
  std::optional<CsvEncoding> like{};
  std::optional<char> delimiter{};   ///< ','. ' ' stands for any run of spaces and tabs, as numpy.savetxt writes
  std::optional<char> decimal{};     ///< '.'
  std::optional<char> thousands{};   ///< '\0', none. ',' reads 1,234 as 1234
  std::vector<std::string> units{};  ///< ignored before or after a number: {"$", "%"} reads "$5" and "5 %" as 5
  std::optional<bool> header{};      ///< whether the first row has the names; default: guessed from the first two rows
  std::optional<CsvMissing> missing{};  ///< refuse
  std::optional<CsvUnknown> unknown{};  ///< error
  std::vector<std::string> missing_values = default_missing_values();
  Index most_categories = 1000;  ///< a text column with more distinct values is an error

  static std::vector<std::string> default_missing_values() {
    return {"", "?", "NA", "N/A", "NaN", "nan", "null", "None"};
  }
};

/// A table read from a CSV file. A numeric column is one feature. A text column is one-hot encoded: one feature per
/// distinct value, in alphabetical order. A text target becomes a class index, in alphabetical order; a numeric target
/// has the shape (samples, 1). Stores one element per cell, which gather() expands.
class CsvDataset {
 public:
  Index size() const { return cells_.empty() ? 0 : size_; }  // empty if moved from
  Shape feature_shape() const { return {std::ssize(feature_names_)}; }
  /// (0) without a target: such a table can be used for predictions, but not for training.
  Shape target_shape() const;
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has the wrong size.
  void gather(std::span<const Index> rows, View x, View y) const;

  /// The encoding of the columns, for the option `like` of read_csv.
  const CsvEncoding& encoding() const { return encoding_; }
  bool has_target() const { return has_target_; }
  /// One name per feature: "age", or "colour=red" for a one-hot feature.
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
  std::vector<Real> cells_;  // row by row, target last: values, and category indices (-1: none)
  Index size_ = 0;
  bool has_target_ = false;
};

/// Reads a CSV file in one pass. Quoted cells may contain delimiters, line breaks and doubled quotes (RFC 4180). Empty
/// lines and spaces around unquoted cells are ignored. The first value of a column decides whether the column is
/// numeric or text; all others must agree. Numbers are rounded to the nearest Real. Ids, and dates such as 20141013,
/// look like numbers: declare them with .categorical or .ignored. Text is UTF-8.
/// Throws FileError if the file cannot be read. Throws FormatError, naming file, line and column, for unbalanced
/// quotes, a row of different length, text that is not UTF-8 in used names and categories, text among numbers, a number
/// in another format, a text column that looks numeric ("5kg", see docs/datasets.md), a missing value, a category that
/// `like` does not have, and a first row that may be names or data. Throws ValueError for options that name no column
/// of the file, and for options that contradict each other or `like`.
CsvDataset read_csv(const std::string& path, const CsvOptions& options = {});
/// The same from a stream; `name` is the file's name in errors.
CsvDataset read_csv(std::istream& stream, const std::string& name, const CsvOptions& options = {});

}  // namespace cornu
