#include <gtest/gtest.h>

#include "cornu/layers/regularization/dropout.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"

// A batch is the sum of its shards: the weights equal those of the whole batch up to rounding, and are the same bits
// for any number of threads.

namespace cornu {
namespace {

using testing::blobs;
using testing::expect_error;

struct FitResult {
  std::vector<Tensor> weights;
  std::vector<double> loss, accuracy;
};

FitResult trained_in_shards(Sequential model, FitOptions options, Index threads, Index shard_size) {
  const TensorDataset data = blobs(100);
  options.threads = threads;
  options.shard_size = shard_size;
  options.verbose = Verbose::silent;
  const History history = model.fit(data, options);
  return {model.get_weights(), history["loss"], history["accuracy"]};
}

Sequential dropping(AnyOptimizer rule) {
  Sequential model{Input{2}, Dense{16, relu}, Dropout{0.3}, Dense{3, sigmoid, false}, Softmax{}};
  model.compile({.optimizer = std::move(rule), .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  return model;
}

TEST(Shards, GiveTheSameBitsOnAnyNumberOfThreads) {
  for (const SGD& rule : {SGD{.learning_rate = 0.1}, SGD{.learning_rate = 0.1, .momentum = 0.9},
                          SGD{.learning_rate = 0.1, .global_clipnorm = 0.1}}) {
    const Sequential model = dropping(rule);
    for (const Index shard_size : {2, 7, 16}) {  // 40 and 20 at once or in turn
      const FitOptions options{.batch_size = 40, .epochs = 3};
      const FitResult one = trained_in_shards(model, options, 1, shard_size);
      for (const Index threads : {0, 2, 3}) {
        const FitResult several = trained_in_shards(model, options, threads, shard_size);
        EXPECT_EQ(one.weights, several.weights) << shard_size << " on " << threads;
        EXPECT_EQ(one.loss, several.loss);
        EXPECT_EQ(one.accuracy, several.accuracy);
      }
    }
  }
}

TEST(Shards, TrainLikeTheWholeBatch) {
  const double tolerance = sizeof(Real) == 4 ? 1e-4 : 1e-12;
  FitOptions options{.batch_size = 40, .epochs = 2, .class_weight = {{1, 3}}};
  options.sample_weight = Tensor(Shape{100});
  Rng(1).fill_uniform(options.sample_weight, 0, 2);
  const std::vector<AnyLoss> losses{SparseCategoricalCrossentropy{},
                                    SparseCategoricalCrossentropy{.label_smoothing = 0.1}};
  for (const AnyLoss& loss : losses) {
    Sequential model = testing::classifier();
    model.compile({.optimizer = SGD{.learning_rate = 0.1, .momentum = 0.9}, .loss = loss, .metrics = {Accuracy{}}});
    const FitResult whole = trained_in_shards(model, options, 1, 40);
    for (const Index shard_size : {2, 7, 16}) {
      const FitResult parts = trained_in_shards(model, options, 2, shard_size);
      EXPECT_EQ(parts.accuracy, whole.accuracy);
      for (std::size_t i = 0; i < whole.loss.size(); ++i) EXPECT_NEAR(parts.loss[i], whole.loss[i], tolerance);
      for (std::size_t i = 0; i < whole.weights.size(); ++i) {
        for (Index k = 0; k < whole.weights[i].size(); ++k) {
          EXPECT_NEAR(parts.weights[i][k], whole.weights[i][k], tolerance);
        }
      }
    }
  }
}

/// Subtracts the batch's mean, so a sample's output depends on the others.
struct Centred {
  Var forward(Var x) const { return x - mean(x, 0, {.keepdims = true}); }
};

/// Gradients so large that, with shards in turn, their products accumulate directly into the sum.
TEST(Shards, OfAModelWithLargeGradientsGiveTheSameBitsOnAnyNumberOfThreads) {
  const double tolerance = sizeof(Real) == 4 ? 1e-4 : 1e-12;
  const TensorDataset data(testing::normal({96, 128}), testing::labels(96));
  for (const AnyOptimizer& rule :
       {AnyOptimizer(SGD{.learning_rate = 0.1}), AnyOptimizer(SGD{.learning_rate = 0.1, .global_clipnorm = 0.1}),
        AnyOptimizer(Adam{})}) {
    const auto weights = [&](Index threads, Index shard_size) {
      Sequential model({Input{128}, Dense{150, relu}, Dropout{0}, Dense{3, softmax}}, {.seed = 3});
      model.compile({.optimizer = rule, .loss = SparseCategoricalCrossentropy{}});
      model.fit(
          data,
          {.batch_size = 48, .epochs = 2, .verbose = Verbose::silent, .threads = threads, .shard_size = shard_size});
      return model.get_weights();
    };
    const std::vector<Tensor> whole = weights(1, 48), in_turn = weights(1, 4), at_once = weights(1, 12);
    for (const Index threads : {2, 3}) EXPECT_EQ(weights(threads, 4), in_turn) << threads;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      for (Index k = 0; k < whole[i].size(); ++k) {
        ASSERT_NEAR(in_turn[i][k], whole[i][k], tolerance);
        ASSERT_NEAR(at_once[i][k], whole[i][k], tolerance);
      }
    }
  }
}

/// Counts its passes in an untrained parameter.
struct CountedPasses {
  Parameter count{.value = Tensor(Shape{1}), .trainable = false};

  NamedParameters parameters() { return {{"count", &count}}; }
  Var forward(Var x) const {
    if (x.tape().training()) x.tape().record_update(count, x.tape().parameter(count) + 1);
    return x;
  }
};

TEST(Shards, ApplyTheStateUpdatesOfEachShard) {
  const TensorDataset data = blobs(80);
  for (const Index shard_size : {40, 20, 2}) {  // whole, at once, in turn
    Sequential model{Input{2}, CountedPasses{}, Dense{3}, Softmax{}};
    model.compile({.loss = SparseCategoricalCrossentropy{}});
    model.fit(data, {.batch_size = 40, .epochs = 3, .verbose = Verbose::silent, .shard_size = shard_size});
    EXPECT_EQ(model.get_weights().front()[0], 6) << shard_size;
  }
}

/// A large batch on one thread, which is divided into shards by default.
TEST(Shards, OfALargeBatchOnOneThreadTakeLessMemoryThanTheBatch) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "operator new is the sanitizer's here";
  const TensorDataset data(testing::normal({4000, 200}), testing::labels(4000));
  const auto peak = [&](Index shard_size, std::vector<Tensor>& weights) {
    Sequential model({Input{200}, Dense{100, relu}, Dense{3, softmax}}, {.seed = 3});
    model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
    const testing::PeakMemory memory;
    model.fit(data,
              {.batch_size = 4000, .epochs = 2, .verbose = Verbose::silent, .threads = 1, .shard_size = shard_size});
    const Index bytes = memory.bytes();
    weights = model.get_weights();
    return bytes;
  };
  std::vector<Tensor> parts, whole;
  EXPECT_LT(2 * peak(0, parts), peak(4000, whole));
  EXPECT_FALSE(parts == whole) << "it was not divided";
  for (Index k = 0; k < whole[0].size(); ++k) ASSERT_NEAR(parts[0][k], whole[0][k], 1e-5);
}

TEST(Shards, AreNotUsedIfTheModelMixesSamples) {
  Sequential model{Input{2}, Dense{8, relu}, Centred{}, Dense{3}, Softmax{}};
  model.compile(
      {.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  const FitOptions options{.batch_size = 40, .epochs = 2};
  const FitResult whole = trained_in_shards(model, options, 1, 40);
  for (const Index shard_size : {2, 16})
    EXPECT_EQ(trained_in_shards(model, options, 2, shard_size).weights, whole.weights);
}

TEST(Shards, AreUsedIfTheLossIsKnownToBeAMean) {
  const auto weights_of = [](const AnyLoss& loss, Index shard_size) {
    Sequential model = testing::line_model();
    model.compile({.optimizer = SGD{.learning_rate = 0.01}, .loss = loss});
    const Tensor x = testing::normal({20, 1}), y = testing::normal({20, 1}, 6);
    model.fit(x, y,
              {.batch_size = 20, .epochs = 2, .verbose = Verbose::silent, .threads = 2, .shard_size = shard_size});
    return model.get_weights();
  };
  const auto mean_of_all = [](Var p, Var y) { return mean(square(p - y)); };  // a scalar: it may mix the samples
  const auto sum_of_all = [](Var p, Var y) { return sum(square(p - y)); };
  const auto one_each = [](Var p, Var y) { return mean(square(p - y), -1); };
  EXPECT_EQ(weights_of(mean_of_all, 3), weights_of(mean_of_all, 20));
  EXPECT_EQ(weights_of(sum_of_all, 3), weights_of(sum_of_all, 20));
  const double tolerance = sizeof(Real) == 4 ? 1e-5 : 1e-13;
  for (const AnyLoss& loss : {AnyLoss(one_each), AnyLoss(MeanSquaredError{})}) {
    const std::vector<Tensor> parts = weights_of(loss, 3), whole = weights_of(loss, 20);
    EXPECT_NE(parts, whole) << "they were summed in another order";
    EXPECT_NEAR(parts[0][0], whole[0][0], tolerance);
  }
}

TEST(Shards, AreNamedInErrors) {
  const TensorDataset good = blobs(40);
  Tensor y = good.y();
  y[33] = 7;
  for (const Index threads : {1, 2}) {
    Sequential model = testing::classifier();
    const std::vector<Tensor> before = model.get_weights();
    const FitOptions options{
        .batch_size = 40, .verbose = Verbose::silent, .shuffle = false, .threads = threads, .shard_size = 16};
    expect_error<ValueError>([&] { model.fit(good.x(), y, options); },
                             "fit, epoch 1 of 1, batch 1 of 1: the shard starting at sample 32: "
                             "sparse_categorical_crossentropy: label 7 in row 1; labels are whole numbers from 0 to 2");
    EXPECT_EQ(model.get_weights(), before);
  }
}

TEST(Shards, FindWhereTheLossBecameNonFinite) {
  const TensorDataset good = blobs(40);
  Tensor x = good.x();
  x[2 * 33] = std::numeric_limits<Real>::infinity();
  for (const Index shard_size : {3, 16}) {
    Sequential model = testing::classifier();
    const std::vector<Tensor> before = model.get_weights();
    const FitOptions options{
        .batch_size = 40, .verbose = Verbose::silent, .shuffle = false, .threads = 2, .shard_size = shard_size};
    expect_error<NonFiniteError>([&] { model.fit(x, good.y(), options); },
                                 "sequential: fit: the loss is nan in epoch 1 of 1, batch 1 of 1: the input itself is "
                                 "not finite");
    EXPECT_EQ(model.get_weights(), before);
  }
}

TEST(Shards, RefuseInvalidOptions) {
  Sequential model = testing::classifier();
  const TensorDataset data = blobs(10);
  expect_error<ValueError>([&] { model.fit(data, {.threads = -1}); }, "fit: threads is -1; it must be at least 0");
  expect_error<ValueError>(
      [&] { model.fit(data, {.shard_size = -1}); },
      "fit: shard_size is -1; it must be 0 or at least 2: with one sample per shard, fit cannot detect "
      "that a model mixes samples");
}

}  // namespace
}  // namespace cornu
