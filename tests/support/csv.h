#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/datasets/csv/csv.h"
#include "cornu/datasets/subset.h"
#include "cornu/tests/support/expect_error.h"

/// Tables in memory, read as if from a file a.csv.
namespace cornu::testing::csv {

using Names = std::vector<std::string>;

inline CsvDataset read(const std::string& text, const CsvOptions& options = {}) {
  std::istringstream stream(text);
  return read_csv(stream, "a.csv", options);
}

/// The text of the error thrown by reading the table.
template <class E = FormatError>
std::string error(const std::string& text, const CsvOptions& options = {}) {
  return error_of<E>([&] { read(text, options); });
}

inline Tensor x_of(const CsvDataset& data) { return gathered(data).x(); }
inline Tensor y_of(const CsvDataset& data) { return gathered(data).y(); }

}  // namespace cornu::testing::csv
