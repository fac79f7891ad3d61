#include "cornu/datasets/batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/random.h"
#include "cornu/datasets/image_dataset.h"
#include "cornu/datasets/one_hot.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;

/// n samples whose feature and label are their row.
struct Rows {
  Index count;

  Index size() const { return count; }
  Shape feature_shape() const { return {1}; }
  void gather(std::span<const Index> rows, View x, View y) const {
    std::copy(rows.begin(), rows.end(), x.begin());
    std::copy(rows.begin(), rows.end(), y.begin());
  }
};

std::vector<Index> order(DatasetRef dataset, const BatchOptions& options) {
  std::vector<Index> result;
  for (const Batch& batch : batches(dataset, options)) {
    for (const Real label : batch.y) result.push_back(static_cast<Index>(label));
  }
  return result;
}

TEST(Batches, AreInDatasetOrderByDefault) {
  const Rows rows{7};
  std::vector<Index> sizes;
  for (const Batch& batch : batches(rows, {.batch_size = 3})) {
    EXPECT_EQ(batch.index, std::ssize(sizes));
    EXPECT_EQ(batch.first, 3 * batch.index);
    EXPECT_EQ(batch.x.shape(), (Shape{batch.size, 1}));
    EXPECT_EQ(batch.y.shape(), (Shape{batch.size}));
    EXPECT_EQ(batch.x[0], static_cast<Real>(batch.first));
    EXPECT_EQ(batch.rows.size(), static_cast<std::size_t>(batch.size));
    EXPECT_EQ(batch.rows[0], batch.first);
    sizes.push_back(batch.size);
  }
  EXPECT_EQ(sizes, (std::vector<Index>{3, 3, 1}));
}

TEST(Batches, Have32SamplesByDefault) {
  const Rows rows{100};
  const BatchRange range = batches(rows);
  EXPECT_EQ(range.size(), 4);
}

TEST(Batches, DropTheRemainderOnRequest) {
  const Rows rows{7};
  EXPECT_EQ(order(rows, {.batch_size = 3, .drop_remainder = true}), (std::vector<Index>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(order(rows, {.batch_size = 7, .drop_remainder = true}).size(), 7u);
  const Batcher batcher(rows, {.batch_size = 3, .drop_remainder = true});
  EXPECT_EQ(batcher.batch_count(), 2);
  EXPECT_EQ(batcher.sample_count(), 6);
}

TEST(Batches, CanBeLargerThanTheDataset) {
  const Rows rows{2};
  EXPECT_EQ(order(rows, {.batch_size = 100}), (std::vector<Index>{0, 1}));
}

TEST(Batches, AreShuffledByThePermutationOfSeedAndEpoch) {
  const Rows rows{50};
  EXPECT_EQ(order(rows, {.batch_size = 8, .shuffle_seed = 3, .epoch = 2}), Rng(3, 2).permutation(50));
}

TEST(Batches, OrderDependsOnSeedAndEpoch) {
  const Rows rows{50};
  const auto first = order(rows, {.shuffle_seed = 3});
  EXPECT_EQ(order(rows, {.shuffle_seed = 3}), first);
  EXPECT_NE(order(rows, {.shuffle_seed = 3, .epoch = 1}), first);
  EXPECT_NE(order(rows, {.shuffle_seed = 4}), first);
  EXPECT_TRUE(std::is_permutation(first.begin(), first.end(), order(rows, {}).begin()));
}

TEST(Batches, EachLoopIsTheNextEpoch) {
  const Rows rows{10};
  BatchRange range = batches(rows, {.batch_size = 4, .shuffle_seed = 1, .epoch = 5});
  for (const std::uint64_t epoch : {5, 6, 7}) {
    std::vector<Index> order;
    for (const Batch& batch : range) order.insert(order.end(), batch.rows.begin(), batch.rows.end());
    EXPECT_EQ(order, Rng(1, epoch).permutation(10));
  }
}

TEST(Batches, HaveTargetsOfTheDatasetsTargetShape) {
  const Rows rows{5};
  const OneHot encoded(rows, 5);
  for (const Batch& batch : batches(encoded, {.batch_size = 2})) EXPECT_EQ(batch.y.shape(), (Shape{batch.size, 5}));
}

TEST(Batches, RejectOptionsThatLeaveNoBatch) {
  const Rows none{0}, some{3};
  EXPECT_EQ(error_of<ValueError>([&] { batches(none); }), "batches: the dataset is empty");
  EXPECT_EQ(error_of<ValueError>([&] { batches(some, {.batch_size = 0}); }),
            "batches: batch_size is 0; it must be at least 1");
  EXPECT_EQ(error_of<ValueError>([&] { batches(some, {.batch_size = 4, .drop_remainder = true}); }),
            "batches: with batch_size 4 and drop_remainder, a dataset of 3 samples has no batch");
  EXPECT_THROW(batches(nullptr), StateError);
}

TEST(Batcher, CanStartAnyEpochAtAnyTime) {
  const Rows rows{20};
  Batcher batcher(rows, {.batch_size = 20, .shuffle_seed = 5});
  const std::vector<Index> zeroth = Rng(5, 0).permutation(20), third = Rng(5, 3).permutation(20);
  EXPECT_TRUE(std::ranges::equal(batcher.next()->rows, zeroth));
  EXPECT_EQ(batcher.next(), nullptr);
  EXPECT_EQ(batcher.next(), nullptr) << "the end stays the end";
  batcher.start_epoch(3);
  EXPECT_TRUE(std::ranges::equal(batcher.next()->rows, third));
  batcher.start_epoch(0);
  EXPECT_TRUE(std::ranges::equal(batcher.next()->rows, zeroth));
}

TEST(Batcher, ContinuesAfterAMove) {
  const Rows rows{6};
  Batcher batcher(rows, {.batch_size = 2});
  batcher.next();
  Batcher moved = std::move(batcher);
  EXPECT_EQ(moved.next()->first, 2);
  EXPECT_EQ(moved.next()->rows[1], 5);
}

/// Records the rows given to prefetch().
struct RecordsPrefetch : Rows {
  mutable std::vector<Index> prefetched{};
  void prefetch(std::span<const Index> rows) const { prefetched.insert(prefetched.end(), rows.begin(), rows.end()); }
};

TEST(Batcher, PrefetchesTheNextRowsIfShuffled) {
  const RecordsPrefetch dataset{{10}};
  const DatasetSlice slice(dataset, 0, 10);
  for (const DatasetRef seen : {DatasetRef(dataset), DatasetRef(slice)}) {
    Batcher batcher(seen, {.batch_size = 4, .shuffle_seed = 1});
    batcher.next();
    for (int batch = 1; batch < 3; ++batch) {
      const std::vector<Index> prefetched = std::exchange(dataset.prefetched, {});
      const std::span<const Index> rows = batcher.next()->rows;
      EXPECT_EQ(prefetched, std::vector<Index>(rows.begin(), rows.begin() + std::ssize(prefetched)));
      EXPECT_EQ(prefetched.size(), batch == 1 ? 4u : 2u);
    }
    EXPECT_TRUE(dataset.prefetched.empty());
  }
}

TEST(Batcher, EveryDatasetAcceptsPrefetchOfAnyRows) {
  const ImageDataset images(std::vector<std::uint8_t>(7 * 784), std::vector<std::uint8_t>(7));
  const TensorDataset tensors(Tensor({7, 3}), Tensor({7, 2}));
  const DatasetSlice slice(images, 2, 3);
  const OneHot encoded(images, 10);
  const std::vector<Index> rows = {0, 6, 7, -1, std::numeric_limits<Index>::max(), std::numeric_limits<Index>::min()};
  for (const DatasetRef dataset : {DatasetRef(images), DatasetRef(tensors), DatasetRef(slice), DatasetRef(encoded)}) {
    dataset.prefetch(rows);
    dataset.prefetch({});
  }
}

TEST(Batcher, AllocatesNothingAfterTheFirstBatch) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const ImageDataset images(std::vector<std::uint8_t>(70 * 784), std::vector<std::uint8_t>(70));
  const auto [train, validation] = split(images, 0.1);
  const OneHot encoded(train, 10);
  for (const DatasetRef dataset : {DatasetRef(images), DatasetRef(train), DatasetRef(encoded)}) {
    Batcher batcher(dataset, {.batch_size = 32, .shuffle_seed = 1});
    batcher.next();
    const testing::AllocationCounter counter;
    Index samples = 0;
    for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
      batcher.start_epoch(epoch);
      while (const Batch* batch = batcher.next()) samples += batch->size;
    }
    EXPECT_EQ(counter.count(), 0);
    EXPECT_EQ(samples, 3 * dataset.size());
  }
}

TEST(AllocationCounter, CountsTensorsAndVectors) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const testing::AllocationCounter counter;
  const Tensor tensor({3});
  EXPECT_EQ(counter.count(), 1);
  const std::vector<int> numbers(5);
  EXPECT_EQ(counter.count(), 2);
}

}  // namespace
}  // namespace cornu
