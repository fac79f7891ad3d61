#include "cornu/layers/normalization/batch_normalization.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cornu/core/ops/eager.h"
#include "cornu/layers/freeze.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_passes;
using testing::run;

/// The moving mean and variance that a training pass over x records.
std::pair<Tensor, Tensor> moved(const BatchNormalization& layer, const Tensor& x) {
  Tape tape;
  const Var y = layer.forward(tape.input(x));
  std::pair<Tensor, Tensor> result;
  for (const Gradients::Update& update : tape.backward(y, Tensor(y.shape())).updates()) {
    (update.parameter == &layer.moving_mean ? result.first : result.second) = Tensor(update.value);
  }
  return result;
}

TEST(BatchNormalization, UsesTheBatchStatisticsInTraining) {
  const BatchNormalization layer = built(BatchNormalization{}, {1});
  const Tensor x({4, 1}, {1, 2, 3, 4});
  const Tensor y = run(layer, x, Mode::training);
  const double expected[] = {-1.341104451965, -0.447034817322, 0.447034817322, 1.341104451965};
  for (Index i = 0; i < 4; ++i) EXPECT_NEAR(y[i], expected[i], std::max(testing::rounding, 1e-12));
  const auto [mean, variance] = moved(layer, x);
  EXPECT_NEAR(mean[0], 0.025, testing::rounding);
  EXPECT_NEAR(variance[0], 1.0025, testing::rounding) << "biased";
}

TEST(BatchNormalization, UsesTheMovingStatisticsInInference) {
  BatchNormalization layer = built(BatchNormalization{.epsilon = 0}, {2});
  layer.gamma.value = Tensor::vector({2, 3});
  layer.beta.value = Tensor::vector({10, 20});
  layer.moving_mean.value = Tensor::vector({1, 2});
  layer.moving_variance.value = Tensor::vector({4, 16});
  EXPECT_EQ(run(layer, Tensor::matrix({{1, 2}, {3, 6}})), Tensor::matrix({{10, 20}, {12, 23}}));
  layer.scale = false;
  EXPECT_EQ(run(layer, Tensor::matrix({{1, 2}, {3, 6}})), Tensor::matrix({{10, 20}, {11, 21}}));
  layer.center = false;
  EXPECT_EQ(run(layer, Tensor::matrix({{1, 2}, {3, 6}})), Tensor::matrix({{0, 0}, {1, 1}}));
}

TEST(BatchNormalization, NormalizesEachChannelOverAllPixels) {
  const BatchNormalization layer = built(BatchNormalization{}, {2, 3, 5});
  const Tensor images = testing::normal({4, 2, 3, 5});
  Tensor rows = images;
  rows.reshape({24, 5});
  Tensor y = run(layer, images, Mode::training);
  y.reshape({24, 5});
  EXPECT_EQ(y, run(built(BatchNormalization{}, {5}), rows, Mode::training));
}

TEST(BatchNormalization, SupportsAxesOtherThanTheLast) {
  const Tensor x = testing::normal({4, 2, 3, 5});
  for (const Index axis : {1, -3, 2, -2}) {
    const BatchNormalization layer = built(BatchNormalization{.axis = axis}, {2, 3, 5});
    const bool first = axis == 1 || axis == -3;
    const Tensor moved_x = first ? transpose(x, {0, 2, 3, 1}) : transpose(x, {0, 1, 3, 2});
    const Tensor y = run(built(BatchNormalization{}, moved_x.shape().sub(1)), moved_x, Mode::training);
    EXPECT_EQ(run(layer, x, Mode::training), first ? transpose(y, {0, 3, 1, 2}) : transpose(y, {0, 1, 3, 2})) << axis;
  }
}

TEST(BatchNormalization, KeepsPrecisionFarFromZero) {
  Tensor x({3000, 5});
  for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<Real>(10000 + (i / 5 % 2 == 0 ? 1 : -1));
  BatchNormalization layer = built(BatchNormalization{.momentum = 0}, {5});
  const auto [mean, variance] = moved(layer, x);
  EXPECT_EQ(mean, Tensor::full({5}, 10000));
  EXPECT_EQ(variance, Tensor::full({5}, 1));
  layer.moving_mean.value = mean;
  layer.moving_variance.value = variance;
  for (const Mode mode : {Mode::training, Mode::inference}) {
    const Tensor y = run(layer, x, mode);
    for (Index i = 0; i < 10; ++i) EXPECT_NEAR(std::abs(y[i]), 1 / std::sqrt(1.001), testing::rounding);
  }
}

TEST(BatchNormalization, BehavesAsInInferenceIfFrozen) {
  for (const bool learns : {true, false}) {
    BatchNormalization layer = built(BatchNormalization{.center = learns, .scale = learns}, {3});
    const Tensor x = testing::normal({6, 3});
    freeze(layer);
    EXPECT_EQ(run(layer, x, Mode::training), run(layer, x));
    EXPECT_TRUE(moved(layer, x).first.empty());
    unfreeze(layer);
    EXPECT_FALSE(run(layer, x, Mode::training) == run(layer, x));
    EXPECT_FALSE(moved(layer, x).first.empty());
    EXPECT_FALSE(layer.moving_mean.trainable);
  }
}

TEST(BatchNormalization, MixesSamplesOnlyInTraining) {
  const BatchNormalization layer = built(BatchNormalization{}, {3});
  const Tensor x = testing::normal({3, 3});
  for (const Mode mode : {Mode::training, Mode::inference}) {
    Tape tape(mode);
    layer.forward(tape.samples(x));
    EXPECT_EQ(tape.mixes_samples(), mode == Mode::training);
  }
}

TEST(BatchNormalization, AnEmptyBatchUpdatesNoStatistics) {
  const BatchNormalization layer = built(BatchNormalization{}, {3});
  EXPECT_EQ(run(layer, Tensor({0, 3}), Mode::training).shape(), (Shape{0, 3}));
  EXPECT_TRUE(moved(layer, Tensor({0, 3})).first.empty());
}

TEST(BatchNormalization, ListsItsParametersAsKerasDoes) {
  const auto names_of = [](BatchNormalization layer) {
    std::string names;
    for (const NamedParameter& named : layer.parameters())
      names += named.name + (named.parameter->trainable ? "+ " : " ");
    return names;
  };
  EXPECT_EQ(names_of(BatchNormalization{}), "gamma+ beta+ moving_mean moving_variance ");
  EXPECT_EQ(names_of(BatchNormalization{.center = false, .scale = false}), "moving_mean moving_variance ");
  const BatchNormalization layer = built(BatchNormalization{.beta_initializer = constant(2),
                                                            .gamma_initializer = constant(3),
                                                            .moving_mean_initializer = constant(4),
                                                            .moving_variance_initializer = constant(5)},
                                         {2});
  EXPECT_EQ(layer.beta.value, Tensor::vector({2, 2}));
  EXPECT_EQ(layer.gamma.value, Tensor::vector({3, 3}));
  EXPECT_EQ(layer.moving_mean.value, Tensor::vector({4, 4}));
  EXPECT_EQ(layer.moving_variance.value, Tensor::vector({5, 5}));
}

TEST(BatchNormalization, PassesCheckLayer) {
  for (const Shape& input : {Shape{1}, Shape{5}, Shape{2, 3}, Shape{2, 2, 3}})
    expect_passes(BatchNormalization{}, input);
  for (const bool center : {true, false}) {
    for (const bool scale : {true, false}) expect_passes<BatchNormalization>({.center = center, .scale = scale}, {4});
  }
  expect_passes<BatchNormalization>({.axis = 1, .momentum = 0.5, .epsilon = 0.1, .gamma_initializer = constant(-2)},
                                    {3, 2});
  expect_passes<BatchNormalization>({.axis = 2}, {2, 3, 2});
}

TEST(BatchNormalization, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](BatchNormalization layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build({.momentum = 1.5}, {3}), "BatchNormalization: momentum is 1.5; it must be in [0, 1]");
  EXPECT_EQ(text_of_build({.epsilon = -1}, {3}),
            "BatchNormalization: epsilon is -1; it must be finite and not negative");
  for (const Index axis : {0, -2, 2, -3}) {
    EXPECT_EQ(text_of_build({.axis = axis}, {3}),
              "BatchNormalization: axis is " + std::to_string(axis) +
                  "; for samples of shape (3,) it must be an axis of size 1 or more, other than the batch axis");
  }
  EXPECT_EQ(text_of_build({}, {}),
            "BatchNormalization: axis is -1; for samples of shape () it must be an axis of size 1 or more, other than "
            "the batch axis");
  EXPECT_EQ(text_of_build({.gamma_initializer = nullptr}, {3}),
            "BatchNormalization: an initializer is empty; use zeros or ones if in doubt");
  EXPECT_EQ(error_of<StateError>([] {
              run(BatchNormalization{}, Tensor({2, 3}));
            }),
            "BatchNormalization: used before it was built; call build(shape of a sample, rng), or put it into a model");
  const BatchNormalization layer = built(BatchNormalization{}, {3});
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(layer, Tensor({2, 4}));
            }),
            "BatchNormalization: an input of shape (2, 4); axis -1 must have size 3 and not be the batch axis");
  EXPECT_EQ(error_of<ShapeError>([&] { run(layer, Tensor(Shape{3})); }),
            "BatchNormalization: an input of shape (3,); axis -1 must have size 3 and not be the batch axis");
}

TEST(BatchNormalization, AThrowingInitializerLeavesTheLayerUnchanged) {
  BatchNormalization layer = built(BatchNormalization{}, {3});
  layer.moving_variance_initializer = [](View, Rng&) { throw ValueError("not today"); };
  Rng rng(1);
  EXPECT_EQ(error_of<ValueError>([&] { layer.build({8}, rng); }), "not today");
  for (const NamedParameter& named : layer.parameters()) EXPECT_EQ(named.parameter->shape(), Shape{3}) << named.name;
}

}  // namespace
}  // namespace cornu
