#pragma once

#include <optional>
#include <string>

#include "cornu/core/tensor.h"
#include "cornu/formats/raw_tensor.h"

namespace CLI {
class App;
}

namespace cornu::tool {

/// What becomes of the numbers of a file before a model sees them.
struct ScaleOptions {
  std::optional<double>
      scale{};          ///< the factor; without it pixels are divided by the largest value, other numbers kept
  bool invert = false;  ///< first, pixels become the largest value minus themselves

  void declare(CLI::App& app);
};

/// The samples in a file: (samples, input...). IDX, .npy, a table of numbers with a sample a row, an image. Bytes
/// are pixels of up to 255 where a sample has two axes or more. Without an input, which is a model's that takes any,
/// samples have the shape that the file gives them. Throws FileError if it cannot be read, FormatError for a file that
/// breaks its format or has no samples, ShapeError for samples of another shape, ValueError for numbers to invert that
/// are no pixels.
Tensor read_samples(const std::string& path, const std::optional<Shape>& input, const ScaleOptions& options);

/// An array as samples, as above; `name` stands for it in errors.
Tensor samples_of(const RawTensor& array, const std::optional<Shape>& input, const ScaleOptions& options,
                  const std::string& name);

/// The same numbers as samples of that shape: axes of 1 and flattened axes do not matter, and one sample alone is a
/// batch of one. Throws ShapeError, beginning with `name`.
Tensor as_samples(Tensor values, const Shape& input, const std::string& name);

}  // namespace cornu::tool
