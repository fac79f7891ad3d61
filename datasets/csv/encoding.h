#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

namespace cornu {

class OptionVisitor;

/// How to treat a missing value: throw, drop the row, or fill it in. A number is filled in with the column's mean, a
/// text with no category. A missing target is an error unless the row is dropped.
enum class CsvMissing { refuse, drop_row, fill_in };
constexpr std::array<std::string_view, 3> option_names(CsvMissing) { return {"refuse", "drop_row", "fill_in"}; }

/// How to treat a text that its column in the training table did not have: throw, or use no category. An unknown class
/// of the target is always an error.
enum class CsvUnknown { error, other };
constexpr std::array<std::string_view, 2> option_names(CsvUnknown) { return {"error", "other"}; }

/// The encoding of one column.
struct CsvEncodedColumn {
  std::string name{};                     ///< its position, as text, if the table has no header
  Index position = 0;                     ///< among all columns of the training table
  double mean = 0;                        ///< of a numeric column; fills in missing values
  std::vector<std::string> categories{};  ///< in alphabetical order, by index; empty for a numeric column

  void options(OptionVisitor& visit);
  friend bool operator==(const CsvEncodedColumn&, const CsvEncodedColumn&) = default;
};

/// Maps the rows of a table to tensors. read_csv learns the encoding from the training table and applies it to other
/// tables (option `like`), so that features, categories and classes have the same indices in all of them.
///
///     const CsvDataset train = read_csv("train.csv", {.target = "species"});
///     const CsvDataset test = read_csv("test.csv", {.like = train.encoding()});
///
/// Sequential::set_csv_encoding saves it with a model.
struct CsvEncoding {
  std::vector<CsvEncodedColumn> features{};  ///< in the order of the inputs
  std::optional<CsvEncodedColumn> target{};
  Index columns = 0;                                      ///< of the training table, including ignored ones
  bool header = true;                                     ///< columns are found by name; false: by position
  char delimiter = ',', decimal = '.', thousands = '\0';  ///< as in CsvOptions
  std::vector<std::string> units{}, missing_values{};
  CsvMissing missing = CsvMissing::refuse;
  CsvUnknown unknown = CsvUnknown::error;

  /// One per feature: "age", or "colour=red" for a category.
  std::vector<std::string> feature_names() const;
  /// By class index; empty if the target is a number or missing.
  const std::vector<std::string>& class_names() const;

  /// Stored as JSON. `save` throws ValueError for names and categories that are not UTF-8 or exceed 4 MB or 100,000
  /// altogether, and FileError if the file cannot be written. `load` throws FileError if the file cannot be read, and
  /// FormatError, naming the file, for anything that `save` would not write.
  void save(const std::string& path) const;
  static CsvEncoding load(const std::string& path);

  void options(OptionVisitor& visit);
  friend bool operator==(const CsvEncoding&, const CsvEncoding&) = default;
};

/// Converts to and from the JSON of a file. Throws like `save` and `load`.
std::string to_string(const CsvEncoding& encoding);
CsvEncoding parse_csv_encoding(std::string_view text);

}  // namespace cornu
