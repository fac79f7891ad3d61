#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>

#include "cornu/core/error.h"
#include "cornu/tests/support/allocation_counter.h"

/// Shared by all fuzz targets. See docs/fuzzing.md.
namespace cornu::fuzz {

/// Aborts if `holds` is false; libFuzzer reports a crash and keeps the input.
inline void check(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// The memory that a reader may take for an input of `size` bytes: four times the size, and a constant.
inline Index most_memory(std::size_t size, Index constant = Index{1} << 20) {
  return constant + 4 * static_cast<Index>(size);
}

/// Returns true if `read` succeeds, false if it throws a cornu::Error. Any other exception fails, and so does holding
/// more than `limit` bytes at any time.
template <class Read>
bool reads(Index limit, Read read) {
  const testing::PeakMemory memory;
  bool well = true;
  try {
    read();
  } catch (const Error& error) {
    well = false;
    check(*error.what() != '\0', "an error says what is wrong");
  }
  if (memory.bytes() > limit) {
    std::fprintf(stderr, "%td bytes of memory, at most %td are allowed\n", memory.bytes(), limit);
    std::abort();
  }
  return well;
}

}  // namespace cornu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size);
