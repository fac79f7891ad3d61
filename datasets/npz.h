#pragma once

#include <span>
#include <string>
#include <variant>

#include "cornu/datasets/dataset.h"
#include "cornu/datasets/image_dataset.h"
#include "cornu/formats/npy/npz.h"

namespace cornu {

/// A dataset from two arrays of a file, read by NpzFile, NpyFile or SafetensorsFile. x: (samples, feature_shape...). y:
/// (samples) or (samples, target_shape...). If x is U8 with three or more axes, it holds images: a pixel v
/// becomes v / 255, as in datasets::mnist, and is stored as a byte if y holds labels from 0 to 255. All other values
/// are unchanged. The arrays are copied.
class ArrayDataset {
 public:
  /// Throws ShapeError, naming arrays and shapes, if the first axes differ, and FormatError for more axes than a Shape
  /// can have.
  ArrayDataset(const RawTensor& x, const RawTensor& y);

  Index size() const;
  Shape feature_shape() const;
  Shape target_shape() const;
  /// Throws ValueError, naming row and size, for a row out of range, and ShapeError if x or y has the wrong size.
  void gather(std::span<const Index> rows, View x, View y) const;
  /// Starts to load these rows into the cache.
  void prefetch(std::span<const Index> rows) const;

 private:
  std::variant<TensorDataset, ImageDataset> data_;
};

namespace datasets {

/// The names of the arrays. The defaults are Keras's, as in its mnist.npz.
struct NpzNames {
  std::string x_train = "x_train", y_train = "y_train", x_test = "x_test", y_test = "y_test";
};

/// The training and the test set: `auto [train, test] = datasets::npz("mnist.npz");`
struct NpzData {
  ArrayDataset train, test;
};

/// Reads both sets from a file of numpy.savez. Throws what NpzFile and ArrayDataset throw, and FormatError, listing the
/// names in the file, for a missing array. All errors name the file.
NpzData npz(const std::string& path, const NpzNames& names = {});
/// The same from an open file.
NpzData npz(const NpzFile& file, const NpzNames& names = {});

}  // namespace datasets

}  // namespace cornu
