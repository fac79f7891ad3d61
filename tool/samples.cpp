#include "cornu/tool/samples.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <fstream>
#include <utility>
#include <vector>

#include "cornu/core/eager.h"
#include "cornu/core/error.h"
#include "cornu/datasets/csv_rows.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/tool/arrays.h"
#include "cornu/tool/image.h"

namespace cornu::tool {

namespace {

/// Numbers as a file has them.
struct Numbers {
  Tensor values;
  Index largest = 0;  // of pixels; 0: these are none
};

bool parse(std::string_view text, Real& number) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

/// The row's numbers are put behind the others; false if none of its cells is one, as in a row of names.
bool append_row(const detail::CsvRows& rows, std::vector<Real>& numbers, bool names_allowed) {
  const std::size_t before = numbers.size();
  const detail::CsvCell* wrong = nullptr;
  for (const detail::CsvCell& cell : rows.cells()) {
    Real number = 0;
    if (parse(cell.text, number)) {
      numbers.push_back(number);
    } else if (wrong == nullptr) {
      wrong = &cell;
    }
  }
  if (wrong == nullptr) return true;
  if (names_allowed && numbers.size() == before) return false;
  throw FormatError(message("{}: line {}: \"{}\" is no number", rows.name(), wrong->line, wrong->text));
}

Numbers read_table(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  require<FileError>(stream.is_open(), "{}: cannot be opened", path);
  detail::CsvRows rows(stream, path, ',');
  std::vector<Real> numbers;
  Index count = 0, width = 0;
  for (bool first = true; rows.next(); first = false) {
    if (!append_row(rows, numbers, first)) continue;
    const Index came = std::ssize(rows.cells());
    require<FormatError>(count == 0 || came == width, "{}: line {}: {} numbers; the rows before it have {}", path,
                         rows.line(), came, width);
    width = came;
    ++count;
  }
  require<FormatError>(count > 0, "{}: there are no numbers in it", path);
  return {.values = Tensor({count, width}, numbers)};
}

/// How many channels an image for this input has. A model that takes any is given grey images.
Index channels_of(const std::optional<Shape>& input, const std::string& path) {
  if (!input || input->rank() == 1 || input->rank() == 2) return 1;
  const auto is_channels = [](Index size) { return size == 1 || size == 3; };
  require(input->rank() == 3 && (is_channels((*input)[2]) || is_channels((*input)[0])),
          "{}: an image, but the model takes {}, which is none", path, *input);
  return is_channels((*input)[2]) ? (*input)[2] : (*input)[0];
}

Numbers read_image(const std::string& path, FileKind kind, const std::optional<Shape>& input) {
  const Index channels = channels_of(input, path);
  const bool channels_last = !input || input->rank() < 3 || (*input)[2] == channels;
  const auto shape_of = [&](Index height, Index width) {
    return channels_last ? Shape{height, width, channels} : Shape{channels, height, width};
  };
  const auto check = [&](Index height, Index width) {
    if (!input) return;
    const bool fits = input->rank() == 1   ? input->size() == height * width
                      : input->rank() == 2 ? *input == Shape{height, width}
                                           : *input == shape_of(height, width);
    require(fits, "{}: an image of {} x {} pixels (height x width), but the model takes {}", path, height, width,
            *input);
  };
  const FileBytes file(path, true);
  const Image image =
      kind == FileKind::png ? read_png(file.bytes(), path, channels, check) : read_pgm(file.bytes(), path, check);
  Tensor values(Shape{image.height, image.width, channels});
  for (Index i = 0; i < values.size(); ++i) {  // grey is the same in all channels
    values[i] = static_cast<Real>(image.values[static_cast<std::size_t>(i / channels * image.channels +
                                                                        (image.channels == 1 ? 0 : i % channels))]);
  }
  if (!channels_last) values = transpose(values, {2, 0, 1});
  values.reshape(input ? input->batched(1) : Shape{1, image.height, image.width});
  return {.values = std::move(values), .largest = image.largest};
}

/// Bytes are pixels where a sample has two axes or more, as in ArrayDataset.
Numbers numbers_of(const RawTensor& array, const std::optional<Shape>& input) {
  const bool are_images = array.shape.size() > 2 || (input && input->rank() > 1);
  return {.values = to_tensor(array), .largest = array.dtype == Dtype::u8 && are_images ? 255 : 0};
}

Numbers read_numbers(const std::string& path, const std::optional<Shape>& input) {
  switch (const FileKind kind = kind_of_file(path)) {
    case FileKind::npy:
    case FileKind::idx:
      return numbers_of(read_arrays(path, kind).list.front(), input);
    case FileKind::png:
    case FileKind::pgm:
      return read_image(path, kind, input);
    case FileKind::csv:
      return read_table(path);
    default:
      throw FormatError(
          message("{}: {}; samples are read from IDX, .npy, PNG, PGM and tables of numbers", path, name_of(kind)));
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

}  // namespace

Tensor as_samples(Tensor values, const Shape& input, const std::string& name) {
  const Shape came = values.shape();
  if (came.rank() > 0 && same_numbers(came.sub(1), input)) {
    values.reshape(input.batched(came[0]));
  } else {
    require(same_numbers(came, input), "{}: {}, but the model takes samples {}", name, came, input);
    values.reshape(input.batched(1));
  }
  return values;
}

namespace {

Tensor prepared(Numbers numbers, const std::optional<Shape>& input, const ScaleOptions& options,
                const std::string& name) {
  const auto largest = static_cast<Real>(numbers.largest);
  require<ValueError>(!options.invert || largest > 0, "{}: no pixels, so that nothing can be inverted", name);
  Tensor samples = input ? as_samples(std::move(numbers.values), *input, name) : std::move(numbers.values);
  for (Real& x : samples) {
    if (options.invert) x = largest - x;
    if (options.scale) {
      x *= static_cast<Real>(*options.scale);
    } else if (largest > 0) {
      x /= largest;
    }
  }
  return samples;
}

}  // namespace

void ScaleOptions::declare(CLI::App& app) {
  app.add_option("--scale", scale,
                 "multiply by this; else pixels are divided by the largest value, 255 for bytes of images")
      ->option_text("FACTOR");
  app.add_flag("--invert", invert, "first turn black pixels white and white ones black");
}

Tensor samples_of(const RawTensor& array, const std::optional<Shape>& input, const ScaleOptions& options,
                  const std::string& name) {
  return prepared(numbers_of(array, input), input, options, name);
}

Tensor read_samples(const std::string& path, const std::optional<Shape>& input, const ScaleOptions& options) {
  return prepared(read_numbers(path, input), input, options, path);
}

}  // namespace cornu::tool
