#include "cornu/core/arena.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "cornu/core/random.h"
#include "cornu/core/tensor.h"
#include "cornu/tests/support/allocation_counter.h"

namespace cornu::testing {
namespace {

TEST(Arena, ReturnsAlignedMemoryThatDoesNotOverlap) {
  detail::Arena arena;
  unsigned char* last_end = nullptr;
  for (const std::size_t bytes : {1, 63, 64, 65, 0, 1000}) {
    auto* memory = static_cast<unsigned char*>(arena.allocate(bytes));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignment, 0u);
    std::memset(memory, 0xab, bytes);
    EXPECT_TRUE(last_end == nullptr || memory >= last_end);
    last_end = memory + bytes;
  }
}

TEST(Arena, HoldsNoMemoryBeforeTheFirstAllocation) { EXPECT_EQ(detail::Arena().capacity(), 0u); }

TEST(Arena, AllocatesMoreThanAChunkAtOnce) {
  detail::Arena arena;
  arena.allocate(10);
  auto* big = static_cast<unsigned char*>(arena.allocate(1 << 20));
  big[0] = big[(1 << 20) - 1] = 1;
  EXPECT_GE(arena.capacity(), std::size_t{1} << 20);
}

TEST(Arena, KeepsItsMemoryAndAllocatesNoMoreForTheSameWork) {
  detail::Arena arena;
  const auto round = [&] {
    for (std::size_t i = 0; i < 300; ++i) arena.allocate(i * 37);
    arena.allocate(300'000);
  };
  round();
  arena.clear();
  const std::size_t capacity = arena.capacity();
  const AllocationCounter counter;
  for (int i = 0; i < 3; ++i) {
    round();
    arena.clear();
  }
  EXPECT_EQ(counter.count(), 0);
  EXPECT_EQ(arena.capacity(), capacity);
}

TEST(Arena, ReusesItsMemoryAfterClear) {
  detail::Arena arena;
  void* const first = arena.allocate(100);
  EXPECT_NE(arena.allocate(100), first);
  arena.clear();
  EXPECT_EQ(arena.allocate(100), first);
}

TEST(Arena, ThrowsBadAllocForHugeSizes) {
  detail::Arena arena;
  EXPECT_THROW(arena.allocate(std::numeric_limits<std::size_t>::max()), std::bad_alloc);
  EXPECT_THROW(arena.allocate(std::numeric_limits<std::size_t>::max() / 4 + 1), std::bad_alloc);
  EXPECT_EQ(arena.capacity(), 0u);
  EXPECT_NE(arena.allocate(1), nullptr) << "stays usable";
}

TEST(Arena, RecyclesPiecesWithoutUsers) {
  detail::Arena arena;
  void* const before = arena.allocate(1000);
  arena.start_recycling();
  auto* const first = static_cast<std::byte*>(arena.allocate(6400));
  void* const second = arena.allocate(6400);
  arena.hold(first + 100);
  arena.hold(before);  // allocated earlier: not a piece
  arena.sweep();
  EXPECT_EQ(arena.allocate(640), second) << "a part of the free piece";
  EXPECT_NE(arena.allocate(6400), second) << "the rest of it is too small";
  arena.sweep();
  arena.hold(first);
  arena.release(first);
  arena.sweep();
  EXPECT_NE(arena.allocate(6400), first) << "still has one of two users";
  arena.release(first);
  arena.sweep();
  EXPECT_EQ(arena.allocate(3 * 6400), first) << "all pieces side by side have become one";
  arena.stop_recycling();
  arena.clear();
  EXPECT_EQ(arena.allocate(1000), before);
}

TEST(Arena, NeverHandsOutMemoryThatHasAUser) {
  struct Live {
    unsigned char* memory;
    std::size_t size;
    unsigned char mark;
  };
  Rng random(7);
  for (int round = 0; round < 20; ++round) {
    detail::Arena arena;
    arena.start_recycling();
    std::vector<Live> live;
    for (int i = 0; i < 400; ++i) {
      const auto size = static_cast<std::size_t>(random.below(20'000)) + 1;
      auto* const memory = static_cast<unsigned char*>(arena.allocate(size));
      const auto mark = static_cast<unsigned char>(i);
      std::memset(memory, mark, size);
      if (random.below(3) > 0) {
        arena.hold(memory + size / 2);
        live.push_back({memory, size, mark});
      }
      if (random.below(2) == 0) arena.sweep();
      while (live.size() > 10) {
        std::swap(live[static_cast<std::size_t>(random.below(11))], live.back());
        const Live last = live.back();
        live.pop_back();
        ASSERT_EQ(std::count(last.memory, last.memory + last.size, last.mark), static_cast<std::ptrdiff_t>(last.size));
        arena.release(last.memory);
      }
    }
    // 11 values of at most 20,000 bytes, and what a chunk's doubling and gaps between them cost; all would take 4 MB.
    EXPECT_LT(arena.capacity(), 1'200'000u);
  }
}

}  // namespace
}  // namespace cornu::testing
