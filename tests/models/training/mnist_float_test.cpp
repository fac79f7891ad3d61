#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "cornu/datasets/digits/digits.h"
#include "cornu/datasets/mnist.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/optim/lamb.h"
#include "cornu/optim/schedule.h"
#include "cornu/tests/models/support.h"

// The accuracy of the classifier of examples/mnist.cpp on the real MNIST, if the data are available.

namespace cornu {
namespace {

constexpr bool is_quick =
#ifdef NDEBUG
    true;
#else
    false;
#endif

class MnistClassifier : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!is_quick) GTEST_SKIP() << "takes too long in a build without optimisation";
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char* const data = std::getenv("CORNU_DATA");
    if (data == nullptr) GTEST_SKIP() << "CORNU_DATA is not set; it names the folder that contains \"mnist\"";
    directory = std::filesystem::path(data) / "mnist";
    if (!exists(directory)) GTEST_SKIP() << directory << " does not exist";
  }

  /// The accuracy on `test` after the example's default five epochs on `train`.
  static double accuracy(DatasetRef train, DatasetRef test, std::uint64_t seed) {
    Sequential model({Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10}, Softmax{}}, {.seed = seed});
    model.compile(
        {.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
    model.fit(train, {.batch_size = 32, .epochs = 5, .verbose = Verbose::silent, .seed = seed});
    return model.evaluate(test)["accuracy"];
  }

  std::filesystem::path directory;
};

TEST_F(MnistClassifier, ReachesItsAccuracyWithEachOfFiveSeeds) {
  const auto [train, test] = datasets::mnist({.directory = directory, .download = false});
  double total = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const double reached = accuracy(train, test, seed);
    EXPECT_GE(reached, 0.972) << "seed " << seed;
    RecordProperty("seed_" + std::to_string(seed), std::to_string(reached));
    total += reached;
  }
  EXPECT_GE(total / 5, 0.9745);
}

/// In 80 steps, where gradient descent diverges at the rate that the linear scaling rule gives.
TEST_F(MnistClassifier, LearnsInBatchesOf8192WithLamb) {
  const auto [train, test] = datasets::mnist({.directory = directory, .download = false});
  Sequential model({Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10}, Softmax{}}, {.seed = 4});
  const CosineDecay rate{.initial_learning_rate = 0, .decay_steps = 78, .warmup_target = 0.08, .warmup_steps = 2};
  model.compile(
      {.optimizer = Lamb{.learning_rate = rate}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  model.fit(train, {.batch_size = 8192, .epochs = 10, .verbose = Verbose::silent, .seed = 4});
  EXPECT_GE(model.evaluate(test, {.batch_size = 1000})["accuracy"], 0.97);
}

TEST_F(MnistClassifier, TrainedOnSyntheticDigitsAloneReadsRealOnes) {
  const auto [real_train, real_test] = datasets::mnist({.directory = directory, .download = false});
  const auto [train, test] = datasets::digits();
  const double reached = accuracy(train, real_test, 1);
  EXPECT_GE(reached, 0.90);
  RecordProperty("accuracy", std::to_string(reached));
}

}  // namespace
}  // namespace cornu
