#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "cornu/core/compiler.h"

namespace cornu::detail {

/// Bump allocator: `allocate` moves a pointer, `clear` frees everything at once. Memory is kept across `clear`, so that
/// after one or two rounds of the same work nothing is allocated on the heap. Destructors are not run: objects in the
/// arena must be trivially destructible.
class Arena {
 public:
  /// Returns `bytes` of uninitialised memory, 64-byte aligned, valid until `clear`.
  void* allocate(std::size_t bytes);

  /// Frees everything. If the last round needed several chunks, they are merged into one.
  void clear();

  /// True if `address` lies in the arena's memory.
  bool owns(const void* address) const;

  /// Heap memory held by the arena, in bytes.
  std::size_t capacity() const;

 private:
  struct Deleter {
    std::size_t size = 0;
    void operator()(std::byte* memory) const;
  };
  struct Chunk {
    std::unique_ptr<std::byte, Deleter> memory;
    std::size_t size() const { return memory.get_deleter().size; }
  };

  static Chunk make_chunk(std::size_t size);

  std::vector<Chunk> chunks_;
  std::size_t used_ = 0;  // bytes of the last chunk
};

}  // namespace cornu::detail
