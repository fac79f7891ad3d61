#include "cornu/core/arena.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <new>

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

}  // namespace
}  // namespace cornu::testing
