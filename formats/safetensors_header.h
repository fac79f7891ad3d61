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
  /// For each unread array, how many tensors come before it and how many bytes it has.
  std::vector<std::pair<std::size_t, Index>> gaps{};
  SafetensorsMetadata metadata;
};

/// Reads a header and checks it against the number of bytes that follow it. The tensors and the unread arrays take all
/// of these, each tensor as many as byte_count says; the tensors' bytes are not yet set. Throws FormatError as
/// SafetensorsFile tells, without the file's name.
SafetensorsHeader read_safetensors_header(std::string_view text, Index data_bytes);

}  // namespace cornu
