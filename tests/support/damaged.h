#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <span>

#include "cornu/core/error.h"
#include "cornu/tests/support/allocation_counter.h"

namespace cornu::testing {

/// How many damaged copies of a file were rejected.
struct Refused {
  Index cut = 0, flipped = 0;
};

/// Calls `read` with every truncated copy of a small file and with every copy in which one bit is flipped. `read` may
/// throw only Errors, and may allocate at most `most_memory` bytes (by default a MiB plus four times the file).
template <class Bytes, class Read>
Refused read_damaged(const Bytes& whole, Read read, Index most_memory = 0) {
  if (most_memory == 0) most_memory = (Index{1} << 20) + 4 * std::ssize(whole);
  const auto is_refused = [&](const Bytes& damaged) {
    const PeakMemory memory;
    bool refused = false;
    try {
      read(damaged);
    } catch (const Error&) {
      refused = true;
    }
    EXPECT_LE(memory.bytes(), most_memory);
    return refused;
  };
  Refused result;
  for (std::size_t length = 0; length < whole.size(); ++length) {
    result.cut += is_refused(Bytes(whole.begin(), whole.begin() + static_cast<Index>(length)));
  }
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    Bytes flipped = whole;
    std::as_writable_bytes(std::span(flipped))[bit / 8] ^= std::byte{1} << bit % 8;
    result.flipped += is_refused(flipped);
  }
  return result;
}

}  // namespace cornu::testing
