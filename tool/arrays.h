#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cornu/formats/idx.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/formats/safetensors.h"
#include "cornu/formats/tensor_file.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/keras_files.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

/// The arrays of a file.
struct Arrays {
  std::vector<RawTensor> list{};
  std::vector<UnreadArray> unread{};  ///< arrays with an element type that RawTensor does not support
  /// Owns the memory that the arrays point into.
  std::variant<std::monostate, SafetensorsFile, cornu::detail::TensorFile, NpyFile, NpzFile, IdxArray, OnnxWeights,
               KerasWeights>
      owner{};
};

/// Reads a safetensors, PyTorch, .npy, .npz or IDX file (an IDX array is named after its file), a file of Keras's
/// weights, or the weights of an ONNX graph. Throws FileError and FormatError like the readers of these formats, and
/// FormatError for any other kind of file.
Arrays read_arrays(const std::string& path, FileKind kind);

/// The file name without folder and extension: the name of an array in a format without names.
std::string stem_of(const std::string& path);

}  // namespace cornu::tool
