#include "cornu/datasets/csv.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <deque>
#include <fstream>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <system_error>

#include "cornu/core/error.h"
#include "cornu/core/listed.h"
#include "cornu/core/memory_limit.h"
#include "cornu/datasets/csv_rows.h"
#include "cornu/datasets/dataset.h"
#include "cornu/formats/file_kind.h"

namespace cornu {

namespace {

bool parse(std::string_view text, Real& number) { return detail::parse_number(text, number) && std::isfinite(number); }

std::string shown(const CsvColumn& column) {
  const auto* name = std::get_if<std::string>(&column);
  return name != nullptr ? "\"" + *name + "\"" : std::to_string(std::get<Index>(column));
}

}  // namespace

/// Turns rows into a dataset.
class CsvReader {
 public:
  CsvReader(detail::CsvRows& rows, const CsvOptions& options) : rows_(rows), options_(options) {}

  CsvDataset read() {
    bool more = rows_.next();
    require<FormatError>(more, "{}: it is empty", rows_.name());
    name_columns();
    if (options_.header) more = rows_.next();
    for (; more; more = rows_.next()) add_row();
    require<FormatError>(data_.size_ > 0, "{}: there is no row of data{}", rows_.name(),
                         dropped_ > 0 ? message(" ({} lacked a value and were dropped)", dropped_) : "");
    finish();
    return std::move(data_);
  }

 private:
  struct Column {
    std::string_view name;
    std::size_t cell;  // of the row
    bool is_target = false;
    enum { unknown, numbers, texts } kind = unknown;
    bool is_declared = false;                                // by the options, to be of names
    std::map<std::string, Index, std::less<>> categories{};  // in the order in which they came
    double total = 0, count = 0;                             // of the numbers
  };

  void name_columns() {
    const std::size_t width = rows_.cells().size();
    charge(width * (sizeof(detail::CsvCell) + sizeof(std::string) + sizeof(Column) + node_bytes));
    names_.reserve(width);
    for (std::size_t i = 0; i < width; ++i) {
      names_.push_back(options_.header ? rows_.cells()[i].text : std::to_string(i));
    }
    std::set<std::string_view> known;
    for (const std::string& name : names_) {
      require<FormatError>(known.insert(name).second, "{}, line {}: two columns are called \"{}\"", rows_.name(),
                           rows_.line(), name);
    }
    const std::size_t target = position("target", options_.target);
    std::set<std::size_t> ignored, categorical;
    for (const CsvColumn& column : options_.ignored) ignored.insert(position("ignored", column));
    for (const CsvColumn& column : options_.categorical) categorical.insert(position("categorical", column));
    require<ValueError>(ignored.count(target) == 0, "{}: the target \"{}\" is to be ignored", rows_.name(),
                        names_[target]);
    columns_.reserve(width);
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (ignored.count(i) != 0) continue;
      Column& column = columns_.emplace_back(Column{.name = names_[i], .cell = i, .is_target = i == target});
      column.is_declared = categorical.count(i) != 0;
      if (column.is_declared) column.kind = Column::texts;
    }
  }

  std::size_t position(const char* option, const CsvColumn& column) const {
    const auto count = std::ssize(names_);
    Index found = count;
    if (const auto* name = std::get_if<std::string>(&column)) {
      found = std::find(names_.begin(), names_.end(), *name) - names_.begin();
    } else {
      const Index number = std::get<Index>(column);
      found = number < 0 ? number + count : number;
    }
    if (found < 0 || found >= count) {
      throw ValueError(message("{}: there is no column {} ({}); there are: {}", rows_.name(), shown(column), option,
                               detail::listed(names_)));
    }
    return static_cast<std::size_t>(found);
  }

  [[noreturn]] void fail(const Column& column, const std::string& what) const {
    throw FormatError(
        message("{}, line {}, column \"{}\": {}", rows_.name(), rows_.cells()[column.cell].line, column.name, what));
  }

  bool is_missing(const std::string& text) const {
    const auto& missing = options_.missing_values;
    return std::find(missing.begin(), missing.end(), text) != missing.end();
  }

  void add_row() {
    const auto& cells = rows_.cells();
    const std::size_t width = names_.size();
    if (cells.size() != width) {
      throw FormatError(
          message("{}, line {}, column {}: the row has {} cells, the first one {}", rows_.name(), rows_.line(),
                  cells.size() < width ? message(R"("{}")", names_[cells.size()]) : message("number {}", width + 1),
                  cells.size(), width));
    }
    for (const Column& column : columns_) {  // first of all, so that a row that is dropped leaves no trace
      if (!is_missing(cells[column.cell].text)) continue;
      if (options_.missing == CsvOptions::drop_row) {
        ++dropped_;
        return;
      }
      if (options_.missing == CsvOptions::refuse || column.is_target) {
        fail(column, message("the value is missing (\"{}\"){}", cells[column.cell].text,
                             column.is_target ? "" : "; .missing says what to do then"));
      }
    }
    for (Column& column : columns_) cells_.push_back(value_of(column, cells[column.cell].text));
    ++data_.size_;
  }

  Real value_of(Column& column, const std::string& text) {
    if (is_missing(text)) return std::numeric_limits<Real>::quiet_NaN();
    Real number = 0;
    const bool is_number = !column.is_declared && parse(text, number);
    // Else a slip of the pen in the first row would make a column of numbers one of names.
    if (is_number && column.kind == Column::texts) {
      fail(column, message("\"{}\" is a number, as the values before it are not (.categorical has the columns whose "
                           "values are names)",
                           text));
    }
    if (is_number) {
      column.kind = Column::numbers;
      column.total += static_cast<double>(number);
      ++column.count;
      return number;
    }
    if (column.kind == Column::numbers) {
      fail(column,
           message("\"{}\" is no finite number, as the values before it are (.categorical has the columns whose "
                   "values are names)",
                   text));
    }
    column.kind = Column::texts;
    const auto found = column.categories.find(text);
    if (found != column.categories.end()) return static_cast<Real>(found->second);
    const auto count = std::ssize(column.categories);
    if (count == options_.most_categories) {
      fail(column, message("\"{}\" is text number {}; is this a column of names that tell nothing? (.ignored, or "
                           ".most_categories)",
                           text, count + 1));
    }
    // Twice: here, and among the names of features or classes.
    charge(2 * (text.size() + node_bytes) + (column.is_target ? 0 : column.name.size()));
    column.categories.emplace(text, count);
    return static_cast<Real>(count);
  }

  /// Numbers the categories alphabetically, fills in what is missing and tells what the columns have become.
  void finish() {
    std::vector<Real> filling(columns_.size());
    std::vector<std::vector<Real>> places(columns_.size());  // of a category, by when it came
    for (std::size_t k = 0; k < columns_.size(); ++k) {
      const Column& column = columns_[k];
      require<FormatError>(column.count > 0 || !column.categories.empty(), "{}: column \"{}\" has no value at all",
                           rows_.name(), column.name);
      const bool numbers = column.kind == Column::numbers;
      filling[k] = numbers ? static_cast<Real>(column.total / column.count) : Real(-1);
      places[k].resize(column.categories.size());
      Real place = 0;
      for (const auto& [text, came] : column.categories) {
        places[k][static_cast<std::size_t>(came)] = place++;
        if (column.is_target) {
          data_.class_names_.push_back(text);
        } else {
          data_.feature_names_.push_back(message("{}={}", column.name, text));
        }
      }
      if (column.is_target) data_.target_name_ = column.name;
      if (numbers && !column.is_target) data_.feature_names_.emplace_back(column.name);
      data_.feature_sizes_.push_back(column.is_target ? -1 : std::ssize(column.categories));
    }
    data_.cells_.reserve(cells_.size());
    for (const Real cell : cells_) {
      const std::size_t k = data_.cells_.size() % columns_.size();
      data_.cells_.push_back(std::isnan(cell)    ? filling[k]
                             : places[k].empty() ? cell
                                                 : places[k][static_cast<std::size_t>(cell)]);
    }
  }

  static constexpr std::size_t node_bytes = 96;  // of a map, with a number and a text beside its characters

  /// A short text can become a column or a category, which take a hundred bytes: few files have so many that it
  /// matters.
  void charge(std::size_t bytes) {
    charged_ += bytes;
    require<FormatError>(charged_ <= detail::reading_memory(rows_.bytes_read()),
                         "{}, line {}: its columns and categories would take more than three times its size in memory",
                         rows_.name(), rows_.line());
  }

  detail::CsvRows& rows_;
  const CsvOptions& options_;
  std::vector<std::string> names_;  // of all columns of the file
  std::vector<Column> columns_;     // without those that are ignored
  std::deque<Real> cells_;          // which grows without having everything twice
  std::size_t charged_ = 0;
  Index dropped_ = 0;
  CsvDataset data_;
};

void CsvDataset::gather(std::span<const Index> rows, View x, View y) const {
  const Index features = std::ssize(feature_names_), columns = std::ssize(feature_sizes_);
  detail::check_gather("CsvDataset", rows, size_, features, 1, x, y);
  Real* to = x.data();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Real* cell = cells_.data() + rows[i] * columns;
    for (const Index categories : feature_sizes_) {
      if (categories < 0) {
        y[static_cast<Index>(i)] = *cell;
      } else if (categories == 0) {
        *to++ = *cell;
      } else {
        std::fill_n(to, categories, Real{0});
        if (*cell >= 0) to[static_cast<Index>(*cell)] = 1;
        to += categories;
      }
      ++cell;
    }
  }
}

CsvDataset read_csv(std::istream& stream, const std::string& name, const CsvOptions& options) {
  detail::CsvRows rows(stream, name, options.delimiter);
  return CsvReader(rows, options).read();
}

namespace {

/// Throws FormatError, naming the file and its kind, if it is no text.
void require_text(std::ifstream& file, const std::string& path) {
  using detail::FileKind;
  if (!file.seekg(0)) {  // a pipe, which can be read once
    file.clear();
    return;
  }
  std::array<char, 4096> head{};
  file.read(head.data(), head.size());
  const auto came = static_cast<std::size_t>(file.gcount());
  const std::string foreign = detail::described_if_foreign(std::as_bytes(std::span(head).first(came)),
                                                           {FileKind::csv, FileKind::text, FileKind::empty});
  require<FormatError>(foreign.empty(), "{}: {}", path, foreign);
  file.clear();
  file.seekg(0);
}

}  // namespace

CsvDataset read_csv(const std::string& path, const CsvOptions& options) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  require<FileError>(file.is_open(), "{}: cannot be opened ({})", path, std::generic_category().message(errno));
  require_text(file, path);
  CsvDataset result = read_csv(file, path, options);
  require<FileError>(!file.bad(), "{}: cannot be read", path);
  return result;
}

}  // namespace cornu
