#include "cornu/tool/samples.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/naming.h"
#include "cornu/datasets/subset.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/image_samples.h"
#include "cornu/tool/tables.h"

namespace cornu::tool {

namespace {

/// Reads pipes and standard input to their end before anything else.
std::unique_ptr<const FileBytes> read_bytes(const std::string& path, const std::string& name) {
  if (path == "-") return std::make_unique<const FileBytes>(STDIN_FILENO, name);
  return std::make_unique<const FileBytes>(path, true, FileBytes::Pipes::read);
}

Numbers read_numbers(const std::string& path, const std::string& name, const std::optional<Shape>& input,
                     const ScaleOptions& options, const CsvEncoding* encoding) {
  Numbers result{.file = read_bytes(path, name)};
  const std::span<const std::byte> bytes = result.file->bytes();
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
  if (input->empty()) {  // axes of any length
    if (came.rank() > 0 && cornu::detail::matches(*input, came.sub(1))) return came;
    if (cornu::detail::matches(*input, came)) return came.batched(1);
  } else if (came.rank() > 0 && same_numbers(came.sub(1), *input)) {
    return input->batched(came[0]);
  }
  require(!input->empty() && same_numbers(came, *input), "{}: shape {}, but the model takes samples of shape {}", name,
          came, cornu::detail::pattern_text(*input));
  return input->batched(1);
}

}  // namespace

void ScaleOptions::declare(CLI::App& app) {
  app.add_option("--scale", scale,
                 "multiply values by this (default: divide pixels by the largest possible value, 255 for bytes)")
      ->option_text("FACTOR");
  app.add_flag("--invert", invert, "invert the brightness of pixels first");
  table.declare(app);
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
  const Index features = input && !input->empty() ? input->size() : width - 1;
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
