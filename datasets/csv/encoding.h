#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

class OptionVisitor;

/// What a missing value does: an error; the row is dropped; or the value is filled in, by the column's mean for a
/// number and by no category for a text. A missing target is an error unless the row is dropped.
enum class CsvMissing { refuse, drop_row, fill_in };
constexpr std::array<std::string_view, 3> option_names(CsvMissing) { return {"refuse", "drop_row", "fill_in"}; }

/// What a text does that the training table did not have in this column: an error, or no category. An unknown class of
/// the target is always an error.
enum class CsvUnknown { error, other };
constexpr std::array<std::string_view, 2> option_names(CsvUnknown) { return {"error", "other"}; }

/// A column as an encoding knows it.
struct CsvEncodedColumn {
  std::string name{};                     ///< in a table without a header: its position
  Index position = 0;                     ///< among all columns of the training table
  double mean = 0;                        ///< of numbers; fills in missing values
  std::vector<std::string> categories{};  ///< in alphabetical order, by number; none: a column of numbers

  void options(OptionVisitor& visit);
  friend bool operator==(const CsvEncodedColumn&, const CsvEncodedColumn&) = default;
};

/// How the rows of a table become numbers. read_csv learns it from the training table and applies it to others (option
/// `like`), so that each column, category and class has the same number in all of them.
///
///     const CsvDataset train = read_csv("train.csv", {.target = "species"});
///     const CsvDataset test = read_csv("test.csv", {.like = train.encoding()});
///
/// Sequential::set_csv_encoding saves it with a model.
struct CsvEncoding {
  std::vector<CsvEncodedColumn> features{};  ///< in the order of the inputs
  std::optional<CsvEncodedColumn> target{};
  Index columns = 0;                                      ///< of the training table, ignored ones included
  bool header = true;                                     ///< columns are found by their names, else by their positions
  char delimiter = ',', decimal = '.', thousands = '\0';  ///< as in CsvOptions
  std::vector<std::string> units{}, missing_values{};
  CsvMissing missing = CsvMissing::refuse;
  CsvUnknown unknown = CsvUnknown::error;

  /// One for each input: "age", or "colour=red" for a category.
  std::vector<std::string> feature_names() const;
  /// By class index; empty if the target is a number or missing.
  const std::vector<std::string>& class_names() const;

  /// A file of JSON. `save` throws ValueError for names and categories that are not UTF-8, and for more than 4 MB of
  /// them or 100,000; FileError if it cannot be written. `load` throws FileError if it cannot be read and FormatError,
  /// naming the file, for anything that `save` would not have written.
  void save(const std::string& path) const;
  static CsvEncoding load(const std::string& path);

  void options(OptionVisitor& visit);
  friend bool operator==(const CsvEncoding&, const CsvEncoding&) = default;
};

/// Converts to the JSON of a file, and back. Throw as `save` and `load`.
std::string to_string(const CsvEncoding& encoding);
CsvEncoding parse_csv_encoding(std::string_view text);

}  // namespace cornu
