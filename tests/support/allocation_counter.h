#pragma once

#include "cornu/core/shape.h"

namespace cornu::testing {

/// How often the heap was asked for memory, by any thread, since the counter was made. A program that links
/// allocation_counter.cpp has every form of operator new replaced by one that counts; malloc itself is not counted.
class AllocationCounter {
 public:
  AllocationCounter();
  Index count() const;

  /// Not with clang's thread sanitizer, which has an operator new of its own: `count` is 0 there.
  static bool available();

 private:
  Index before_;
};

/// How many bytes more there were at the same time on the heap, at most, than when it was made: of operator new, as
/// above. One at a time. Not with clang's thread sanitizer either.
class PeakMemory {
 public:
  PeakMemory();
  Index bytes() const;

 private:
  Index before_;
};

/// While it lives, operator new fails from the allocation on that comes after so many others, in any thread: just that
/// one, or all that follow too.
class AllocationFailure {
 public:
  enum Extent { once, onwards };
  AllocationFailure(Index after, Extent extent);
  ~AllocationFailure();
  AllocationFailure(const AllocationFailure&) = delete;
  AllocationFailure& operator=(const AllocationFailure&) = delete;

  /// Whether an allocation has failed.
  bool has_happened() const;
};

}  // namespace cornu::testing
