#include "cornu/layers/dense.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_passes;
using testing::nan;
using testing::run;

/// y = x [[1, 2], [3, 4], [5, 6]] + (10, 20).
Dense dense_by_hand(Activation activation = linear) {
  return {.units = 2,
          .activation = activation,
          .kernel = {Tensor::matrix({{1, 2}, {3, 4}, {5, 6}})},
          .bias = {Tensor::vector({10, 20})}};
}

TEST(Dense, IsAnAffineMap) {
  const Tensor x = Tensor::matrix({{1, 0, -1}, {2, 1, 0}});
  EXPECT_EQ(run(dense_by_hand(), x), Tensor::matrix({{6, 16}, {15, 28}}));
  EXPECT_EQ(run(dense_by_hand(relu), Tensor::matrix({{-10, 0, 0}, {0, 0, 1}})), Tensor::matrix({{0, 0}, {15, 26}}));
}

TEST(Dense, IsALinearMapWithoutBias) {
  Dense layer = dense_by_hand();
  layer.use_bias = false;
  EXPECT_EQ(run(layer, Tensor::matrix({{1, 0, -1}, {2, 1, 0}})), Tensor::matrix({{-4, -4}, {5, 8}}));
  ASSERT_EQ(layer.parameters().size(), 1U);
  EXPECT_EQ(layer.parameters()[0].name, "kernel");
}

TEST(Dense, HasTheGradientsOfTheFormula) {
  const Dense layer = dense_by_hand();
  const Tensor x = Tensor::matrix({{1, 0, -1}, {2, 1, 0}}), g = Tensor::matrix({{1, 2}, {3, 5}});
  Tape tape;
  const Var in = tape.variable(x);
  const Gradients gradients = tape.backward(layer.forward(in), g);
  EXPECT_EQ(Tensor(gradients[layer.kernel]), Tensor::matrix({{7, 12}, {3, 5}, {-1, -2}}));
  EXPECT_EQ(Tensor(gradients[layer.bias]), Tensor::vector({4, 7}));
  EXPECT_EQ(Tensor(gradients[in]), Tensor::matrix({{5, 11, 17}, {13, 29, 45}}));
}

TEST(Dense, MapsTheLastAxisOfInputsOfAnyRank) {
  for (const bool use_bias : {true, false}) {
    Dense layer = dense_by_hand();
    layer.use_bias = use_bias;
    const Tensor rows = testing::normal({4, 3});
    const Tensor expected = run(layer, rows);
    Tensor cube = rows;
    cube.reshape({2, 2, 3});
    Tensor y = run(layer, cube);
    EXPECT_EQ(y.shape(), (Shape{2, 2, 2}));
    y.reshape({4, 2});
    EXPECT_EQ(y, expected);
    const Tensor single(Shape{3}, std::span<const Real>(rows.data(), 3));
    const Tensor alone = run(layer, single);  // a product of one row may sum in another order
    EXPECT_EQ(alone.shape(), Shape{2});
    for (Index j = 0; j < 2; ++j) EXPECT_NEAR(alone[j], expected[j], 1e-6);
  }
}

TEST(Dense, AnEmptyBatchGivesAnEmptyBatch) {
  for (const bool use_bias : {true, false}) {
    Dense layer = dense_by_hand();
    layer.use_bias = use_bias;
    EXPECT_EQ(run(layer, Tensor(Shape{0, 3})).shape(), (Shape{0, 2}));
    EXPECT_EQ(run(layer, Tensor(Shape{0, 4, 3})).shape(), (Shape{0, 4, 2}));
  }
}

TEST(Dense, BuildsFromTheShapeOfASample) {
  Dense layer{.units = 7};
  Rng rng(1);
  EXPECT_EQ(layer.build({5}, rng), (Shape{7}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{5, 7}));
  EXPECT_EQ(layer.bias.value, Tensor(Shape{7}));
  EXPECT_EQ(layer.build({4, 6}, rng), (Shape{4, 7}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{6, 7}));
  ASSERT_EQ(layer.parameters().size(), 2U);
  EXPECT_EQ(layer.parameters()[0].name, "kernel");
  EXPECT_EQ(layer.parameters()[0].parameter, &layer.kernel);
  EXPECT_EQ(layer.parameters()[1].name, "bias");
  EXPECT_EQ(layer.parameters()[1].parameter, &layer.bias);

  layer.use_bias = false;
  layer.build({5}, rng);
  EXPECT_TRUE(layer.bias.value.empty());
}

TEST(Dense, BuildKeepsTheTrainableFlag) {
  Dense layer{.units = 2};
  layer.kernel.trainable = false;
  EXPECT_FALSE(built(layer, {3}).kernel.trainable);
}

TEST(Dense, UsesGlorotUniformAndZerosByDefault) {
  const Dense layer = built(Dense{3}, {4}, 9);
  Tensor expected(Shape{4, 3});
  Rng rng(9);
  glorot_uniform(expected, rng);
  EXPECT_EQ(layer.kernel.value, expected);
  EXPECT_EQ(layer.bias.value, Tensor(Shape{3}));

  const Dense other = built(Dense{.units = 3, .kernel_initializer = constant(0.5), .bias_initializer = ones}, {4});
  EXPECT_EQ(other.kernel.value, Tensor::full({4, 3}, 0.5));
  EXPECT_EQ(other.bias.value, Tensor::full({3}, 1));
}

TEST(Dense, TheSameSeedGivesTheSameBits) {
  EXPECT_EQ(built(Dense{30}, {20}, 4).kernel.value, built(Dense{30}, {20}, 4).kernel.value);
  EXPECT_FALSE(built(Dense{30}, {20}, 4).kernel.value == built(Dense{30}, {20}, 5).kernel.value);
}

TEST(Dense, AThrowingInitializerLeavesTheLayerUnchanged) {
  Dense layer = dense_by_hand();
  layer.bias_initializer = [](View, Rng&) { throw std::runtime_error("no bias today"); };
  const Dense before = layer;
  Rng rng(1);
  EXPECT_EQ(error_of<std::runtime_error>([&] { layer.build({8}, rng); }), "no bias today");
  EXPECT_EQ(layer.kernel.value, before.kernel.value);
  EXPECT_EQ(layer.bias.value, before.bias.value);
}

TEST(Dense, SoftmaxRowsSumToOne) {
  const Tensor y = run(built(Dense{32, softmax}, {20}), testing::normal({5, 20}));
  for (Index row = 0; row < 5; ++row) {
    double total = 0;
    for (Index j = 0; j < 32; ++j) {
      EXPECT_GT(y.at({row, j}), 0);
      total += y.at({row, j});
    }
    EXPECT_NEAR(total, 1, testing::rounding);
  }
}

TEST(Dense, AcceptsAUsersActivation) {
  const Dense layer = dense_by_hand([](Var x) { return x * sigmoid(x); });
  const Tensor y = run(layer, Tensor::matrix({{-10, 0, 0}}));  // 0 and 0 before the activation
  EXPECT_EQ(y, Tensor::matrix({{0, 0}}));
}

TEST(Dense, PropagatesNaN) {
  for (const Activation activation : {Activation(linear), Activation(relu), Activation(softmax)}) {
    const Tensor y = run(dense_by_hand(activation), Tensor::matrix({{0, nan, 0}, {0, 0, 0}}));
    EXPECT_TRUE(std::isnan(y[0]) && std::isnan(y[1]));
    EXPECT_FALSE(std::isnan(y[2]) || std::isnan(y[3]));
  }
}

TEST(Dense, PassesCheckLayer) {
  for (const Activation activation :
       {Activation(linear), Activation(relu), Activation(sigmoid), Activation(tanh), Activation(softmax)}) {
    for (const bool use_bias : {true, false}) {
      const Dense layer{.units = 4, .activation = activation, .use_bias = use_bias, .bias_initializer = constant(0.1)};
      for (const Shape& input : {Shape{1}, Shape{5}, Shape{2, 3}, Shape{2, 1, 3}}) expect_passes(layer, input);
    }
  }
  expect_passes(Dense{1}, {1});
}

TEST(Dense, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](Dense layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build(Dense{0}, {3}), "Dense: units is 0; it must be positive");
  EXPECT_EQ(text_of_build(Dense{-4}, {3}), "Dense: units is -4; it must be positive");
  EXPECT_EQ(text_of_build(Dense{4}, {}), "Dense: a sample of shape () has no features");
  EXPECT_EQ(text_of_build(Dense{4}, {3, 0}), "Dense: a sample of shape (3, 0) has no features");
  EXPECT_EQ(text_of_build(Dense{.units = 4, .kernel_initializer = nullptr}, {3}),
            "Dense: the kernel_initializer is empty; use zeros if in doubt");
  EXPECT_EQ(text_of_build(Dense{.units = 4, .bias_initializer = nullptr}, {3}),
            "Dense: the bias_initializer is empty; use zeros if in doubt");
  EXPECT_EQ(text_of_build(Dense{Index{1} << 40}, {Index{1} << 40}),
            "shape (1099511627776, 1099511627776) has more than 2^45 elements");
  EXPECT_EQ(error_of<ValueError>([] {
              (void)Dense{4, nullptr};
            }),
            "Activation: the function is null; use linear for no activation");
}

TEST(Dense, RejectsInputsOfAnotherWidth) {
  const Dense layer = dense_by_hand();
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(layer, Tensor(Shape{2, 4}));
            }),
            "Dense: an input of shape (2, 4); its last axis must be 3");
  EXPECT_EQ(error_of<ShapeError>([&] { run(layer, Tensor::scalar(1)); }),
            "Dense: an input of shape (); its last axis must be 3");
}

TEST(Dense, ThrowsIfItIsNotBuilt) {
  EXPECT_EQ(error_of<StateError>([] {
              run(Dense{4}, Tensor(Shape{2, 3}));
            }),
            "Dense: used before it was built; call build(shape of a sample, rng), or put it into a model");
}

}  // namespace
}  // namespace cornu
