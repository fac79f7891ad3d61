#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/datasets/csv/csv.h"
#include "cornu/datasets/dataset.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/idx.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/formats/raw_tensor.h"

namespace CLI {
class App;
}

namespace cornu::tool {

/// How tables are read where they differ from the model's encoding, or from plain numbers. Named as in CsvOptions.
struct TableOptions {
  bool no_header = false;  ///< the first row is a sample
  std::string delimiter{}, decimal{}, thousands{}, missing{}, unknown{};
  std::vector<std::string> units{};

  void declare(CLI::App& app);
  /// The options that were given: "--no-header, --decimal"; "" if there are none.
  std::string given() const;
  void apply(CsvOptions& options) const;
};

/// What happens to the values of a file before a model sees them.
struct ScaleOptions {
  std::optional<double> scale{};  ///< the factor; without it pixels are divided by the largest value
  bool invert = false;            ///< first, pixels become the largest value minus themselves
  TableOptions table{};

  void declare(CLI::App& app);
};

/// Throws UsageError if options for tables were given for a file that is none.
void require_table(detail::FileKind kind, const std::string& name, const TableOptions& options);

/// Numbers as a file has them.
struct Numbers {
  RawTensor array{};
  /// Of pixels; 0: these are none. Where nobody says it, bytes are pixels of up to 255 if a sample has two axes or
  /// more.
  std::optional<Index> largest{};
  /// Whose bytes these are, and what it shows into itself.
  std::unique_ptr<const FileBytes> file{};
  std::variant<std::monostate, NpyFile, NpzFile, IdxArray, Tensor, std::vector<Real>, std::vector<std::uint16_t>>
      owner{};
};

/// Samples for a model, as a dataset without labels: numbers become Reals a batch at a time, so that those of a file
/// are in memory as the file has them alone.
class Samples {
 public:
  /// Axes of 1 and flattened axes do not matter, and one sample alone is a batch of one. Without an input, which is a
  /// model's that takes any, samples have the shape that the array gives them. Throws ShapeError for samples of another
  /// shape and ValueError for numbers to invert that are no pixels, both beginning with `name`.
  Samples(Numbers numbers, const std::optional<Shape>& input, const ScaleOptions& options, const std::string& name);

  Index size() const { return size_; }
  Shape feature_shape() const { return shape_; }
  void gather(std::span<const Index> rows, View x, View y) const;

 private:
  Numbers numbers_;
  ScaleOptions options_;
  Real largest_ = 0;
  Index size_ = 0;
  Shape shape_;
};

/// Samples and what a model is to make of them.
struct LabelledSamples {
  Samples x;
  Tensor y;  ///< (samples) or (samples, labels)
};

/// A table with a sample a row, labels in its last columns: in all that the model does not take, or the last one.
/// Throws as read_samples, and FormatError for rows that leave no label.
LabelledSamples read_labelled_numbers(const std::string& path, const std::optional<Shape>& input,
                                      const ScaleOptions& options);

/// The samples in a file, a pipe, or standard input, which is called "-": IDX, .npy, a table with a sample a row, an
/// image. A table is read by the encoding if there is one, else as numbers. Throws FileError if it cannot be read,
/// FormatError for a file that breaks its format or has no samples, else as Samples.
Samples read_samples(const std::string& path, const std::optional<Shape>& input, const ScaleOptions& options,
                     const CsvEncoding* encoding = nullptr);

/// A table with its targets, by an encoding. Throws as read_csv, and FormatError if the targets are not there.
TensorDataset read_labelled_table(const std::string& path, const CsvEncoding& encoding, const ScaleOptions& options);

}  // namespace cornu::tool
