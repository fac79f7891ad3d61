#pragma once

#include "cornu/core/shape.h"

namespace cornu::testing {

/// How often the heap was asked for memory, by any thread, since the counter was made. A program that links
/// allocation_counter.cpp has every form of operator new replaced by one that counts; malloc itself is not counted.
class AllocationCounter {
 public:
  AllocationCounter();
  Index count() const;

 private:
  Index before_;
};

}  // namespace cornu::testing
