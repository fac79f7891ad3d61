#include "cornu/tool/samples.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <istream>
#include <streambuf>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/naming.h"
#include "cornu/datasets/csv_numbers.h"
#include "cornu/datasets/csv_rows.h"
#include "cornu/datasets/subset.h"
#include "cornu/tool/arrays.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/image.h"

namespace cornu::tool {

namespace {

using Bytes = std::span<const std::byte>;

// ---- Tables ----

/// Bytes in memory, for a stream to read.
struct MemoryBuffer : std::streambuf {
  explicit MemoryBuffer(std::string_view text) {
    char* const begin = const_cast<char*>(text.data());  // it reads alone
    setg(begin, begin, begin + text.size());
  }
};

/// The one that the first line that is not empty has most of outside of quotes. A number has none of them in it, so
/// that a wrong guess is an error.
char delimiter_of(std::string_view text) {
  constexpr std::string_view delimiters = ",;\t ";
  text.remove_prefix(text.find_last_of("\r\n", text.find_first_not_of("\r\n\t ")) + 1);
  std::string found;
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\r' || c == '\n') break;
    if (delimiters.find(c) != std::string_view::npos) found += c;
  }
  // Spaces only where there is nothing else: names have them, and they stand around other delimiters.
  const bool others = found.find_first_of(",;\t") != std::string::npos;
  const auto count = [&](char c) { return c == ' ' && others ? 0 : std::count(found.begin(), found.end(), c); };
  return *std::max_element(delimiters.begin(), delimiters.end(), [&](char a, char b) { return count(a) < count(b); });
}

/// The row's numbers are put behind the others; false if none of its cells is one, as in a row of names.
bool append_row(const detail::CsvRows& rows, std::vector<Real>& numbers, bool names_allowed) {
  const std::size_t before = numbers.size();
  const detail::CsvCell* wrong = nullptr;
  for (const detail::CsvCell& cell : rows.cells()) {
    Real number = 0;
    if (detail::parse_number(cell.text, number)) {
      numbers.push_back(number);
    } else if (wrong == nullptr) {
      wrong = &cell;
    }
  }
  if (wrong == nullptr) return true;
  if (names_allowed && numbers.size() == before) return false;
  throw FormatError(
      message("{}: line {}: \"{}\" is no number; a table of texts needs a model that carries the "
              "table's encoding (Sequential::set_csv_encoding)",
              rows.name(), wrong->line, wrong->text));
}

Numbers read_table(Bytes bytes, const std::string& name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  MemoryBuffer buffer(text);
  std::istream stream(&buffer);
  detail::CsvRows rows(stream, name, delimiter_of(text));
  std::vector<Real> numbers;
  Index count = 0, width = 0;
  for (bool first = true; rows.next(); first = false) {
    if (!append_row(rows, numbers, first)) continue;
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

/// By an encoding. A table of several columns whose first line lacks the encoding's delimiter may have another one, but
/// none that its numbers have in them.
CsvDataset read_encoded_table(Bytes bytes, const std::string& name, CsvOptions options, bool no_header) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string_view line = text.substr(0, text.find_first_of("\r\n", text.find_first_not_of("\r\n\t ")));
  const char delimiter = delimiter_of(text);
  const auto has = [&](char c) { return line.find(c) != std::string_view::npos; };
  const CsvEncoding& encoding = *options.like;
  const bool is_of_numbers = delimiter == encoding.decimal || delimiter == encoding.thousands;
  if (encoding.features.size() > 1 && !has(encoding.delimiter) && has(delimiter) && !is_of_numbers) {
    options.delimiter = delimiter;
  }
  if (no_header) options.header = false;
  MemoryBuffer buffer(text);
  std::istream stream(&buffer);
  return read_csv(stream, name, options);
}

/// The features alone. A sample for each row: none is dropped.
Numbers read_features(Bytes bytes, const std::string& name, const CsvEncoding& encoding, bool no_header) {
  CsvOptions options{.target = std::nullopt, .like = encoding};
  if (encoding.missing == CsvMissing::drop_row) options.missing = CsvMissing::refuse;
  const CsvDataset table = read_encoded_table(bytes, name, options, no_header);
  const TensorDataset samples = gathered(table);
  Numbers result;
  result.array = raw_tensor(name, result.owner.emplace<Tensor>(samples.x()));
  return result;
}

// ---- Images ----

/// How many channels an image for this input has. A model that takes any is given grey images.
Index channels_of(const std::optional<Shape>& input, const std::string& path) {
  if (!input || input->rank() == 1 || input->rank() == 2) return 1;
  const auto is_channels = [](Index size) { return size == 1 || size == 3; };
  require(input->rank() == 3 && (is_channels((*input)[2]) || is_channels((*input)[0])),
          "{}: an image, but the model takes {}, which is none", path, *input);
  return is_channels((*input)[2]) ? (*input)[2] : (*input)[0];
}

/// Grey is the same in all channels.
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

/// What can be read once alone is waited for until its end.
std::unique_ptr<const FileBytes> read_bytes(const std::string& path, const std::string& name) {
  if (path == "-") return std::make_unique<const FileBytes>(STDIN_FILENO, name);
  return std::make_unique<const FileBytes>(path, true, FileBytes::Pipes::read);
}

Numbers read_numbers(const std::string& path, const std::string& name, const std::optional<Shape>& input,
                     const ScaleOptions& options, const CsvEncoding* encoding) {
  Numbers result{.file = read_bytes(path, name)};
  const Bytes bytes = result.file->bytes();
  switch (const FileKind kind = kind_of(bytes, name)) {
    case FileKind::npy:
      result.array = result.owner.emplace<NpyFile>(bytes, name).array();
      return result;
    case FileKind::idx:
    case FileKind::gzip:
      result.array = raw_tensor(name, result.owner.emplace<IdxArray>(read_idx_bytes(bytes, name)));
      result.file.reset();  // all of it has been copied
      return result;
    case FileKind::png:
    case FileKind::pgm:
      return read_image(bytes, name, kind, input);
    case FileKind::csv:
      return encoding != nullptr ? read_features(bytes, name, *encoding, options.no_header) : read_table(bytes, name);
    default:
      throw FormatError(
          message("{}: {}; samples are read from IDX, .npy, PNG, PGM and tables of numbers", name, name_of(kind)));
  }
}

/// The axes that are more than 1.
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

/// The shape of an array with the samples' axis before the others.
Shape samples_shape(const std::vector<Index>& array, const std::optional<Shape>& input, const std::string& name) {
  require<FormatError>(std::ssize(array) <= Shape::max_rank, "{}: {} has more than {} dimensions", name,
                       to_string(std::span(array)), Shape::max_rank);
  const Shape came(array);
  if (!input) {
    require(came.rank() > 0, "{}: a single number is no sample", name);
    return came;
  }
  if (came.rank() > 0 && same_numbers(came.sub(1), *input)) return input->batched(came[0]);
  require(same_numbers(came, *input), "{}: {}, but the model takes samples {}", name, came, *input);
  return input->batched(1);
}

}  // namespace

void ScaleOptions::declare(CLI::App& app) {
  app.add_option("--scale", scale,
                 "multiply by this; else pixels are divided by the largest value, 255 for bytes of images")
      ->option_text("FACTOR");
  app.add_flag("--invert", invert, "first turn black pixels white and white ones black");
  app.add_flag("--no-header", no_header, "tables for a model with an encoding have no row of names");
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
  require<ValueError>(!options.invert || largest_ > 0, "{}: no pixels, so that nothing can be inverted", name);
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
  const CsvDataset table = read_encoded_table(file.bytes(), path, {.like = encoding}, options.no_header);
  require<FormatError>(table.has_target(), "{}: there is no column of targets{}", path,
                       table.target_name().empty() ? "" : ", \"" + table.target_name() + "\"");
  return gathered(table);
}

LabelledSamples read_labelled_numbers(const std::string& path, const std::optional<Shape>& input,
                                      const ScaleOptions& options) {
  const FileBytes file(path, true);
  const Numbers table = read_table(file.bytes(), path);
  const Index rows = table.array.shape[0], width = table.array.shape[1];
  const Index features = input ? input->size() : width - 1;
  require<FormatError>(0 < features && features < width,
                       "{}: rows of {} numbers; {} for the model and a label after them are required", path, width,
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
