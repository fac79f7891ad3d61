#pragma once

#include <optional>
#include <span>
#include <string>

#include "cornu/core/tensor.h"
#include "cornu/datasets/csv/csv.h"
#include "cornu/datasets/dataset.h"
#include "cornu/tool/numbers.h"
#include "cornu/tool/table_options.h"

namespace CLI {
class App;
}

namespace cornu::tool {

/// How the values of a file are scaled for the model.
struct ScaleOptions {
  std::optional<double> scale{};  ///< the factor; without it, pixels are divided by their largest possible value
  bool invert = false;            ///< replaces pixels by largest - pixel before scaling
  TableOptions table{};

  void declare(CLI::App& app);
};

/// A dataset of samples without labels. Values are converted to Real one batch at a time, so that a file is held in
/// memory in its own element type only.
class Samples {
 public:
  /// The samples' shape may differ from the model's input by axes of size 1 or by flattening. A single sample becomes a
  /// batch of one. Without `input` (a model that takes any shape) samples keep the array's shape. Throws ShapeError if
  /// the shapes do not match and ValueError for `invert` without pixels; both messages begin with `name`.
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

/// Samples and their labels.
struct LabelledSamples {
  Samples x;
  Tensor y;  ///< (samples) or (samples, labels)
};

/// Reads a table with one sample per row. The labels are the columns after those that the model takes, or the last
/// column if `input` is empty. Throws like read_samples, and FormatError if no column is left for a label.
LabelledSamples read_labelled_numbers(const std::string& path, const std::optional<Shape>& input,
                                      const ScaleOptions& options);

/// Reads samples from a file, a pipe, or standard input ("-"): IDX, .npy, an image, or a table with one sample per row.
/// A table is read with the encoding if there is one, otherwise as plain numbers. Throws FileError if the file cannot
/// be read, FormatError if it is malformed or has no samples, and like Samples.
Samples read_samples(const std::string& path, const std::optional<Shape>& input, const ScaleOptions& options,
                     const CsvEncoding* encoding = nullptr);

/// Reads a table and its targets with an encoding. Throws like read_csv, and FormatError if the target column is
/// missing.
TensorDataset read_labelled_table(const std::string& path, const CsvEncoding& encoding, const ScaleOptions& options);

}  // namespace cornu::tool
