#pragma once

#include <iosfwd>
#include <string>
#include <variant>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

/// A column by its name, or by its number from 0, from the end where negative.
struct CsvColumn : std::variant<Index, std::string> {
  CsvColumn(int number) : variant(Index{number}) {}
  CsvColumn(Index number) : variant(number) {}
  CsvColumn(const char* name) : variant(std::string(name)) {}
  CsvColumn(std::string name) : variant(std::move(name)) {}
};

struct CsvOptions {
  /// What becomes of a row that lacks a value: an error, nothing, or the mean of the column for a number and no
  /// category at all for a text. A target is never filled in: an error.
  enum Missing { refuse, drop_row, fill_in };

  CsvColumn target = -1;                 ///< what is to be foretold; all other columns are features
  std::vector<CsvColumn> ignored{};      ///< neither the one nor the other
  std::vector<CsvColumn> categorical{};  ///< whose values are names, even where they look like numbers
  char delimiter = ',';
  bool header = true;  ///< the first row has the names; without it columns are called "0", "1", ...
  Missing missing = refuse;
  std::vector<std::string> missing_values{"", "?", "NA", "N/A", "NaN", "nan", "null", "None"};
  Index most_categories = 1000;  ///< a column of more different texts is refused
};

/// A table read from a CSV file. A feature that is a number stays one; a text becomes a number for each text there is
/// in its column, 1 for its own and 0 for the others, in alphabetical order. A target of texts becomes the number of
/// its class, again in alphabetical order, and one of numbers stays what it is, (samples, 1). Keeps a number for each
/// cell; zeros and ones are made while a batch is gathered.
class CsvDataset {
 public:
  Index size() const { return size_; }
  Shape feature_shape() const { return {std::ssize(feature_names_)}; }
  Shape target_shape() const { return class_names_.empty() ? Shape{1} : Shape{}; }
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has no room for the rows.
  void gather(std::span<const Index> rows, View x, View y) const;

  /// "age", or "colour=red" for what a text was made into.
  const std::vector<std::string>& feature_names() const { return feature_names_; }
  const std::string& target_name() const { return target_name_; }
  /// By their numbers; none where the target is a number.
  const std::vector<std::string>& class_names() const { return class_names_; }
  Index classes() const { return std::ssize(class_names_); }

 private:
  friend class CsvReader;

  std::vector<Real> cells_;           // row by row: numbers, and the numbers of categories, -1 for none
  std::vector<Index> feature_sizes_;  // of each column: how many categories it has, 0 for a number; -1: the target
  std::vector<std::string> feature_names_, class_names_;
  std::string target_name_;
  Index size_ = 0;
};

/// Reads a CSV file (RFC 4180: cells in quotes may hold delimiters, line ends, and quotes that are doubled), in one
/// pass. Spaces around a cell that is not in quotes do not count, lines with nothing in them neither. Whether a column
/// holds numbers or texts shows its first value; all others must be of the same kind. Throws FileError if it cannot be
/// read, FormatError, naming file, line and column, for what cannot be understood: quotes that do not match, a row of
/// another length, a text among numbers, a missing value; ValueError for options that name no column of the file.
CsvDataset read_csv(const std::string& path, const CsvOptions& options = {});
/// The same from a stream; `name` stands for the file in errors.
CsvDataset read_csv(std::istream& stream, const std::string& name, const CsvOptions& options = {});

}  // namespace cornu
