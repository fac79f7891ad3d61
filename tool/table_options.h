#pragma once

#include <string>
#include <vector>

#include "cornu/datasets/csv/csv.h"
#include "cornu/tool/file_kind.h"

namespace CLI {
class App;
}

namespace cornu::tool {

/// Options for reading tables; they override the model's encoding. The names are those of CsvOptions.
struct TableOptions {
  bool no_header = false;  ///< the first row is a sample
  std::string delimiter{}, decimal{}, thousands{}, missing{}, unknown{};
  std::vector<std::string> units{};

  void declare(CLI::App& app);
  /// The options that are set: "--no-header, --decimal"; "" if there are none.
  std::string given() const;
  void apply(CsvOptions& options) const;
};

/// Throws UsageError if table options are set for a file that is not a table.
void require_table(FileKind kind, const std::string& name, const TableOptions& options);

}  // namespace cornu::tool
