#include "cornu/models/tape_pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cornu/core/error.h"

namespace cornu {
namespace {

/// Makes the tape's memory grow.
void use(Tape& tape) { tape.scratch({1000}); }

TEST(TapePool, ReusesAWarmTape) {
  detail::TapePool pool;
  const Tape* first = nullptr;
  {
    const detail::TapePool::Lease tape(pool);
    use(*tape);
    first = &*tape;
  }
  const detail::TapePool::Lease again(pool);
  EXPECT_EQ(&*again, first);
  EXPECT_GT(again->capacity(), 0U);
}

TEST(TapePool, GivesEachLeaseItsOwnTape) {
  detail::TapePool pool;
  const detail::TapePool::Lease a(pool), b(pool);
  EXPECT_NE(&*a, &*b);
}

TEST(TapePool, LendsMoreTapesThanItCanKeep) {
  detail::TapePool pool;
  std::vector<std::unique_ptr<detail::TapePool::Lease>> leases;
  for (int i = 0; i < 20; ++i) {
    leases.push_back(std::make_unique<detail::TapePool::Lease>(pool));
    use(**leases.back());
  }
  leases.clear();
  int warm = 0;
  for (int i = 0; i < 20; ++i) {
    leases.push_back(std::make_unique<detail::TapePool::Lease>(pool));
    warm += (*leases.back())->capacity() > 0 ? 1 : 0;
  }
  EXPECT_EQ(warm, 16);
}

TEST(TapePool, TapesAreLentCleared) {
  detail::TapePool pool;
  Var value;
  {
    const detail::TapePool::Lease tape(pool);
    value = tape->constant(1);
  }
  const detail::TapePool::Lease tape(pool);
  EXPECT_THROW(static_cast<void>(value.item()), StateError);
  EXPECT_EQ(tape->mode(), Mode::inference);
}

}  // namespace
}  // namespace cornu
