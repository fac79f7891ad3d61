#include "cornu/tests/support/allocation_counter.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CORNU_NO_ALLOCATION_COUNTER
#endif
#endif

namespace {

std::atomic<cornu::Index> allocations = 0;
std::atomic<cornu::Index> held = 0, most_held = 0;  // bytes
// Range of allocations that fail, numbered as in `allocations`.
constexpr cornu::Index never = std::numeric_limits<cornu::Index>::max();
std::atomic<cornu::Index> first_failure = never, last_failure = never;
std::atomic<bool> failed = false;

}  // namespace

#ifndef CORNU_NO_ALLOCATION_COUNTER

namespace {

void* counted(void* memory) {
  const auto bytes = static_cast<cornu::Index>(malloc_usable_size(memory));
  const cornu::Index now = held.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  cornu::Index most = most_held.load(std::memory_order_relaxed);
  while (now > most && !most_held.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
  }
  return memory;
}

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  const cornu::Index number = allocations.fetch_add(1, std::memory_order_relaxed);
  if (number >= first_failure.load() && number <= last_failure.load()) {
    failed = true;
    return nullptr;
  }
  size = std::max<std::size_t>(size, 1);
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return counted(std::malloc(size));
  void* result = nullptr;
  return posix_memalign(&result, alignment, size) == 0 ? counted(result) : nullptr;
}

void release(void* memory) noexcept {
  held.fetch_sub(static_cast<cornu::Index>(malloc_usable_size(memory)), std::memory_order_relaxed);
  std::free(memory);
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* result = allocate(size, alignment);
  if (result == nullptr) throw std::bad_alloc();
  return result;
}

constexpr std::size_t plain = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

std::size_t number(std::align_val_t alignment) { return static_cast<std::size_t>(alignment); }

}  // namespace

void* operator new(std::size_t size) { return allocate_or_throw(size, plain); }
void* operator new[](std::size_t size) { return allocate_or_throw(size, plain); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, plain); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, plain); }
void* operator new(std::size_t size, std::align_val_t a) { return allocate_or_throw(size, number(a)); }
void* operator new[](std::size_t size, std::align_val_t a) { return allocate_or_throw(size, number(a)); }
void* operator new(std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(size, number(a));
}
void* operator new[](std::size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(size, number(a));
}

void operator delete(void* p) noexcept { release(p); }
void operator delete[](void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { release(p); }
void operator delete[](void* p, std::align_val_t, const std::nothrow_t&) noexcept { release(p); }

#endif

namespace cornu::testing {

AllocationCounter::AllocationCounter() : before_(allocations.load(std::memory_order_relaxed)) {}

bool AllocationCounter::available() {
#ifdef CORNU_NO_ALLOCATION_COUNTER
  return false;
#else
  return true;
#endif
}

Index AllocationCounter::count() const { return allocations.load(std::memory_order_relaxed) - before_; }

PeakMemory::PeakMemory() : before_(held.load(std::memory_order_relaxed)) {
  most_held.store(before_, std::memory_order_relaxed);
}

Index PeakMemory::bytes() const { return most_held.load(std::memory_order_relaxed) - before_; }

AllocationFailure::AllocationFailure(Index after, Extent extent) {
  failed = false;
  const Index first = allocations.load() + after;
  last_failure = extent == once ? first : never;
  first_failure = first;
}

AllocationFailure::~AllocationFailure() { first_failure = never; }

bool AllocationFailure::has_happened() const { return failed; }

}  // namespace cornu::testing
