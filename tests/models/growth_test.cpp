#include <gtest/gtest.h>

#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"

// A process's memory does not grow with the work it has done; a leak would raise its peak.

namespace cornu {
namespace {

using testing::AllocationCounter;
using testing::blobs;
using testing::PeakMemory;

class Growth : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  }
};

TEST_F(Growth, TenThousandModelsLeakNothing) {
  const TensorDataset data = blobs(8);
  const auto make_and_train = [&](int models) {
    for (int i = 0; i < models; ++i) testing::classifier().train_on_batch(data.x(), data.y());
  };
  make_and_train(1);  // allocates what is created once and kept
  const PeakMemory memory;
  make_and_train(1);
  const Index of_one = memory.bytes();
  EXPECT_GT(of_one, 0);
  constexpr int models = 10'000;
  make_and_train(models);
  // Less than one byte per model. Malloc may round equal requests differently, by up to 16 bytes.
  EXPECT_LT(memory.bytes() - of_one, models);
}

TEST_F(Growth, MoreEpochsTakeOnlyTheMemoryOfTheirHistory) {
  const TensorDataset data = blobs(30);
  const auto peak = [&](Index epochs) {
    const PeakMemory memory;
    testing::classifier().fit(data, {.batch_size = 8, .epochs = epochs, .verbose = Verbose::silent});
    return memory.bytes();
  };
  peak(1);
  const Index few = peak(2), more = 1000;
  // A loss and an accuracy per epoch, in vectors that double in size next to their old memory.
  EXPECT_LE(peak(2 + more) - few, 2 * 3 * more * static_cast<Index>(sizeof(double)));
}

}  // namespace
}  // namespace cornu
