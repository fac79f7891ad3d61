#include "cornu/datasets/prefetched.h"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <thread>

#include "cornu/core/error.h"
#include "cornu/datasets/batches.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"

namespace cornu {
namespace {

using testing::error_of;

/// Row i is (i, 2 i) with the target 3 i; row `broken` throws. Counts the gathered rows.
struct Numbers {
  Index count = 1000, broken = -1;
  mutable std::atomic<Index> gathered = 0, elsewhere = 0;
  std::thread::id home = std::this_thread::get_id();

  explicit Numbers(Index size, Index broken_row = -1) : count(size), broken(broken_row) {}
  Index size() const { return count; }
  Shape feature_shape() const { return {2}; }
  void gather(std::span<const Index> rows, View x, View y) const {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      require<ValueError>(rows[i] != broken, "row {} is broken", rows[i]);
      const auto at = static_cast<Index>(i);
      x[2 * at] = static_cast<Real>(rows[i]);
      x[2 * at + 1] = static_cast<Real>(2 * rows[i]);
      y[at] = static_cast<Real>(3 * rows[i]);
      ++gathered;
      if (std::this_thread::get_id() != home) ++elsewhere;
    }
  }
};

bool right(const Batch& batch) {
  bool result = true;
  for (Index i = 0; i < batch.size; ++i) {
    const auto row = static_cast<Real>(batch.rows[static_cast<std::size_t>(i)]);
    result = result && batch.x[2 * i] == row && batch.x[2 * i + 1] == 2 * row && batch.y[i] == 3 * row;
  }
  return result;
}

TEST(Prefetched, ReturnsTheSameBatches) {
  const Numbers numbers(1000);
  const Prefetched data(numbers);
  EXPECT_EQ(data.size(), 1000);
  EXPECT_EQ(data.feature_shape(), Shape{2});
  EXPECT_EQ(data.target_shape(), Shape{});
  for (const Index batch_size : {1, 32, 300, 1000}) {
    for (const std::optional<std::uint64_t> seed : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(3)}) {
      Index samples = 0;
      for (const Batch& batch : batches(data, {.batch_size = batch_size, .shuffle_seed = seed})) {
        ASSERT_TRUE(right(batch)) << batch_size;
        samples += batch.size;
      }
      EXPECT_EQ(samples, 1000);
    }
  }
}

/// Waits until the thread has gathered `count` rows.
void wait_for(const Numbers& numbers, Index count) {
  while (numbers.elsewhere < count) std::this_thread::yield();
}

TEST(Prefetched, GathersPrefetchedRowsInTheThread) {
  const Numbers numbers(100);
  const Prefetched data(numbers);
  const std::vector<Index> rows{7, 3, 99, 50};
  data.prefetch(rows);
  wait_for(numbers, 4);
  Tensor x({4, 2}), y(Shape{4});
  data.gather(rows, x, y);
  EXPECT_EQ(y, Tensor::vector({21, 9, 297, 150}));
  EXPECT_EQ(numbers.gathered, 4) << "none of them twice";
}

TEST(Prefetched, GathersTheFollowingRowsAfterSequentialOnes) {
  const Numbers numbers(8);
  const Prefetched data(numbers);
  Tensor x({4, 2}), y(Shape{4});
  const std::vector<Index> first{0, 1, 2, 3}, second{4, 5, 6, 7};
  data.gather(first, x, y);
  wait_for(numbers, 4);
  data.gather(second, x, y);
  EXPECT_EQ(y, Tensor::vector({12, 15, 18, 21}));
  EXPECT_EQ(numbers.gathered, 8);
}

TEST(Prefetched, DiscardsRowsThatAreNeverRequested) {
  const Numbers numbers(5000);
  const Prefetched data(numbers);
  std::vector<Index> rows(5000);
  std::iota(rows.begin(), rows.end(), Index{0});
  for (std::size_t first = 0; first < 5000; first += 250) data.prefetch(std::span(rows).subspan(first, 250));
  Tensor x({5000, 2}), y(Shape{5000});
  data.gather(rows, x, y);
  for (Index i = 0; i < 5000; ++i) ASSERT_EQ(y[i], static_cast<Real>(3 * i));
}

TEST(Prefetched, ThrowsErrorsToTheCallerWhoRequestsTheRow) {
  const Numbers numbers(100, 5);
  const Prefetched data(numbers);
  const std::vector<Index> rows{4, 5, 6}, good{6, 4};
  Tensor x({3, 2}), y(Shape{3});
  for (int i = 0; i < 2; ++i) {
    data.prefetch(rows);
    wait_for(numbers, 2 * (i + 1));
    EXPECT_EQ(error_of<ValueError>([&] { data.gather(rows, x, y); }), "row 5 is broken");
    x.resize({2, 2}), y.resize({2});
    data.gather(good, x, y);
    EXPECT_EQ(y, Tensor::vector({18, 12}));
    x.resize({3, 2}), y.resize({3});
  }
  const std::vector<Index> beyond{100, -1, 3};
  data.prefetch(beyond);
  EXPECT_EQ(error_of<ValueError>([&] { data.gather(beyond, x, y); }),
            "Prefetched: row 100 is out of range; there are 100 rows");
}

TEST(Prefetched, CanBeUsedBySeveralThreads) {
  const Numbers numbers(600);
  const Prefetched data(numbers);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
          for (const Batch& batch : batches(data, {.batch_size = 20, .shuffle_seed = t / 2, .epoch = epoch})) {
            wrong += right(batch) ? 0 : 1;
          }
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Prefetched, AllocatesNothingPerBatch) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const Numbers numbers(1000);
  const Prefetched data(numbers);
  Batcher batcher(data, {.batch_size = 32, .shuffle_seed = 1});
  while (batcher.next() != nullptr) {
  }
  batcher.start_epoch(1);
  const testing::AllocationCounter counter;
  while (batcher.next() != nullptr) {
  }
  EXPECT_EQ(counter.count(), 0);
}

TEST(Prefetched, AcceptsAnEmptyDataset) {
  const Numbers none(0);
  const Prefetched data(none);
  const std::vector<Index> rows{0};
  data.prefetch(rows);
  Tensor x({0, 2}), y({0});
  data.gather({}, x, y);
  EXPECT_EQ(none.gathered, 0);
}

}  // namespace
}  // namespace cornu
