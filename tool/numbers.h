#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "cornu/core/tensor.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/idx.h"
#include "cornu/formats/npy/npy.h"
#include "cornu/formats/npy/npz.h"
#include "cornu/formats/raw_tensor.h"

namespace cornu::tool {

/// The values of a file, in the file's element type.
struct Numbers {
  RawTensor array{};
  /// The largest possible pixel value; 0: the values are not pixels. If empty, bytes are pixels of up to 255 if the
  /// samples or the model's input have two axes or more.
  std::optional<Index> largest{};
  /// Own the memory that `array` points into.
  std::unique_ptr<const FileBytes> file{};
  std::variant<std::monostate, NpyFile, NpzFile, IdxArray, Tensor, std::vector<Real>, std::vector<std::uint16_t>>
      owner{};
};

}  // namespace cornu::tool
