#include "cornu/datasets/prefetched.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "cornu/core/error.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

/// Blobs with a delay for each sample, as from a disk. Counts the samples gathered by another thread than the first.
struct Slow {
  TensorDataset data = testing::blobs(64);
  Index broken = -1;
  std::thread::id home = std::this_thread::get_id();
  mutable std::atomic<Index> elsewhere = 0;

  explicit Slow(Index broken_row = -1) : broken(broken_row) {}
  Index size() const { return data.size(); }
  Shape feature_shape() const { return data.feature_shape(); }
  void gather(std::span<const Index> rows, View x, View y) const {
    std::this_thread::sleep_for(std::chrono::microseconds(100 * rows.size()));
    for (const Index row : rows) require<FileError>(row != broken, "sample {} cannot be read", row);
    data.gather(rows, x, y);
    if (std::this_thread::get_id() != home) elsewhere += std::ssize(rows);
  }
};

std::vector<Tensor> trained_on_threads(DatasetRef data, Index threads, bool shuffle) {
  Sequential model = testing::classifier();
  model.fit(data, {.batch_size = 16,
                   .epochs = 3,
                   .verbose = Verbose::silent,
                   .validation_split = 0.25,
                   .shuffle = shuffle,
                   .threads = threads,
                   .shard_size = 8});
  return model.get_weights();
}

TEST(PrefetchedInFit, GivesTheSameBits) {
  const Slow slow;
  const Prefetched data(slow);
  for (const bool shuffle : {false, true}) {
    for (const Index threads : {1, 2})
      EXPECT_EQ(trained_on_threads(data, threads, shuffle), trained_on_threads(slow.data, 1, shuffle));
  }
  EXPECT_GT(slow.elsewhere, 0);
}

TEST(PrefetchedInFit, PropagatesErrors) {
  const Slow slow(40);
  const Prefetched data(slow);
  Sequential model = testing::classifier();
  testing::expect_error<FileError>(
      [&] { model.fit(data, {.batch_size = 16, .verbose = Verbose::silent, .shuffle = false, .threads = 1}); },
      "fit, epoch 1 of 1, batch 3 of 4: sample 40 cannot be read");
}

}  // namespace
}  // namespace cornu
