#pragma once

#include <span>
#include <string>
#include <variant>

#include "cornu/datasets/dataset.h"
#include "cornu/datasets/image_dataset.h"
#include "cornu/formats/npy/npz.h"

namespace cornu {

/// Samples from arrays of a file, as NpzFile, NpyFile and SafetensorsFile have them: x is (samples, feature_shape...)
/// and y (samples) or (samples, target_shape...). An x of U8 with three axes or more is taken for images: a pixel v
/// becomes v / 255, as in datasets::mnist, and stays a byte until then where y is labels from 0 to 255. All other
/// numbers stay what they are. The arrays are copied.
class ArrayDataset {
 public:
  /// Throws ShapeError, naming arrays and shapes, unless the first axes agree, and FormatError for more axes than a
  /// Shape has.
  ArrayDataset(const RawTensor& x, const RawTensor& y);

  Index size() const;
  Shape feature_shape() const;
  Shape target_shape() const;
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has no room for the rows.
  void gather(std::span<const Index> rows, View x, View y) const;
  /// Begins to fetch these rows from memory.
  void prefetch(std::span<const Index> rows) const;

 private:
  std::variant<TensorDataset, ImageDataset> data_;
};

namespace datasets {

/// What the arrays are called. The defaults are Keras's, in its mnist.npz too.
struct NpzNames {
  std::string x_train = "x_train", y_train = "y_train", x_test = "x_test", y_test = "y_test";
};

/// Samples to learn from, and others to see what was learnt: `auto [train, test] = datasets::npz("mnist.npz");`
struct NpzData {
  ArrayDataset train, test;
};

/// Reads both from a file of numpy.savez. Throws what NpzFile and ArrayDataset do, and FormatError, with the names that
/// there are, for an array that is not there; all with the file's name.
NpzData npz(const std::string& path, const NpzNames& names = {});
/// The same from a file that has been read.
NpzData npz(const NpzFile& file, const NpzNames& names = {});

}  // namespace datasets

}  // namespace cornu
