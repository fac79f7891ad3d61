#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/tests/models/support.h"

// Copies and moves of whole models.

namespace cornu {
namespace {

using testing::blobs;
using testing::classifier;
using testing::normal;

const FitOptions two_epochs{.batch_size = 8, .epochs = 2, .verbose = Verbose::silent};

Sequential with_momentum() { return classifier(SGD{.learning_rate = 0.05, .momentum = 0.9}); }

TEST(Sequential, CopyingLeavesTheOriginalUntouched) {
  const TensorDataset data = blobs(24);
  Sequential original = with_momentum();
  original.fit(data, two_epochs);
  const std::vector<Tensor> weights = original.get_weights();
  const std::vector<Tensor> state(original.optimizer().state().begin(), original.optimizer().state().end());
  Sequential copy = original;
  copy.fit(data, two_epochs);
  copy.add(Dense{2});
  EXPECT_NE(copy.get_weights()[0], weights[0]);
  EXPECT_EQ(original.get_weights(), weights);
  EXPECT_EQ(original.layer_count(), 3);
  EXPECT_EQ(original.optimizer().iterations(), 6);
  EXPECT_TRUE(std::equal(state.begin(), state.end(), original.optimizer().state().begin()));
}

TEST(Sequential, ACopyOutlivesItsOriginal) {
  const TensorDataset data = blobs(24);
  auto original = std::make_unique<Sequential>(with_momentum());
  original->fit(data, two_epochs);
  Sequential copy = *original;
  const Tensor before = original->predict(data.x());
  original.reset();
  EXPECT_EQ(copy.predict(data.x()), before);
  copy.fit(data, two_epochs);
  EXPECT_EQ(copy.optimizer().iterations(), 12);
}

TEST(Sequential, ACopyOfATrainedModelContinuesWithTheSameBits) {
  const TensorDataset data = blobs(24);
  Sequential original{Input{2}, Dense{8, relu}, Dropout{0.3}, Dense{3}, Softmax{}};
  original.compile({.optimizer = SGD{.momentum = 0.9}, .loss = SparseCategoricalCrossentropy{}});
  original.fit(data, two_epochs);
  original.train_on_batch(data.x(), data.y());
  Sequential copy = original;
  for (Sequential* model : {&original, &copy}) {
    model->train_on_batch(data.x(), data.y());
    model->fit(data, two_epochs);
  }
  EXPECT_EQ(copy.get_weights(), original.get_weights());
  EXPECT_TRUE(std::ranges::equal(copy.optimizer().state(), original.optimizer().state()));
}

TEST(Sequential, ACopysOptimizerHasItsOwnLearningRate) {
  const TensorDataset data = blobs(24);
  Sequential original = with_momentum();
  original.train_on_batch(data.x(), data.y());
  original.optimizer().set_learning_rate(0.5);
  Sequential copy = original;
  EXPECT_EQ(copy.optimizer().learning_rate(), 0.5);
  copy.optimizer().set_learning_rate(0.25);
  EXPECT_EQ(original.optimizer().learning_rate(), 0.5);
}

TEST(Sequential, BracesAroundAModelCopyIt) {
  Sequential a({Input{2}, Dense{3}}, {.name = "a", .seed = 4});
  Sequential b{a};
  EXPECT_EQ(b.name(), "a");
  EXPECT_EQ(b.layer_count(), 1);
  EXPECT_EQ(b.get_layer(0).type(), "Dense");
  EXPECT_EQ(b.get_weights(), a.get_weights());
  b.get_layer(0).as<Dense>()->kernel.value.fill(0);
  EXPECT_NE(b.get_weights(), a.get_weights());
}

TEST(Sequential, UnbuiltAndUncompiledModelsAreCopiedToo) {
  const Sequential empty, unbuilt{Dense{3}};
  Sequential a = empty, b = unbuilt;
  EXPECT_EQ(a.layer_count(), 0);
  a.add(Dense{1});
  b.build({2});
  EXPECT_EQ(empty.layer_count(), 0);
  EXPECT_FALSE(unbuilt.built());
  EXPECT_FALSE(Sequential(unbuilt).compiled());
}

TEST(Sequential, AssigningReplacesEverything) {
  const TensorDataset data = blobs(24);
  Sequential trained = with_momentum();
  trained.fit(data, two_epochs);
  Sequential model({Input{5}, Dense{2}}, {.name = "other"});
  model = trained;
  EXPECT_EQ(model.name(), "sequential");
  EXPECT_EQ(model.get_weights(), trained.get_weights());
  model.train_on_batch(data.x(), data.y());
  trained.train_on_batch(data.x(), data.y());
  EXPECT_EQ(model.get_weights(), trained.get_weights());
  const Sequential& itself = model;
  model = itself;
  EXPECT_EQ(model.get_weights(), trained.get_weights());
}

TEST(Sequential, MovingKeepsWeightsAndTraining) {
  const TensorDataset data = blobs(24);
  Sequential original = with_momentum();
  original.fit(data, two_epochs);
  Sequential reference = original;
  Sequential moved = std::move(original);
  moved.train_on_batch(data.x(), data.y());
  reference.train_on_batch(data.x(), data.y());
  EXPECT_EQ(moved.get_weights(), reference.get_weights());
  original = std::move(moved);  // a moved-from model can be assigned to
  original.train_on_batch(data.x(), data.y());
  reference.train_on_batch(data.x(), data.y());
  EXPECT_EQ(original.get_weights(), reference.get_weights());
  EXPECT_EQ(original.optimizer().iterations(), 8);
}

TEST(Sequential, ModelsLiveInVectors) {
  std::vector<Sequential> ensemble;
  for (std::uint64_t seed = 0; seed < 5; ++seed) ensemble.push_back(Sequential({Input{2}, Dense{3}}, {.seed = seed}));
  const Tensor x = normal({4, 2});
  EXPECT_NE(ensemble[0].predict(x), ensemble[4].predict(x));
  EXPECT_EQ(ensemble[2].predict(x), Sequential({Input{2}, Dense{3}}, {.seed = 2}).predict(x));
}

}  // namespace
}  // namespace cornu
