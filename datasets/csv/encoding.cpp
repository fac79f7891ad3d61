#include "cornu/datasets/csv/encoding.h"

#include <cmath>
#include <set>

#include "cornu/core/error.h"
#include "cornu/core/options/options.h"
#include "cornu/core/text/naming.h"
#include "cornu/formats/atomic_file.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/json.h"

namespace cornu {

namespace {

constexpr Index format_version = 1;
constexpr std::size_t most_bytes = std::size_t{4} << 20;  // escaping in a model's JSON can double it

/// Stores a character as a string of one byte, '\0' as an empty one.
void visit_char(OptionVisitor& visit, const char* name, char& value) {
  std::string text(value == '\0' ? 0 : 1, value);
  visit(name, text);
  require<FormatError>(text.size() <= 1, "{} is \"{}\"; one character is required", name, text);
  value = text.empty() ? '\0' : text[0];
}

void require_distinct(const std::vector<std::string>& texts, const char* what) {
  std::set<std::string_view> known;
  for (const std::string& text : texts) {
    require<FormatError>(known.insert(text).second, "duplicate {} \"{}\"", what, text);
  }
}

void require_valid(const CsvEncoding& encoding) {
  std::vector<std::string> names;
  std::set<Index> positions;
  const auto check = [&](const CsvEncodedColumn& column) {
    detail::naming("column \"" + column.name + "\"", [&] {
      names.push_back(column.name);
      require<FormatError>(column.position >= 0 && column.position < encoding.columns,
                           "its position is {}, but there are {} columns", column.position, encoding.columns);
      require<FormatError>(positions.insert(column.position).second, "its position {} is that of another column",
                           column.position);
      require<FormatError>(std::isfinite(column.mean), "its mean is not finite");
      require_distinct(column.categories, "category");
    });
  };
  require<FormatError>(!encoding.features.empty(), "there are no features");
  for (const CsvEncodedColumn& column : encoding.features) check(column);
  if (encoding.target) check(*encoding.target);
  require_distinct(names, "column");
}

}  // namespace

void CsvEncodedColumn::options(OptionVisitor& visit) {
  visit("name", name);
  visit("position", position);
  visit("mean", mean);
  visit("categories", categories);
}

void CsvEncoding::options(OptionVisitor& visit) {
  Index version = format_version;
  visit("version", version);
  require<FormatError>(version >= 1 && version <= format_version,
                       "version {} of the format; this program knows those up to {}", version, format_version);
  visit("features", features);
  visit("target", target);
  visit("columns", columns);
  visit("header", header);
  visit_char(visit, "delimiter", delimiter);
  visit_char(visit, "decimal", decimal);
  visit_char(visit, "thousands", thousands);
  visit("units", units);
  visit("missing_values", missing_values);
  visit("missing", missing);
  visit("unknown", unknown);
}

std::vector<std::string> CsvEncoding::feature_names() const {
  std::vector<std::string> names;
  for (const CsvEncodedColumn& column : features) {
    if (column.categories.empty()) names.push_back(column.name);
    for (const std::string& category : column.categories) names.push_back(column.name + "=" + category);
  }
  return names;
}

const std::vector<std::string>& CsvEncoding::class_names() const {
  static const std::vector<std::string> none;
  return target ? target->categories : none;
}

std::string to_string(const CsvEncoding& encoding) {
  Json json;
  to_json(json, encoding);
  detail::naming("the encoding of a table cannot be saved", [&] { detail::require_utf8(json); });
  std::string text = to_string(json);
  try {
    require<FormatError>(text.size() <= most_bytes, "{} bytes; at most {} are allowed", text.size(), most_bytes);
    static_cast<void>(parse_csv_encoding(text));
  } catch (const FormatError& error) {
    throw ValueError(message("the encoding of a table cannot be saved: {}", error.what()));
  }
  return text;
}

CsvEncoding parse_csv_encoding(std::string_view text) {
  require<FormatError>(text.size() <= most_bytes, "the encoding of a table: {} bytes; at most {} are allowed",
                       text.size(), most_bytes);
  return detail::naming("the encoding of a table", [&] {
    auto encoding = value_of<CsvEncoding>(parse_json(text));
    require_valid(encoding);
    return encoding;
  });
}

void CsvEncoding::save(const std::string& path) const {
  const std::string text = detail::naming(path, [&] { return to_string(*this); }) + "\n";
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

CsvEncoding CsvEncoding::load(const std::string& path) {
  const FileBytes file(path, true);
  const auto bytes = file.bytes();
  return detail::naming(path, [&] {
    return parse_csv_encoding({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  });
}

}  // namespace cornu
