#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "cornu/formats/raw_tensor.h"

namespace cornu::detail {

/// An array that refers to the bytes of the file if they are row-major and little-endian, and else to `rearranged`.
struct NpyArray {
  RawTensor tensor;
  std::vector<std::byte> rearranged{};
};

/// Reads a .npy file. Throws FormatError in the cases listed at NpyFile, without the file's name.
NpyArray read_npy_array(std::span<const std::byte> file, std::string name);

}  // namespace cornu::detail
