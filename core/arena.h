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

  // ---- For passes that know when their values have been read for the last time ----

  /// From now on until `stop_recycling` or `clear`, memory can be freed in pieces, each as it was allocated.
  void start_recycling();
  void stop_recycling();
  /// Counts one more, or one less, user of the piece that holds this address. Does nothing for memory that was not
  /// allocated since start_recycling.
  void hold(const void* address);
  void release(const void* address);
  /// Frees all pieces without a user, for the next calls of `allocate`.
  void sweep();

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

  struct Piece {
    std::byte* memory;
    std::size_t size, users = 0;
  };

  static Chunk make_chunk(std::size_t size);
  /// Memory of this size from a free piece; nullptr if none is large enough.
  std::byte* reused(std::size_t size);
  void set_free(Piece piece);
  Piece* piece_of(const void* address);

  std::vector<Chunk> chunks_;
  std::size_t used_ = 0;  // bytes of the last chunk
  bool recycles_ = false;
  std::vector<Piece> pieces_, free_;  // in use, since start_recycling; free, by address
};

}  // namespace cornu::detail
