#include "cornu/tool/samples.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <functional>
#include <istream>
#include <streambuf>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/naming.h"
#include "cornu/datasets/csv/decorated.h"
#include "cornu/datasets/csv/header.h"
#include "cornu/datasets/csv/numbers.h"
#include "cornu/datasets/subset.h"
#include "cornu/formats/csv_rows.h"
#include "cornu/tool/arrays.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/image.h"

namespace cornu::tool {

namespace {

using Bytes = std::span<const std::byte>;

// ---- Tables ----

/// A read-only stream buffer over bytes in memory.
struct MemoryBuffer : std::streambuf {
  explicit MemoryBuffer(std::string_view text) {
    char* const begin = const_cast<char*>(text.data());  // the buffer is only read
    setg(begin, begin, begin + text.size());
  }
};

/// The most frequent delimiter in the first non-empty line, outside quotes. The decimal and thousands marks of the
/// options are excluded; numbers contain no other delimiter, so that a wrong guess leads to an error.
char delimiter_of(std::string_view text, const CsvOptions& options) {
  std::string delimiters = ",;\t ";
  std::erase_if(delimiters, [&](char c) { return c == options.decimal || c == options.thousands; });
  text.remove_prefix(text.find_last_of("\r\n", text.find_first_not_of("\r\n\t ")) + 1);
  std::string found;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\r' || c == '\n') break;
    if (delimiters.find(c) != std::string::npos) found += c;
  }
  // A space counts only if there is no other delimiter: names contain spaces, and delimiters may be followed by them.
  const bool others = found.find_first_of(",;\t") != std::string::npos;
  const auto count = [&](char c) { return c == ' ' && others ? 0 : std::count(found.begin(), found.end(), c); };
  return *std::max_element(delimiters.begin(), delimiters.end(), [&](char a, char b) { return count(a) < count(b); });
}

/// The hint for text in a table of numbers.
std::string remedy_for_text(const detail::CsvCell& cell, const detail::NumberFormat& format, char delimiter) {
  const auto is_like_number = [&](const std::string& text) {
    Real number = 0;
    return detail::parse_number(text, format, number) || !detail::options_for_number(text, format).empty();
  };
  const std::string options = detail::options_for_number(cell.text, format);
  if (!options.empty()) return "; it is a number with " + options;
  if (detail::is_list_of_numbers(cell.text, is_like_number)) return detail::delimiter_hint({&cell, 1}, delimiter);
  const detail::DecoratedNumber number = detail::decorated_number(cell.text, format);
  if (number.kind == detail::DecoratedNumber::Kind::not_finite) return "; numbers must be finite";
  if (number.kind == detail::DecoratedNumber::Kind::none) {
    return "; a table of texts needs a model that carries the table's encoding (Sequential::set_csv_encoding)";
  }
  return "; it is " + detail::described(number, format);
}

/// Appends the row's numbers. Returns false for a header: a row in which no cell is a number in any format.
bool append_row(const detail::CsvRows& rows, const detail::NumberFormat& format, std::vector<Real>& numbers,
                bool names_allowed) {
  const std::size_t before = numbers.size();
  const detail::CsvCell* wrong = nullptr;
  for (const detail::CsvCell& cell : rows.cells()) {
    Real number = 0;
    if (detail::parse_number(cell.text, format, number) && std::isfinite(number)) {
      numbers.push_back(number);
    } else if (wrong == nullptr) {
      wrong = &cell;
    }
  }
  if (wrong == nullptr) return true;
  const bool are_names = std::all_of(rows.cells().begin(), rows.cells().end(), [&](const detail::CsvCell& cell) {
    return detail::options_for_number(cell.text, format).empty();
  });
  if (names_allowed && are_names && numbers.size() == before) return false;
  throw FormatError(message("{}: line {}: \"{}\" is not a number{}", rows.name(), wrong->line, wrong->text,
                            remedy_for_text(*wrong, format, rows.delimiter())));
}

/// True if a first row of numbers is a header: quoted above unquoted numbers. Throws FormatError if that is unclear.
bool are_names(const std::vector<detail::CsvCell>& first, const detail::CsvRows& rows,
               const detail::NumberFormat& format) {
  const auto is_number = [&](const std::string& text) {
    Real number = 0;
    return detail::parse_number(text, format, number);
  };
  const detail::FirstRow kind =
      detail::kind_of_first_row(first, rows.cells(), is_number, [](const std::string&) { return false; });
  require<FormatError>(kind != detail::FirstRow::unclear,
                       "{}: the first row, {}, ..., may be names or a sample; remove it, or pass --no-header",
                       rows.name(), first[0].text);
  return kind == detail::FirstRow::names;
}

/// Reads a table that contains only numbers.
Numbers read_table(Bytes bytes, const std::string& name, const TableOptions& options) {
  require<UsageError>(options.missing.empty() && options.unknown.empty(),
                      "{}: --missing and --unknown need a model that carries the table's encoding", name);
  CsvOptions csv;
  options.apply(csv);
  const detail::NumberFormat format{
      .decimal = csv.decimal.value_or('.'), .thousands = csv.thousands.value_or('\0'), .units = csv.units};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  MemoryBuffer buffer(text);
  std::istream stream(&buffer);
  detail::CsvRows rows(stream, name, csv.delimiter.value_or(delimiter_of(text, csv)));
  std::vector<Real> numbers;
  Index count = 0, width = 0;
  std::vector<detail::CsvCell> first_row;
  for (bool first = true; rows.next(); first = false) {
    if (first && !options.no_header) {
      first_row = rows.cells();
    } else if (count == 1 && !first_row.empty()) {
      if (are_names(first_row, rows, format)) {
        numbers.clear();
        count = 0;
      }
      first_row.clear();
    }
    if (!append_row(rows, format, numbers, first && !options.no_header)) {
      first_row.clear();
      continue;
    }
    const Index came = std::ssize(rows.cells());
    require<FormatError>(count == 0 || came == width, "{}: line {}: {} numbers; the rows before it have {}", name,
                         rows.line(), came, width);
    width = came;
    ++count;
  }
  require<FormatError>(count > 0, "{}: there are no numbers in it", name);
  const RawTensor array = raw_tensor(name, ConstView(numbers.data(), {count, width}));
  return {.array = array, .owner = std::move(numbers)};
}

/// Reads a table with an encoding. If a table of several columns does not use the encoding's delimiter in its first
/// line, the delimiter is guessed, unless it would be a mark within numbers.
CsvDataset read_encoded_table(Bytes bytes, const std::string& name, CsvOptions options, const TableOptions& given) {
  given.apply(options);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string_view line = text.substr(0, text.find_first_of("\r\n", text.find_first_not_of("\r\n\t ")));
  const char delimiter = delimiter_of(text, options);
  const auto has = [&](char c) { return line.find(c) != std::string_view::npos; };
  const CsvEncoding& encoding = *options.like;
  const bool is_of_numbers = delimiter == options.decimal.value_or(encoding.decimal) ||
                             delimiter == options.thousands.value_or(encoding.thousands);
  const bool has_its_delimiter =
      has(encoding.delimiter) && encoding.delimiter != options.decimal && encoding.delimiter != options.thousands;
  if (!options.delimiter && encoding.features.size() > 1 && !has_its_delimiter && has(delimiter) && !is_of_numbers) {
    options.delimiter = delimiter;
  }
  MemoryBuffer buffer(text);
  std::istream stream(&buffer);
  return read_csv(stream, name, options);
}

/// Reads only the features. Never drops a row.
Numbers read_features(Bytes bytes, const std::string& name, const CsvEncoding& encoding, const TableOptions& given) {
  CsvOptions options{.target = std::nullopt, .like = encoding};
  if (encoding.missing == CsvMissing::drop_row) options.missing = CsvMissing::refuse;
  const CsvDataset table = read_encoded_table(bytes, name, options, given);
  const TensorDataset samples = gathered(table);
  Numbers result;
  result.array = raw_tensor(name, result.owner.emplace<Tensor>(samples.x()));
  return result;
}

// ---- Images ----

/// The number of channels of an image for this input; 1 for a model that takes any shape.
Index channels_of(const std::optional<Shape>& input, const std::string& path) {
  if (!input || input->rank() == 1 || input->rank() == 2) return 1;
  const auto is_channels = [](Index size) { return size == 1 || size == 3; };
  require(input->rank() == 3 && (is_channels((*input)[2]) || is_channels((*input)[0])),
          "{}: an image, but the model takes shape {}, which is not an image", path, *input);
  return is_channels((*input)[2]) ? (*input)[2] : (*input)[0];
}

/// Converts grey to the required channels by repetition, and orders the axes.
std::vector<std::uint16_t> arranged(Image image, Index channels, bool channels_last) {
  if (image.channels == channels && (channels_last || channels == 1)) return std::move(image.values);
  const Index pixels = image.height * image.width;
  std::vector<std::uint16_t> result(static_cast<std::size_t>(pixels * channels));
  for (Index pixel = 0; pixel < pixels; ++pixel) {
    for (Index c = 0; c < channels; ++c) {
      const Index from = image.channels == 1 ? pixel : pixel * channels + c,
                  to = channels_last ? pixel * channels + c : c * pixels + pixel;
      result[static_cast<std::size_t>(to)] = image.values[static_cast<std::size_t>(from)];
    }
  }
  return result;
}

Numbers read_image(Bytes bytes, const std::string& name, FileKind kind, const std::optional<Shape>& input) {
  const Index channels = channels_of(input, name);
  const bool channels_last = !input || input->rank() < 3 || (*input)[2] == channels;
  const auto shape_of = [&](Index height, Index width) {
    return channels_last ? Shape{height, width, channels} : Shape{channels, height, width};
  };
  const auto check = [&](Index height, Index width) {
    if (!input) return;
    const bool fits = input->rank() == 1   ? input->size() == height * width
                      : input->rank() == 2 ? *input == Shape{height, width}
                                           : *input == shape_of(height, width);
    require(fits, "{}: an image of {} x {} pixels (height x width), but the model takes {}", name, height, width,
            *input);
  };
  Image image = kind == FileKind::png ? read_png(bytes, name, channels, check) : read_pgm(bytes, name, check);
  const Shape shape = input ? input->batched(1) : Shape{1, image.height, image.width};
  Numbers result{.largest = image.largest};
  const auto& values =
      result.owner.emplace<std::vector<std::uint16_t>>(arranged(std::move(image), channels, channels_last));
  const auto dimensions = shape.dimensions();
  result.array = {.name = name,
                  .dtype = Dtype::u16,
                  .shape{dimensions.begin(), dimensions.end()},
                  .bytes = std::as_bytes(std::span(values))};
  return result;
}

// ---- Any file ----

/// Reads pipes and standard input to their end before anything else.
std::unique_ptr<const FileBytes> read_bytes(const std::string& path, const std::string& name) {
  if (path == "-") return std::make_unique<const FileBytes>(STDIN_FILENO, name);
  return std::make_unique<const FileBytes>(path, true, FileBytes::Pipes::read);
}

Numbers read_numbers(const std::string& path, const std::string& name, const std::optional<Shape>& input,
                     const ScaleOptions& options, const CsvEncoding* encoding) {
  Numbers result{.file = read_bytes(path, name)};
  const Bytes bytes = result.file->bytes();
  const FileKind kind = kind_of(bytes, name);
  require_table(kind, name, options.table);
  switch (kind) {
    case FileKind::npy:
      result.array = result.owner.emplace<NpyFile>(bytes, name).array();
      return result;
    case FileKind::idx:
    case FileKind::gzip:
      result.array = raw_tensor(name, result.owner.emplace<IdxArray>(read_idx_bytes(bytes, name)));
      result.file.reset();  // the array is a copy
      return result;
    case FileKind::png:
    case FileKind::pgm:
      return read_image(bytes, name, kind, input);
    case FileKind::csv:
      return encoding != nullptr ? read_features(bytes, name, *encoding, options.table)
                                 : read_table(bytes, name, options.table);
    default:
      throw FormatError(
          message("{}: {}; samples are read from IDX, .npy, PNG, PGM and tables of numbers", name, name_of(kind)));
  }
}

/// The dimensions other than 1.
std::vector<Index> long_axes(const Shape& shape) {
  std::vector<Index> result;
  for (const Index dimension : shape.dimensions()) {
    if (dimension != 1) result.push_back(dimension);
  }
  return result;
}

bool same_numbers(const Shape& a, const Shape& b) {
  const auto x = long_axes(a), y = long_axes(b);
  return x == y || (a.size() == b.size() && (x.size() == 1 || y.size() == 1));
}

/// The shape of the array as a batch: the samples' axis first, then the model's input shape.
Shape samples_shape(const std::vector<Index>& array, const std::optional<Shape>& input, const std::string& name) {
  require<FormatError>(std::ssize(array) <= Shape::max_rank, "{}: {} has more than {} dimensions", name,
                       to_string(std::span(array)), Shape::max_rank);
  const Shape came(array);
  if (!input) {
    require(came.rank() > 0, "{}: a scalar is not a sample", name);
    return came;
  }
  if (came.rank() > 0 && same_numbers(came.sub(1), *input)) return input->batched(came[0]);
  require(same_numbers(came, *input), "{}: shape {}, but the model takes samples of shape {}", name, came, *input);
  return input->batched(1);
}

}  // namespace

void ScaleOptions::declare(CLI::App& app) {
  app.add_option("--scale", scale,
                 "multiply values by this (default: divide pixels by their largest value, 255 for bytes)")
      ->option_text("FACTOR");
  app.add_flag("--invert", invert, "invert the brightness of pixels first");
  table.declare(app);
}

void require_table(FileKind kind, const std::string& name, const TableOptions& options) {
  const std::string given = options.given();
  require<UsageError>(kind == FileKind::csv || given.empty(), "{}: {} applies only to tables, this is {}", name, given,
                      name_of(kind));
}

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
  std::string names;
  const auto add = [&](bool is_given, const char* name) {
    if (is_given) names += (names.empty() ? "" : ", ") + std::string(name);
  };
  add(no_header, "--no-header");
  add(!delimiter.empty(), "--delimiter");
  add(!decimal.empty(), "--decimal");
  add(!thousands.empty(), "--thousands");
  add(!units.empty(), "--units");
  add(!missing.empty(), "--missing");
  add(!unknown.empty(), "--unknown");
  return names;
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

Samples::Samples(Numbers numbers, const std::optional<Shape>& input, const ScaleOptions& options,
                 const std::string& name)
    : numbers_(std::move(numbers)), options_(options) {
  const RawTensor& array = numbers_.array;
  cornu::detail::naming(name, [&] { cornu::detail::require_exact(array); });
  const Shape samples = samples_shape(array.shape, input, name);
  size_ = samples[0];
  shape_ = samples.sub(1);
  const bool are_images = array.shape.size() > 2 || (input && input->rank() > 1);
  largest_ = static_cast<Real>(numbers_.largest.value_or(array.dtype == Dtype::u8 && are_images ? 255 : 0));
  require<ValueError>(!options.invert || largest_ > 0, "{}: the values are not pixels, so --invert does not apply",
                      name);
}

void Samples::gather(std::span<const Index> rows, View x, View) const {
  const auto bytes = static_cast<std::size_t>(shape_.size() * size_of(numbers_.array.dtype));
  RawTensor sample = numbers_.array;
  Real* to = x.data();
  for (const Index row : rows) {
    sample.bytes = numbers_.array.bytes.subspan(static_cast<std::size_t>(row) * bytes, bytes);
    convert(sample, View(to, shape_));
    to += shape_.size();
  }
  for (Real& number : x) {
    if (options_.invert) number = largest_ - number;
    if (options_.scale) {
      number *= static_cast<Real>(*options_.scale);
    } else if (largest_ > 0) {
      number /= largest_;
    }
  }
}

Samples read_samples(const std::string& path, const std::optional<Shape>& input, const ScaleOptions& options,
                     const CsvEncoding* encoding) {
  const std::string name = path == "-" ? "standard input" : path;
  return {read_numbers(path, name, input, options, encoding), input, options, name};
}

TensorDataset read_labelled_table(const std::string& path, const CsvEncoding& encoding, const ScaleOptions& options) {
  const FileBytes file(path, true);
  const CsvDataset table = read_encoded_table(file.bytes(), path, {.like = encoding}, options.table);
  require<FormatError>(table.has_target(), "{}: no target column{}", path,
                       table.target_name().empty() ? "" : ", \"" + table.target_name() + "\"");
  return gathered(table);
}

LabelledSamples read_labelled_numbers(const std::string& path, const std::optional<Shape>& input,
                                      const ScaleOptions& options) {
  const FileBytes file(path, true);
  const Numbers table = read_table(file.bytes(), path, options.table);
  const Index rows = table.array.shape[0], width = table.array.shape[1];
  const Index features = input ? input->size() : width - 1;
  require<FormatError>(0 < features && features < width,
                       "{}: rows of {} numbers; {} inputs and a label after them are required", path, width,
                       std::max(features, Index{1}));
  std::vector<Real> x;
  Tensor y(width - features == 1 ? Shape{rows} : Shape{rows, width - features});
  Real* label = y.data();
  for (auto row = std::get<std::vector<Real>>(table.owner).begin(); std::ssize(x) < rows * features; row += width) {
    x.insert(x.end(), row, row + features);
    label = std::copy(row + features, row + width, label);
  }
  const RawTensor array = raw_tensor(path, ConstView(x.data(), {rows, features}));
  return {.x = Samples({.array = array, .owner = std::move(x)}, input, options, path), .y = std::move(y)};
}

}  // namespace cornu::tool
