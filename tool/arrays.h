#pragma once

#include <string>
#include <variant>
#include <vector>

#include "cornu/formats/idx.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/formats/safetensors.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

/// The arrays of a file, of any kind that has some.
struct Arrays {
  std::vector<RawTensor> list{};
  std::vector<UnreadArray> unread{};  ///< whose elements no RawTensor can be of
  /// Whose bytes these are.
  std::variant<std::monostate, SafetensorsFile, NpyFile, NpzFile, IdxArray, OnnxWeights> owner{};
};

/// Of a safetensors file, .npy, .npz, IDX (an array named as the file), and the weights of an ONNX graph. Throws
/// FileError and FormatError as the readers do, and for files of other kinds.
Arrays read_arrays(const std::string& path, FileKind kind);

/// The name of a file without folder and ending, as which an array without a name is known.
std::string stem_of(const std::string& path);

}  // namespace cornu::tool
