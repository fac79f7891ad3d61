#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace cornu {

/// Incremental SHA-256. Source: NIST FIPS 180-4.
class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  /// The hash of all bytes so far, as 64 lower-case hexadecimal digits.
  std::string hex() const;

 private:
  void compress(const std::byte* block);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> block_{};
  std::uint64_t size_ = 0;  // bytes so far; the last size_ % 64 of them are in block_
};

}  // namespace cornu
