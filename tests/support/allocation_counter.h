#pragma once

#include "cornu/core/shape.h"

namespace cornu::testing {

/// Counts heap allocations of all threads since its construction. allocation_counter.cpp replaces every form of
/// operator new with one that counts; direct calls of malloc are not counted.
class AllocationCounter {
 public:
  AllocationCounter();
  Index count() const;

  /// False with clang's thread sanitizer, which replaces operator new itself: `count` is 0 there.
  static bool available();

 private:
  Index before_;
};

/// How often allocations_of calls its action: without counting, then counting.
struct CountedCalls {
  int warm_up = 3, counted = 1;
};

/// The heap allocations of an action once it is warm.
template <class Action>
Index allocations_of(Action action, const CountedCalls& calls = {}) {
  for (int i = 0; i < calls.warm_up; ++i) action();
  const AllocationCounter counter;
  for (int i = 0; i < calls.counted; ++i) action();
  return counter.count();
}

/// Peak of the heap memory from operator new, relative to the amount at construction. Use only one at a time. Not
/// available with clang's thread sanitizer either.
class PeakMemory {
 public:
  PeakMemory();
  Index bytes() const;

 private:
  Index before_;
};

/// While it exists, operator new fails after `after` more allocations by any thread: once, or every time.
class AllocationFailure {
 public:
  enum Extent { once, onwards };
  AllocationFailure(Index after, Extent extent);
  ~AllocationFailure();
  AllocationFailure(const AllocationFailure&) = delete;
  AllocationFailure& operator=(const AllocationFailure&) = delete;

  /// True if an allocation has failed.
  bool has_happened() const;
};

}  // namespace cornu::testing
