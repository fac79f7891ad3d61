#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "cornu/core/compiler.h"

namespace cornu {

/// Memory that is handed out by moving a pointer and taken back all at once. Keeps what it has from one round to the
/// next: after a round or two of the same work it asks the heap for nothing. Whatever lives in it must need no
/// destructor.
class Arena {
 public:
  /// `bytes` of uninitialised memory at a multiple of 64, valid until `clear`.
  void* allocate(std::size_t bytes);

  /// Takes everything back. Where the last round needed several chunks they become one.
  void clear();

  /// Whether the address lies in the arena's memory.
  bool owns(const void* address) const;

  /// What the arena holds from the heap, in bytes.
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
  std::size_t used_ = 0;  // of the last chunk
};

}  // namespace cornu
