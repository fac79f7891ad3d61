#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/formats/raw_tensor.h"

namespace cornu::detail {

/// What a .npy file begins with.
inline constexpr std::string_view npy_magic = "\x93NUMPY";

/// The type of an array's elements is not one of those that Cornu reads; nothing is wrong with the file.
class UnreadType : public FormatError {
 public:
  UnreadType(std::string type, std::string reason) : FormatError(std::move(reason)), type_(std::move(type)) {}
  /// As the file calls it.
  const std::string& type() const { return type_; }

 private:
  std::string type_;
};

/// What the dictionary in a .npy file says.
struct NpyHeader {
  Dtype dtype{};
  bool big_endian = false;
  bool fortran_order = false;  ///< the first axis is the one that runs fastest
  std::vector<Index> shape{};
};

/// Reads the dictionary: the text up to the end of the line that it is. Throws FormatError as NpyFile tells, without
/// the file's name; UnreadType for elements that are not read.
NpyHeader read_npy_header(std::string_view text);

/// What stands before the array's bytes in a file of version 1: all of the magic and the header. Throws ValueError,
/// naming the array, if the format has no place for it, or its shape does not agree with its bytes.
std::string npy_header(const RawTensor& array);

}  // namespace cornu::detail
