#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cornu/formats/raw_tensor.h"

namespace cornu::detail {

/// An array whose bytes are those of the file, where they are row-major and little-endian there, and else its own.
struct NpyArray {
  RawTensor tensor;
  std::vector<std::byte> rearranged{};
};

/// Reads a .npy file. Throws FormatError as NpyFile tells, without the file's name.
NpyArray read_npy_array(std::span<const std::byte> file, std::string name);

}  // namespace cornu::detail
