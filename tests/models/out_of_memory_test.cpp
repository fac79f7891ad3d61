#include <gtest/gtest.h>

#include <functional>
#include <new>

#include "cornu/core/kernels/kernels.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"

// Every allocation of a step, of predict, evaluate and fit fails once: std::bad_alloc reaches the caller, and the model
// stays usable.

namespace cornu {
namespace {

using testing::AllocationFailure;
using testing::blobs;

class OutOfMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::AllocationCounter::available()) GTEST_SKIP() << "operator new is the sanitizer's here";
  }
};

void compile(Sequential& model, const AnyOptimizer& rule = SGD{.learning_rate = 0.1, .momentum = 0.9}) {
  model.compile({.optimizer = rule, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
}

Sequential compiled(const AnyOptimizer& rule = SGD{.learning_rate = 0.1, .momentum = 0.9}) {
  Sequential model({Input{2}, Dense{16, relu}, Dense{3}, Softmax{}}, {.seed = 4});
  compile(model, rule);
  return model;
}

/// The result of an action, in memory allocated beforehand, and the model's weights afterwards.
struct ActionResult {
  Tensor result;
  std::vector<Tensor> weights;

  bool operator==(const ActionResult&) const = default;
};
using Action = std::function<void(Sequential&, Tensor& result)>;

Tensor room() { return Tensor(Shape{50, 3}); }

ActionResult outcome(Sequential& model, const Action& action) {
  Tensor result = room();
  action(model, result);
  return {std::move(result), model.get_weights()};
}

/// Lets each allocation of the action fail in turn. Afterwards, with its first weights restored, the model must give
/// the same outcome as a new one. keeps_weights: the action either throws and changes no weight, or succeeds.
void expect_survival(const Sequential& original, const Action& action, bool keeps_weights) {
  const std::vector<Tensor> first = original.get_weights();
  Sequential fresh = original;
  const ActionResult expected = outcome(fresh, action);
  for (const auto extent : {AllocationFailure::once, AllocationFailure::onwards}) {
    bool has_failed = true;
    Index failures = 0;
    for (Index after = 0; has_failed; ++after) {
      ASSERT_LT(after, 20'000);
      Sequential model = original;
      Tensor result = room();
      bool has_thrown = false;
      {
        const AllocationFailure failure(after, extent);
        try {
          action(model, result);
        } catch (const std::bad_alloc&) {
          has_thrown = true;
        }
        has_failed = failure.has_happened();
      }
      failures += has_thrown ? 1 : 0;
      if (!has_thrown) {  // an optional allocation, such as a sorting buffer, may fail silently
        ASSERT_TRUE(model.get_weights() == expected.weights) << "after " << after;
        continue;
      }
      if (keeps_weights) {
        ASSERT_TRUE(model.get_weights() == first) << "after " << after;
      } else {
        model.set_weights(first);
        compile(model);
      }
      ASSERT_TRUE(outcome(model, action) == expected) << "after " << after;
    }
    EXPECT_GT(failures, 0);
  }
}

TEST_F(OutOfMemory, AStepFailsAndTheNextOneSucceeds) {
  const TensorDataset data = blobs(20);
  for (const AnyOptimizer& rule : {AnyOptimizer(SGD{.learning_rate = 0.1}), AnyOptimizer(Adam{})}) {
    expect_survival(
        compiled(rule),
        [&](Sequential& model, Tensor& result) {
          result[0] = static_cast<Real>(model.train_on_batch(data.x(), data.y())["loss"]);
        },
        true);
  }
}

TEST_F(OutOfMemory, PredictAndEvaluateFailAndCanBeRepeated) {
  const TensorDataset data = blobs(50);
  expect_survival(
      compiled(),
      [&](Sequential& model, Tensor& result) { copy(model.predict(data.x(), {.batch_size = 16}), overwrite(result)); },
      true);
  expect_survival(
      compiled(),
      [&](Sequential& model, Tensor& result) { result[0] = static_cast<Real>(model.evaluate(data)["accuracy"]); },
      true);
}

TEST_F(OutOfMemory, FitFailsOnAnyNumberOfThreadsAndCanBeRepeated) {
  const TensorDataset data = blobs(48), validation = blobs(20);
  for (const Index threads : {1, 2}) {
    for (const Index shard_size : {0, 8, 2}) {  // whole, at once, in turn
      expect_survival(
          compiled(),
          [&](Sequential& model, Tensor& result) {
            const History history = model.fit(data, {.batch_size = 24,
                                                     .epochs = 2,
                                                     .verbose = Verbose::silent,
                                                     .validation_data = &validation,
                                                     .shuffle = false,
                                                     .threads = threads,
                                                     .shard_size = shard_size});
            result[0] = static_cast<Real>(history["loss"].back());
          },
          false);
    }
  }
}

TEST_F(OutOfMemory, AFailedCopyOrAddLeavesAUsableModel) {
  const Sequential original = compiled();
  for (Index after = 0;; ++after) {
    Sequential model = compiled();
    bool has_failed = false;
    {
      const AllocationFailure failure(after, AllocationFailure::onwards);
      try {
        model = original;
        model.add(Dense{4});
      } catch (const std::bad_alloc&) {
      }
      has_failed = failure.has_happened();
    }
    const std::vector<Tensor> weights = model.get_weights();
    EXPECT_TRUE(weights.size() == 4 || weights.size() == 6) << after;
    EXPECT_EQ(model.predict(blobs(3).x()).shape()[0], 3) << after;
    if (!has_failed) break;
  }
}

}  // namespace
}  // namespace cornu
