#include <gtest/gtest.h>

#include <optional>

#include "cornu/datasets/image_dataset.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/inputs.h"
#include "cornu/layers/merging/concatenate.h"
#include "cornu/layers/merging/residual.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/normalization/normalization.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"

// Heap allocations of a warm model.

namespace cornu {
namespace {

using testing::AllocationCounter;
using testing::allocations_of;
using testing::blobs;

class Allocation : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  }
};

Sequential model_with(double momentum) {
  Sequential model{Input{2}, Dense{16, relu}, Dropout{0.3}, Sequential{Dense{8, relu}}, Dense{3}, Softmax{}};
  model.compile({.optimizer = SGD{.learning_rate = 0.1, .momentum = momentum},
                 .loss = SparseCategoricalCrossentropy{},
                 .metrics = {Accuracy{}, SparseCategoricalCrossentropy{}}});
  return model;
}

TEST_F(Allocation, AWarmTrainOnBatchAllocatesNothing) {
  const TensorDataset data = blobs(32);
  for (const double momentum : {0.0, 0.9}) {
    Sequential model = model_with(momentum);
    for (int i = 0; i < 3; ++i) model.train_on_batch(data.x(), data.y());
    const AllocationCounter counter;
    for (int i = 0; i < 5; ++i) model.train_on_batch(data.x(), data.y());
    EXPECT_EQ(counter.count(), 0) << momentum;
    EXPECT_EQ(model.optimizer().iterations(), 8);
  }
}

/// By then fit has made steps with and without sharing, whichever of them it keeps.
constexpr Index warm_steps = 8;

/// Number of epochs with this many steps such that the last epoch is warm.
Index epochs_of(Index steps) { return (warm_steps + steps - 1) / steps + 1; }

/// Counts allocations from the last epoch's first batch to its last.
struct WarmBatches {
  std::optional<AllocationCounter> counter{};
  Index allocations = 0, batches = 0;

  void on_train_batch_begin(Run& run, Index batch, Logs&) {
    if (run.model.optimizer().iterations() >= warm_steps && batch == 0) counter.emplace();
  }
  void on_train_batch_end(Run&, Index, Logs&) {
    if (counter) allocations = counter->count();
    if (counter) ++batches;
  }
};

TEST_F(Allocation, WarmBatchesInsideFitAllocateNothing) {
  const TensorDataset data = blobs(90);
  const Tensor sample_weight = Tensor::full(Shape{90}, 0.5);
  for (const double momentum : {0.0, 0.9}) {
    WarmBatches watch;
    model_with(momentum).fit(data, {.batch_size = 16,  // the last batch of an epoch is smaller
                                    .epochs = epochs_of(6),
                                    .verbose = Verbose::silent,
                                    .callbacks = {&watch},
                                    .class_weight = {{1, 2}},
                                    .sample_weight = sample_weight});
    EXPECT_EQ(watch.batches, 6);
    EXPECT_EQ(watch.allocations, 0) << momentum;
  }
}

TEST_F(Allocation, WarmShardsOnAnyNumberOfThreadsAllocateNothing) {
  const TensorDataset data = blobs(90);
  for (const Index threads : {1, 2, 3}) {
    for (const Index shard_size : {3, 10}) {  // in turn and at once
      WarmBatches watch;
      model_with(0.9).fit(data, {.batch_size = 30,
                                 .epochs = epochs_of(3),
                                 .verbose = Verbose::silent,
                                 .callbacks = {&watch},
                                 .class_weight = {{1, 2}},
                                 .threads = threads,
                                 .shard_size = shard_size});
      EXPECT_EQ(watch.batches, 3);
      EXPECT_EQ(watch.allocations, 0) << threads << " threads, shards of " << shard_size;
    }
  }
}

TEST_F(Allocation, AWarmStepOfConvolutionsAllocatesNothing) {
  Tensor images({40, 8, 8, 1});
  Rng(1).fill_normal(images, 0, 1);
  const TensorDataset data(images, testing::labels(40));
  for (const Index threads : {1, 2}) {
    Sequential model{
        Input{8, 8, 1}, Conv2D{.filters = 6, .kernel_size = {3, 3}, .padding = Padding::same, .activation = relu},
        MaxPooling2D{}, Conv2D{.filters = 8, .kernel_size = {3, 3}, .activation = relu},
        Flatten{},      Dense{3},
        Softmax{}};
    model.compile({.optimizer = Adam{}, .loss = SparseCategoricalCrossentropy{}});
    WarmBatches watch;
    model.fit(data, {.batch_size = 20,
                     .epochs = epochs_of(2),
                     .verbose = Verbose::silent,
                     .callbacks = {&watch},
                     .threads = threads,
                     .shard_size = 10});
    EXPECT_EQ(watch.batches, 2);
    EXPECT_EQ(watch.allocations, 0) << threads << " threads";
  }
}

/// A workload of bench/: its network and its batch, or a batch that is divided into shards in the same way.
struct Workload {
  const char* name;
  Sequential model;
  Index batch;
};

std::vector<Workload> workloads() {
  const Sequential mlp{Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10, softmax}};
  std::vector<Workload> result{
      {"W1", mlp, 32},
      {"W2", mlp, 128},
      {"W1 in shards", {Input{28, 28}, Flatten{}, Dense{128, relu}, Dense{10, softmax}}, 1000},
      {"W3", {Input{28, 28}, Flatten{}, Dense{1024, relu}, Dense{1024, relu}, Dense{10, softmax}}, 256},
      {"W4", {Input{28, 28}, Flatten{}, Dense{10, softmax}}, 2000},
      {"W5a",
       {Input{28, 28}, Reshape{28, 28, 1},
        Conv2D{.filters = 6, .kernel_size = 5, .padding = Padding::same, .activation = relu}, MaxPooling2D{},
        Conv2D{.filters = 16, .kernel_size = 5, .activation = relu}, MaxPooling2D{}, Flatten{}, Dense{120, relu},
        Dense{84, relu}, Dense{10, softmax}},
       64},
      {"W5b",
       {Input{28, 28}, Reshape{28, 28, 1}, Conv2D{.filters = 32, .kernel_size = 3, .activation = relu},
        Conv2D{.filters = 64, .kernel_size = 3, .activation = relu}, MaxPooling2D{}, Flatten{}, Dense{128, relu},
        Dense{10, softmax}},
       64}};
  for (Workload& workload : result) {
    workload.model.compile(
        {.optimizer = SGD{.learning_rate = 0.01}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  }
  return result;
}

/// Images of every shade, with classes 0, 1, ..., 9, 0, ...
ImageDataset images(Index count) {
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(count * 28 * 28)), labels(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * i % 251);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::uint8_t>(i % 10);
  return {std::move(pixels), std::move(labels)};
}

TEST_F(Allocation, AWarmStepOfEachWorkloadAllocatesNothing) {
  for (const auto& [name, model, batch] : workloads()) {
    const ImageDataset data = images(2 * batch);
    for (const Index threads : {1, 2, 3}) {
      WarmBatches watch;
      Sequential(model).fit(data, {.batch_size = batch,
                                   .epochs = epochs_of(2),
                                   .verbose = Verbose::silent,
                                   .callbacks = {&watch},
                                   .threads = threads});
      EXPECT_EQ(watch.batches, 2);
      EXPECT_EQ(watch.allocations, 0) << name << " on " << threads << " threads";
    }
  }
}

TEST_F(Allocation, AWarmForwardPassOfEachWorkloadAllocatesNothing) {
  for (const auto& [name, model, batch] : workloads()) {
    const Tensor x = testing::normal({batch, 28, 28});
    Tape tape(Mode::inference);
    for (const Index rows : {Index{1}, batch}) {
      const auto pass = [&, &network = model] {  // clang 14 cannot capture structured bindings
        tape.clear();
        return network.forward(tape.input(ConstView(x.data(), {rows, 28, 28}))).size();
      };
      for (int i = 0; i < 2; ++i) pass();
      const AllocationCounter counter;
      EXPECT_EQ(pass(), rows * 10);
      EXPECT_EQ(counter.count(), 0) << name << ", " << rows << " at a time";
    }
  }
}

/// Two inputs, a skip connection, a layer that is called twice, penalties and constraints.
struct BranchedNet {
  AnyLayer shared = Dense{.units = 4,
                          .activation = tanh,
                          .kernel_regularizer = L1L2{.l1 = 0.01, .l2 = 0.01},
                          .activity_regularizer = L2{},
                          .kernel_constraint = MaxNorm{},
                          .bias_constraint = NonNeg{}};
  AnyLayer branches = Concatenate{{Residual{Dense{8, relu}}}, {}, {Dense{2}}}, head = Dense{3, softmax};

  Var forward(Var a, Var b) const { return head(branches(concatenate({shared(a), shared(b)}))); }
  NamedLayers layers() { return {{"shared", &shared}, {"branches", &branches}, {"head", &head}}; }
};

TEST_F(Allocation, AWarmStepOfAStructThatOwnsLayersAllocatesNothing) {
  const TensorDataset data(testing::normal({60, 6}), testing::labels(60));
  for (const Index threads : {1, 2}) {
    for (const double momentum : {0.0, 0.9}) {
      Sequential model{Inputs{{3}, {3}}, BranchedNet{}};
      model.compile({.optimizer = SGD{.momentum = momentum}, .loss = SparseCategoricalCrossentropy{}});
      for (const Index shard_size : {2, 10}) {
        WarmBatches watch;
        model.compile({.optimizer = SGD{.momentum = momentum}, .loss = SparseCategoricalCrossentropy{}});
        model.fit(data, {.batch_size = 20,
                         .epochs = epochs_of(3),
                         .verbose = Verbose::silent,
                         .callbacks = {&watch},
                         .threads = threads,
                         .shard_size = shard_size});
        EXPECT_EQ(watch.batches, 3);
        EXPECT_EQ(watch.allocations, 0) << threads << " threads, shards of " << shard_size;
      }
      for (int i = 0; i < 3; ++i) model.predict(data.x());
      const AllocationCounter counter;
      const Tensor y = model.predict(data.x());
      EXPECT_EQ(counter.count(), 1);
    }
  }
}

TEST_F(Allocation, AWarmStepOfNormalisingLayersAllocatesNothing) {
  const TensorDataset data = blobs(90);
  Sequential model{Input{2}, Normalization{},      Dense{8}, BatchNormalization{},
                   GELU{},   LayerNormalization{}, Dense{3}, Softmax{}};
  model.compile({.optimizer = Adam{}, .loss = SparseCategoricalCrossentropy{}});
  WarmBatches watch;
  model.fit(data, {.batch_size = 30, .epochs = epochs_of(3), .verbose = Verbose::silent, .callbacks = {&watch}});
  EXPECT_EQ(watch.batches, 3);
  EXPECT_EQ(watch.allocations, 0);
}

TEST_F(Allocation, AWarmForwardOnOneTapeAllocatesNothing) {
  const Sequential model = model_with(0);
  const Tensor x = blobs(32).x();
  Tape tape(Mode::inference);
  const auto pass = [&] {
    tape.clear();
    return model.forward(tape.input(x)).size();
  };
  for (int i = 0; i < 3; ++i) pass();
  const AllocationCounter counter;
  Index total = 0;
  for (int i = 0; i < 5; ++i) total += pass();
  EXPECT_EQ(counter.count(), 0);
  EXPECT_EQ(total, 5 * 32 * 3);
}

TEST_F(Allocation, AWarmPredictAllocatesItsResultAndNothingElse) {
  const Sequential model = model_with(0);
  const Tensor x = blobs(100).x();
  for (const Index batch_size : {100, 32, 7}) {
    for (int i = 0; i < 3; ++i) model.predict(x, {.batch_size = batch_size});
    const AllocationCounter counter;
    const Tensor y = model.predict(x, {.batch_size = batch_size});
    EXPECT_EQ(counter.count(), 1) << batch_size;
    EXPECT_EQ(y.shape(), Shape({100, 3}));
  }
}

TEST_F(Allocation, EvaluateAllocatesAtItsStartAndNotWithEveryBatch) {
  // The order of the samples, one batch, copies of the metrics, the names in the logs.
  const Sequential model = model_with(0);
  const TensorDataset few = blobs(64), many = blobs(640);
  const auto evaluate = [&](const TensorDataset& data) {
    return allocations_of([&] { model.evaluate(data, {.batch_size = 32}); });
  };
  const Index of_few = evaluate(few);
  EXPECT_GT(of_few, 0);
  EXPECT_EQ(evaluate(many), of_few);
}

TEST_F(Allocation, PredictingADatasetAllocatesAtItsStartAndNotWithEveryBatch) {
  // The result, the order of the samples, one batch: x and y.
  const Sequential model = model_with(0);
  const TensorDataset few = blobs(64), many = blobs(640);
  EXPECT_EQ(allocations_of([&] { model.predict(few, {.batch_size = 32}); }), 4);
  EXPECT_EQ(allocations_of([&] { model.predict(many, {.batch_size = 32}); }), 4);
}

}  // namespace
}  // namespace cornu
