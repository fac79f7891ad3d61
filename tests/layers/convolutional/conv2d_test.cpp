#include "cornu/layers/convolutional/conv2d.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "cornu/core/ops/eager.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::nan;
using testing::run;

Tensor image(const Tensor& rows) {
  Tensor result = rows;
  result.reshape({1, rows.shape()[0], rows.shape()[1], 1});
  return result;
}

/// One filter, 2 x 2: (1, 2; 3, 4), and a bias of 10.
Conv2D conv2d_by_hand(Activation activation = linear) {
  Conv2D layer{.filters = 1, .kernel_size = 2, .activation = activation, .bias = {Tensor::vector({10})}};
  layer.kernel.value = Tensor({2, 2, 1, 1}, {1, 2, 3, 4});
  return layer;
}

const Tensor& three_by_three() {
  static const Tensor x = image(Tensor::matrix({{1, 0, 2}, {0, 1, 0}, {-3, 0, 1}}));
  return x;
}

TEST(Conv2D, IsASumOverWindows) {
  EXPECT_EQ(run(conv2d_by_hand(), three_by_three()), image(Tensor::matrix({{15, 17}, {3, 15}})));
  Conv2D without = conv2d_by_hand();
  without.use_bias = false;
  EXPECT_EQ(run(without, three_by_three()), image(Tensor::matrix({{5, 7}, {-7, 5}})));
  without.activation = relu;
  EXPECT_EQ(run(without, three_by_three()), image(Tensor::matrix({{5, 7}, {0, 5}})));
}

TEST(Conv2D, PadsBottomAndRightFirst) {
  Conv2D layer = conv2d_by_hand();
  layer.padding = Padding::same;
  EXPECT_EQ(run(layer, three_by_three()), image(Tensor::matrix({{15, 17, 12}, {3, 15, 13}, {7, 12, 11}})));
}

TEST(Conv2D, SupportsStridesAndDilation) {
  Conv2D layer = conv2d_by_hand();
  layer.strides = {1, 2};
  EXPECT_EQ(run(layer, three_by_three()), image(Tensor::matrix({{15}, {3}})));
  layer.strides = 1;
  layer.dilation_rate = 2;
  EXPECT_EQ(run(layer, three_by_three()), image(Tensor::matrix({{10 + 1 + 4 - 9 + 4}})));
}

TEST(Conv2D, EachGroupSeesOnlyItsChannels) {
  Conv2D layer{.filters = 2, .kernel_size = 1, .groups = 2, .use_bias = false};
  layer.kernel.value = Tensor({1, 1, 1, 2}, {10, 100});
  EXPECT_EQ(run(layer, Tensor({1, 1, 2, 2}, {1, 2, 3, 4})), Tensor({1, 1, 2, 2}, {10, 200, 30, 400}));
}

TEST(Conv2D, HasTheGradientsOfTheFormula) {
  const Conv2D layer = conv2d_by_hand();
  const Tensor g = image(Tensor::matrix({{1, 0}, {0, 2}}));
  Tape tape;
  const Var x = tape.variable(three_by_three());
  const Gradients gradients = tape.backward(layer.forward(x), g);
  EXPECT_EQ(Tensor(gradients[layer.kernel]), Tensor({2, 2, 1, 1}, {3, 0, 0, 3}));
  EXPECT_EQ(Tensor(gradients[layer.bias]), Tensor::vector({3}));
  EXPECT_EQ(Tensor(gradients[x]), image(Tensor::matrix({{1, 2, 0}, {3, 6, 4}, {0, 6, 8}})));
}

TEST(Conv2D, BuildsFromTheShapeOfASample) {
  Rng rng(1);
  Conv2D layer{.filters = 6, .kernel_size = {3, 5}};
  EXPECT_EQ(layer.build({28, 28, 4}, rng), (Shape{26, 24, 6}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{3, 5, 4, 6}));
  EXPECT_EQ(layer.bias.value, Tensor(Shape{6}));
  layer.padding = Padding::same;
  layer.strides = {2, 3};
  layer.groups = 2;
  EXPECT_EQ(layer.build({7, 7, 4}, rng), (Shape{4, 3, 6}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{3, 5, 2, 6}));
  testing::expect_optional_bias(layer, {7, 7, 4});
}

TEST(Conv2D, UsesGlorotUniformAndZerosByDefault) {
  const Conv2D layer = built(Conv2D{3, {2, 3}}, {4, 4, 2}, 9);
  Tensor expected(Shape{2, 3, 2, 3});
  Rng rng(9);
  glorot_uniform(expected, rng);
  EXPECT_EQ(layer.kernel.value, expected);
  EXPECT_EQ(layer.bias.value, Tensor(Shape{3}));
  const Conv2D other = built(
      Conv2D{.filters = 3, .kernel_size = 1, .kernel_initializer = constant(0.5), .bias_initializer = ones}, {4, 4, 2});
  EXPECT_EQ(other.kernel.value, Tensor::full({1, 1, 2, 3}, 0.5));
  EXPECT_EQ(other.bias.value, Tensor::full({3}, 1));
}

TEST(Conv2D, AThrowingInitializerLeavesTheLayerUnchanged) {
  Conv2D layer = conv2d_by_hand();
  layer.bias_initializer = [](View, Rng&) { throw std::runtime_error("no bias today"); };
  const Tensor before = layer.kernel.value;
  Rng rng(1);
  EXPECT_EQ(error_of<std::runtime_error>([&] { layer.build({4, 4, 3}, rng); }), "no bias today");
  EXPECT_EQ(layer.kernel.value, before);
}

TEST(Conv2D, FusedReluEqualsReluOfTheResult) {
  const Tensor x = testing::normal({2, 6, 5, 3});
  const Conv2D fused = built(Conv2D{.filters = 4, .kernel_size = 3, .activation = relu}, {6, 5, 3});
  Conv2D plain = fused;
  plain.activation = [](Var v) { return relu(v); };
  EXPECT_EQ(run(fused, x), run(plain, x));
  const Tensor g = testing::normal({2, 4, 3, 4});
  Tape tape;
  const Var in = tape.variable(x), same = tape.variable(x);
  const Gradients one = tape.backward(fused.forward(in), g);
  const Tensor dx(one[in]), dw(one[fused.kernel]), db(one[fused.bias]);
  const Gradients other = tape.backward(plain.forward(same), g);
  EXPECT_EQ(dx, Tensor(other[same]));
  EXPECT_EQ(dw, Tensor(other[plain.kernel]));
  EXPECT_EQ(db, Tensor(other[plain.bias]));
}

TEST(Conv2D, PropagatesNaNOnlyToItsWindows) {
  Tensor x = three_by_three();
  x[0] = nan;
  for (const Activation activation : {Activation(linear), Activation(relu), Activation(tanh)}) {
    const Tensor y = run(conv2d_by_hand(activation), x);
    EXPECT_TRUE(std::isnan(y[0]));
    for (Index i = 1; i < 4; ++i) EXPECT_FALSE(std::isnan(y[i]));
  }
}

TEST(Conv2D, NaNAndInfinityStayWithinTheirWindows) {
  for (const Real number : {nan, testing::infinity}) {
    Tensor x = Tensor::full({1, 1, 16, 1}, 1);
    x[7] = number;
    const Tensor y = conv2d(x, Tensor::full({1, 3, 1, 1}, 1), {.padding = Padding::same});
    for (Index i = 0; i < 16; ++i) EXPECT_EQ(std::isfinite(y[i]), i < 6 || i > 8) << i;
  }
}

TEST(Conv2D, NaNInAGradientStaysWithinItsWindow) {
  const Conv2D layer = built(Conv2D{.filters = 3, .kernel_size = 2}, {4, 4, 3});
  const Tensor x = testing::normal({2, 4, 4, 3});
  Tensor g = testing::normal({2, 3, 3, 3});
  g[0] = nan;
  Tape tape;
  const Var in = tape.variable(x);
  const Tensor dx(tape.backward(layer.forward(in), g)[in]);
  for (Index i = 0; i < dx.size(); ++i) {
    const Index row = i / 12, column = i / 3 % 4;
    EXPECT_EQ(std::isnan(dx[i]), row < 2 && column < 2) << i;
  }
}

TEST(Conv2D, PassesCheckLayer) {
  const auto expect_passes_with_bias = [](Conv2D layer, const Shape& input) {
    layer.bias_initializer = constant(0.1);
    testing::expect_passes(layer, input);
  };
  for (const Activation activation : {Activation(linear), Activation(relu), Activation(sigmoid), Activation(tanh)}) {
    for (const bool use_bias : {true, false}) {
      expect_passes_with_bias({.filters = 4, .kernel_size = 3, .activation = activation, .use_bias = use_bias},
                              {4, 5, 2});
    }
  }
  expect_passes_with_bias({.filters = 2, .kernel_size = {2, 3}, .padding = Padding::same}, {4, 5, 1});
  expect_passes_with_bias({.filters = 2, .kernel_size = 3, .strides = 2, .padding = Padding::same}, {4, 5, 2});
  expect_passes_with_bias({.filters = 2, .kernel_size = 2, .dilation_rate = {2, 1}}, {4, 3, 2});
  expect_passes_with_bias({.filters = 4, .kernel_size = 2, .groups = 2, .activation = relu}, {3, 3, 4});
  expect_passes_with_bias({1, 1}, {1, 1, 1});
}

TEST(Conv2D, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](Conv2D layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build({0, 3}, {5, 5, 1}), "Conv2D: filters is 0; it must be positive");
  EXPECT_EQ(text_of_build({4, {3, 0}}, {5, 5, 1}),
            "Conv2D: the window is (3, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .strides = -1}, {5, 5, 1}),
            "Conv2D: strides is (-1, -1); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .dilation_rate = {1, 0}}, {5, 5, 1}),
            "Conv2D: dilation_rate is (1, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .groups = 3}, {5, 5, 3}),
            "Conv2D: groups is 3; it must divide 3 channels and 4 filters");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .groups = 0}, {5, 5, 3}),
            "Conv2D: groups is 0; it must divide 3 channels and 4 filters");
  EXPECT_EQ(text_of_build({4, 3}, {28, 28}),
            "Conv2D: a sample of shape (28, 28); (height, width, channels) is required (is a Reshape missing?)");
  EXPECT_EQ(text_of_build({4, 3}, {28, 28, 0}),
            "Conv2D: a sample of shape (28, 28, 0); (height, width, channels) is required (is a Reshape missing?)");
  EXPECT_EQ(text_of_build({4, {3, 5}}, {5, 4, 1}),
            "Conv2D: images of shape (1, 5, 4, 1) are too small for a window of (3, 5), dilation (1, 1); Padding::same "
            "may be meant");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .padding = Padding::causal}, {5, 5, 1}),
            "Conv2D: padding is causal, which is for sequences (Conv1D); valid or same is required");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .kernel_initializer = nullptr}, {5, 5, 1}),
            "Conv2D: the kernel_initializer is empty; use zeros if in doubt");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .bias_initializer = nullptr}, {5, 5, 1}),
            "Conv2D: the bias_initializer is empty; use zeros if in doubt");
}

TEST(Conv2D, RejectsInputsOfOtherChannelsAndUseBeforeBuild) {
  EXPECT_EQ(error_of<ShapeError>([] {
              run(conv2d_by_hand(), Tensor(Shape{2, 4, 4, 3}));
            }),
            "Conv2D: an input of shape (2, 4, 4, 3); (batch, height, width, 1) is required");
  EXPECT_EQ(error_of<ShapeError>([] {
              run(conv2d_by_hand(), Tensor(Shape{4, 4, 1}));
            }),
            "Conv2D: an input of shape (4, 4, 1); (batch, height, width, 1) is required");
  EXPECT_EQ(error_of<StateError>([] {
              run(Conv2D{4, 3}, Tensor(Shape{2, 4, 4, 3}));
            }),
            "Conv2D: used before it was built; call build(shape of a sample, rng), or put it into a model");
}

}  // namespace
}  // namespace cornu
