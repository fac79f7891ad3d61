#include "cornu/models/adapt.h"

#include <gtest/gtest.h>

#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

TEST(Adapt, TakesTheMeanAndVarianceOfADataset) {
  const TensorDataset data = testing::blobs(2500);  // more than two of its batches
  Normalization expected, layer;
  expected.adapt(data.x());
  adapt(layer, data);
  EXPECT_EQ(layer.count, 2500);
  for (Index j = 0; j < 2; ++j) {
    EXPECT_NEAR(layer.mean.value[j], expected.mean.value[j], 1e-6);
    EXPECT_NEAR(layer.variance.value[j], expected.variance.value[j], 1e-5);
  }
  const TensorDataset none(Tensor({0, 2}), Tensor(Shape{0}));
  EXPECT_NE(testing::error_of<ValueError>([&] { adapt(layer, none); }), "");
}

TEST(Adapt, AModelTrainsOnFeaturesOfAnyScale) {
  TensorDataset blobs = testing::blobs(300);
  Tensor x = blobs.x();
  for (Index i = 0; i < x.size(); i += 2) x[i] = x[i] * 1000 + 5000;
  const TensorDataset data(x, blobs.y());
  Normalization normalization;
  adapt(normalization, data);
  Sequential model{Input{2}, normalization, Dense{8, relu}, Dense{3, softmax}};
  model.compile(
      {.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  model.fit(data, {.epochs = 5, .verbose = Verbose::silent});
  EXPECT_GT(model.evaluate(data)["accuracy"], 0.95);
  EXPECT_EQ(model.get_layer("normalization").as<Normalization>()->mean.value, normalization.mean.value);
}

TEST(BatchNormalizationInFit, SeesTheWholeBatchAndMovesItsState) {
  // fit is asked for shards, finds that samples are mixed, and computes the same as without shards.
  const TensorDataset data = testing::blobs(90);
  std::vector<std::vector<Tensor>> weights;
  for (const Index shard_size : {90, 10}) {
    Sequential model{Input{2}, Dense{8}, BatchNormalization{.momentum = 0.5}, Dense{3, softmax}};
    model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
    model.fit(data, {.batch_size = 30, .epochs = 4, .verbose = Verbose::silent, .shard_size = shard_size});
    weights.push_back(model.get_weights());
    const auto* const layer = model.get_layer("batch_normalization").as<BatchNormalization>();
    EXPECT_NE(layer->moving_mean.value, Tensor(Shape{8}));
    EXPECT_NE(layer->moving_variance.value, Tensor::full({8}, 1));
  }
  EXPECT_EQ(weights[0], weights[1]);
}

}  // namespace
}  // namespace cornu
