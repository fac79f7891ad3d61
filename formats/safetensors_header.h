#pragma once

#include <string_view>
#include <vector>

#include "cornu/formats/safetensors.h"

namespace cornu {

inline constexpr std::size_t most_header_bytes = 100'000'000;

struct SafetensorsHeader {
  std::vector<RawTensor> tensors;  ///< in the order of their bytes
  SafetensorsMetadata metadata;
};

/// Reads a header and checks it against the number of bytes that follow it. The tensors take all of these, each as many
/// as byte_count says, and are yet without them. Throws FormatError as SafetensorsFile tells, without the file's name.
SafetensorsHeader read_safetensors_header(std::string_view text, Index data_bytes);

}  // namespace cornu
