#include "cornu/datasets/csv/csv.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <span>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/datasets/csv/reader.h"
#include "cornu/datasets/dataset.h"
#include "cornu/formats/file_kind.h"

namespace cornu {

Shape CsvDataset::target_shape() const { return !has_target_ ? Shape{0} : class_names().empty() ? Shape{1} : Shape{}; }

void CsvDataset::gather(std::span<const Index> rows, View x, View y) const {
  const Index targets = has_target_ ? 1 : 0, columns = std::ssize(encoding_.features) + targets;
  detail::check_gather("CsvDataset", rows, size_, std::ssize(feature_names_), targets, x, y);
  Real* to = x.data();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Real* cell = cells_.data() + rows[i] * columns;
    for (const CsvEncodedColumn& column : encoding_.features) {
      const auto categories = std::ssize(column.categories);
      if (categories == 0) {
        *to++ = *cell++;
        continue;
      }
      std::fill_n(to, categories, Real{0});
      if (*cell >= 0) to[static_cast<Index>(*cell)] = 1;
      to += categories;
      ++cell;
    }
    if (has_target_) y[static_cast<Index>(i)] = *cell;
  }
}

CsvDataset read_csv(std::istream& stream, const std::string& name, const CsvOptions& options) {
  return CsvReader(stream, name, options).read();
}

namespace {

/// Throws FormatError, naming the file and its kind, unless the file is text.
void require_text(std::ifstream& file, const std::string& path) {
  using detail::FileKind;
  if (!file.seekg(0)) {  // a pipe, which can be read only once
    file.clear();
    return;
  }
  std::array<char, 4096> head{};
  file.read(head.data(), head.size());
  const auto bytes = std::as_bytes(std::span(head).first(static_cast<std::size_t>(file.gcount())));
  const std::string foreign = detail::described_if_foreign(bytes, {FileKind::csv, FileKind::text, FileKind::empty});
  require<FormatError>(foreign.empty(), "{}: {}", path, foreign);
  require<FormatError>(detail::file_kind(bytes) != FileKind::unknown, "{}: it begins with {}, which is not text", path,
                       detail::beginning_of(bytes));
  file.clear();
  file.seekg(0);
}

}  // namespace

CsvDataset read_csv(const std::string& path, const CsvOptions& options) {
  std::error_code ignored;
  require<FileError>(!std::filesystem::is_directory(path, ignored), "{}: this is a folder, not a file", path);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  require<FileError>(file.is_open(), "{}: cannot be opened ({})", path, std::generic_category().message(errno));
  require_text(file, path);
  CsvDataset result = read_csv(file, path, options);
  require<FileError>(!file.bad(), "{}: cannot be read", path);
  return result;
}

}  // namespace cornu
