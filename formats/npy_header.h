#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cornu/formats/raw_tensor.h"

namespace cornu::detail {

/// What a .npy file begins with.
inline constexpr std::string_view npy_magic = "\x93NUMPY";

/// What the dictionary in a .npy file says.
struct NpyHeader {
  Dtype dtype{};
  bool big_endian = false;
  bool fortran_order = false;  ///< the first axis is the one that runs fastest
  std::vector<Index> shape{};
};

/// Reads the dictionary: the text up to the end of the line that it is. Throws FormatError as NpyFile tells, without
/// the file's name.
NpyHeader read_npy_header(std::string_view text);

/// What stands before the array's bytes in a file of version 1: all of the magic and the header. Throws ValueError,
/// naming the array, if the format has no place for it, or its shape does not agree with its bytes.
std::string npy_header(const RawTensor& array);

}  // namespace cornu::detail
