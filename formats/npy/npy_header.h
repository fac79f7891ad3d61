#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/formats/raw_tensor.h"

namespace cornu::detail {

/// The first bytes of a .npy file.
inline constexpr std::string_view npy_magic = "\x93NUMPY";

/// The file is valid, but Cornu does not support its element type.
class UnreadType : public FormatError {
 public:
  UnreadType(std::string type, std::string reason) : FormatError(std::move(reason)), type_(std::move(type)) {}
  /// The file's name for the type.
  const std::string& type() const { return type_; }

 private:
  std::string type_;
};

/// The dictionary in the header of a .npy file.
struct NpyHeader {
  Dtype dtype{};
  bool big_endian = false;
  bool fortran_order = false;  ///< column-major: the first axis is contiguous
  std::vector<Index> shape{};
};

/// Parses the dictionary, including the padding and the line break after it. Throws FormatError in the cases listed at
/// NpyFile, without the file's name; UnreadType for unsupported element types.
NpyHeader read_npy_header(std::string_view text);

/// The magic and the header of a version 1 file: everything before the elements. Throws ValueError, naming the array,
/// if the format cannot hold it or its shape does not match its bytes.
std::string npy_header(const RawTensor& array);

}  // namespace cornu::detail
