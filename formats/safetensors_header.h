#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "cornu/formats/safetensors.h"

namespace cornu {

inline constexpr std::size_t most_header_bytes = 100'000'000;

struct SafetensorsHeader {
  std::vector<RawTensor> tensors;  ///< in the order of their bytes
  std::vector<UnreadArray> unread{};
  /// For each unread array: the number of tensors before it, and its size in bytes.
  std::vector<std::pair<std::size_t, Index>> gaps{};
  SafetensorsMetadata metadata;
};

/// Parses a header and checks it against the number of bytes that follow it. The tensors, each of byte_count bytes, and
/// the unread arrays must cover these bytes exactly. Does not set the tensors' bytes. Throws FormatError in the cases
/// listed at SafetensorsFile, without the file's name.
SafetensorsHeader read_safetensors_header(std::string_view text, Index data_bytes);

}  // namespace cornu
