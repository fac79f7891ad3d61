#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "cornu/datasets/download/sha256.h"

namespace cornu::testing {

inline std::string sha256(std::span<const std::byte> bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.hex();
}
inline std::string sha256(std::string_view text) { return sha256(std::as_bytes(std::span(text))); }

}  // namespace cornu::testing
