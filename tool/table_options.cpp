#include "cornu/tool/table_options.h"

#include <CLI/CLI.hpp>
#include <functional>

#include "cornu/core/error.h"
#include "cornu/tool/commands.h"

namespace cornu::tool {

void TableOptions::declare(CLI::App& app) {
  const auto add = [&](const char* name, auto& value, const char* text, const char* shown) {
    CLI::Option* const option = app.add_option(name, value, text);
    option->option_text(shown)->group("Tables");
    return option;
  };
  const std::function<std::string(const std::string&)> is_character = [](const std::string& text) {
    return text.size() == 1 || text == "\\t" ? "" : "\"" + text + "\": a single character is required";
  };
  app.add_flag("--no-header", no_header, "the first row is a sample, not column names")->group("Tables");
  add("--delimiter", delimiter, "cell delimiter (default: the encoding's, or guessed from the first line)", "C")
      ->check(is_character);
  add("--decimal", decimal, "decimal mark (default: the encoding's, or a point)", "C")->check(is_character);
  add("--thousands", thousands, "digit group separator (default: the encoding's, or none)", "C")->check(is_character);
  add("--units", units, "units to ignore before and after numbers, separated by commas", "U,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  add("--missing", missing, "missing values are an error (refuse) or the mean of the training table (fill_in)", "WHAT")
      ->check(CLI::IsMember({"refuse", "fill_in"}));
  add("--unknown", unknown, "texts unknown to the encoding are an error (error) or match no category (other)", "WHAT")
      ->check(CLI::IsMember({"error", "other"}));
}

std::string TableOptions::given() const {
  std::string given_names;
  const auto name_if = [&](bool is_given, const char* name) {
    if (is_given) given_names += (given_names.empty() ? "" : ", ") + std::string(name);
  };
  name_if(no_header, "--no-header");
  name_if(!delimiter.empty(), "--delimiter");
  name_if(!decimal.empty(), "--decimal");
  name_if(!thousands.empty(), "--thousands");
  name_if(!units.empty(), "--units");
  name_if(!missing.empty(), "--missing");
  name_if(!unknown.empty(), "--unknown");
  return given_names;
}

void TableOptions::apply(CsvOptions& options) const {
  const auto set = [](std::optional<char>& option, const std::string& text) {
    if (!text.empty()) option = text == "\\t" ? '\t' : text[0];
  };
  if (no_header) options.header = false;
  set(options.delimiter, delimiter);
  set(options.decimal, decimal);
  set(options.thousands, thousands);
  if (!units.empty()) options.units = units;
  if (!missing.empty()) options.missing = missing == "refuse" ? CsvMissing::refuse : CsvMissing::fill_in;
  if (!unknown.empty()) options.unknown = unknown == "error" ? CsvUnknown::error : CsvUnknown::other;
}

void require_table(FileKind kind, const std::string& name, const TableOptions& options) {
  const std::string given = options.given();
  require<UsageError>(kind == FileKind::csv || given.empty(), "{}: {} applies only to tables, this is {}", name, given,
                      name_of(kind));
}

}  // namespace cornu::tool
