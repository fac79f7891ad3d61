#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "cornu/datasets/csv/csv.h"
#include "cornu/tool/numbers.h"
#include "cornu/tool/table_options.h"

namespace cornu::tool {

/// Reads a table that contains only numbers.
Numbers read_table(std::span<const std::byte> bytes, const std::string& name, const TableOptions& options);

/// Reads a table with an encoding. If the first line of a table of several columns lacks the encoding's delimiter, the
/// delimiter is guessed. The guess is discarded if it is the decimal or thousands mark.
CsvDataset read_encoded_table(std::span<const std::byte> bytes, const std::string& name, CsvOptions options,
                              const TableOptions& given);

/// The same, but reads only the features. Never drops a row.
Numbers read_features(std::span<const std::byte> bytes, const std::string& name, const CsvEncoding& encoding,
                      const TableOptions& given);

}  // namespace cornu::tool
