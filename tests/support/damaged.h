#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cornu/core/shape.h"

namespace cornu::testing {

/// How often a reader refused a file that was damaged.
struct Refusals {
  Index cut_off = 0;  ///< of as many as there are bytes
  Index flipped = 0;  ///< of as many as there are bits
};

/// Has `read` read the bytes cut off before each of them, and then with each of their bits flipped. An `E` is a
/// refusal; anything else that it throws is passed on. What it is given ends where a sanitizer knows that it does.
template <class E, class Read>
Refusals refusals(std::span<const char> whole, Read read) {
  Refusals result;
  const auto attempt = [&](const std::vector<char>& bytes, Index& refused) {
    try {
      read(std::as_bytes(std::span(bytes)));
    } catch (const E&) {
      ++refused;
    }
  };
  for (std::size_t length = 0; length < whole.size(); ++length) {
    attempt({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}, result.cut_off);
  }
  std::vector<char> bytes(whole.begin(), whole.end());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    char& byte = bytes[bit / 8];
    const char before = byte;
    byte = static_cast<char>(byte ^ 1 << bit % 8);
    attempt(bytes, result.flipped);
    byte = before;
  }
  return result;
}

}  // namespace cornu::testing
