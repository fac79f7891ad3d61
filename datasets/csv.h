#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/csv_encoding.h"

namespace cornu {

/// A column by its name, or by its number from 0, from the end where negative.
struct CsvColumn : std::variant<Index, std::string> {
  CsvColumn(int number) : variant(Index{number}) {}
  CsvColumn(Index number) : variant(number) {}
  CsvColumn(const char* name) : variant(std::string(name)) {}
  CsvColumn(std::string name) : variant(std::move(name)) {}
};

/// Options without a value have that of `like` where it is given, else the one that is named.
struct CsvOptions {
  using Missing = CsvMissing;
  using Unknown = CsvUnknown;
  using enum CsvMissing;
  using enum CsvUnknown;

  /// What is to be predicted; all other columns are features. std::nullopt: nothing, all columns are features.
  std::optional<CsvColumn> target = CsvColumn(-1);
  std::vector<CsvColumn> ignored{};      ///< neither features nor target
  std::vector<CsvColumn> categorical{};  ///< whose values are names, even where they look like numbers
  /// Reads the table as the one that this was learnt from: the same features in the same order, whatever the order of
  /// the columns here. Other columns are ignored. The target may be missing; with .target = std::nullopt it is ignored.
  std::optional<CsvEncoding> like{};
  std::optional<char> delimiter{};      ///< ','. ' ' stands for any run of spaces and tabs, as numpy.savetxt writes
  std::optional<char> decimal{};        ///< '.'
  std::optional<char> thousands{};      ///< '\0', none; ',' reads 1,234 as 1234
  std::vector<std::string> units{};     ///< before or after a number, ignored: {"$", "%"} reads "$5" and "5 %" as 5
  std::optional<bool> header{};         ///< whether the first row has the names; shown by the first two rows
  std::optional<CsvMissing> missing{};  ///< refuse
  std::optional<CsvUnknown> unknown{};  ///< error
  std::vector<std::string> missing_values = default_missing_values();
  Index most_categories = 1000;  ///< a column of more different texts is refused

  static std::vector<std::string> default_missing_values() {
    return {"", "?", "NA", "N/A", "NaN", "nan", "null", "None"};
  }
};

/// A table read from a CSV file. A feature that is a number stays one; a text becomes a number for each text there is
/// in its column, 1 for its own and 0 for the others, in alphabetical order. A target of texts becomes the number of
/// its class, again in alphabetical order, and one of numbers stays what it is, (samples, 1). Keeps a number for each
/// cell; zeros and ones are made while a batch is gathered.
class CsvDataset {
 public:
  Index size() const { return size_; }
  Shape feature_shape() const { return {std::ssize(feature_names_)}; }
  /// (0) where the table has no target: it can be predicted, not learnt from.
  Shape target_shape() const;
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has no room for the rows.
  void gather(std::span<const Index> rows, View x, View y) const;

  /// What the columns have become; for read_csv's option `like`.
  const CsvEncoding& encoding() const { return encoding_; }
  bool has_target() const { return has_target_; }
  /// "age", or "colour=red" for what a text was made into.
  const std::vector<std::string>& feature_names() const { return feature_names_; }
  /// Empty if the encoding has no target.
  std::string target_name() const { return encoding_.target ? encoding_.target->name : ""; }
  /// By their numbers; none where the target is a number.
  const std::vector<std::string>& class_names() const { return encoding_.class_names(); }
  Index classes() const { return std::ssize(class_names()); }

 private:
  friend class CsvReader;

  CsvEncoding encoding_;
  std::vector<std::string> feature_names_;
  std::vector<Real> cells_;  // row by row: numbers, and the numbers of categories, -1 for none; the target last
  Index size_ = 0;
  bool has_target_ = false;
};

/// Reads a CSV file (RFC 4180: cells in quotes may hold delimiters, line ends, and quotes that are doubled), in one
/// pass. Spaces around a cell that is not in quotes do not count, lines with nothing in them neither. Whether a column
/// holds numbers or texts shows its first value; all others must be of the same kind. Numbers, decimals and large whole
/// ones, become the nearest Real; ids, and dates such as 20141013, are names (.categorical, .ignored). Texts are UTF-8.
/// Throws FileError if it cannot be read, FormatError, naming file, line and column, for what cannot be understood:
/// quotes that do not match, a row of another length, a text that is not UTF-8 among the names or categories that are
/// kept, a text among numbers, a number in another format, a missing value, a category that `like` does not know, a
/// first row that may be names or data; ValueError for options that name no column of the file, and for those that
/// contradict each other or `like`.
CsvDataset read_csv(const std::string& path, const CsvOptions& options = {});
/// The same from a stream; `name` stands for the file in errors.
CsvDataset read_csv(std::istream& stream, const std::string& name, const CsvOptions& options = {});

}  // namespace cornu
