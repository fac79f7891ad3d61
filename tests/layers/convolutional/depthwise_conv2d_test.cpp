#include "cornu/layers/convolutional/depthwise_conv2d.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::run;

TEST(DepthwiseConv2D, HasSeparateFiltersForEachChannel) {
  DepthwiseConv2D layer{.kernel_size = {1, 2}, .depth_multiplier = 2, .bias = {Tensor::vector({0, 0, 0, 1000})}};
  layer.kernel.value = Tensor({1, 2, 2, 2}, {1, 2, 3, 4, 10, 20, 30, 40});  // tap, channel, filter
  const Tensor x({1, 1, 3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_EQ(run(layer, x), Tensor({1, 1, 2, 4}, {1 + 30, 2 + 60, 6 + 120, 8 + 160 + 1000,  //
                                                 3 + 50, 6 + 100, 12 + 180, 16 + 240 + 1000}));
  layer.use_bias = false;
  layer.activation = [](Var v) { return -v; };
  EXPECT_EQ(run(layer, x), Tensor({1, 1, 2, 4}, {-31, -62, -126, -168, -53, -106, -192, -256}));
}

TEST(DepthwiseConv2D, EqualsConv2DWithOneGroupPerChannel) {
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const Index multiplier : {1, 3}) {
      const DepthwiseConv2D layer = built(DepthwiseConv2D{.kernel_size = {3, 2},
                                                          .strides = {2, 1},
                                                          .padding = padding,
                                                          .depth_multiplier = multiplier,
                                                          .bias_initializer = random_normal()},
                                          {7, 6, 5});
      Conv2D grouped{.filters = 5 * multiplier,
                     .kernel_size = {3, 2},
                     .strides = {2, 1},
                     .padding = padding,
                     .groups = 5,
                     .kernel = layer.kernel,
                     .bias = layer.bias};
      grouped.kernel.value.reshape({3, 2, 1, 5 * multiplier});
      const Tensor x = testing::normal({2, 7, 6, 5});
      const Tensor y = run(layer, x), expected = run(grouped, x);
      ASSERT_EQ(y.shape(), expected.shape());
      for (Index i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i], 10 * testing::rounding);
    }
  }
}

TEST(DepthwiseConv2D, BuildsFromTheShapeOfASample) {
  Rng rng(1);
  DepthwiseConv2D layer{.kernel_size = {3, 5}};
  EXPECT_EQ(layer.build({28, 28, 4}, rng), (Shape{26, 24, 4}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{3, 5, 4, 1}));
  EXPECT_EQ(layer.bias.value, Tensor(Shape{4}));
  layer.padding = Padding::same;
  layer.strides = {2, 3};
  layer.depth_multiplier = 3;
  EXPECT_EQ(layer.build({7, 7, 4}, rng), (Shape{4, 3, 12}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{3, 5, 4, 3}));
  EXPECT_EQ(layer.bias.value, Tensor(Shape{12}));
  testing::expect_optional_bias(layer, {7, 7, 4});
}

TEST(DepthwiseConv2D, AThrowingInitializerLeavesTheLayerUnchanged) {
  DepthwiseConv2D layer = built(DepthwiseConv2D{3}, {4, 4, 2});
  layer.bias_initializer = [](View, Rng&) { throw std::runtime_error("no bias today"); };
  const Tensor before = layer.kernel.value;
  Rng rng(8);
  EXPECT_EQ(error_of<std::runtime_error>([&] { layer.build({4, 4, 3}, rng); }), "no bias today");
  EXPECT_EQ(layer.kernel.value, before);
}

TEST(DepthwiseConv2D, PassesCheckLayer) {
  const auto expect_passes_with_bias = [](DepthwiseConv2D layer, const Shape& input) {
    layer.bias_initializer = constant(0.1);
    testing::expect_passes(layer, input);
  };
  for (const bool use_bias : {true, false}) {
    expect_passes_with_bias({.kernel_size = 3, .activation = sigmoid, .use_bias = use_bias}, {4, 5, 2});
    expect_passes_with_bias({.kernel_size = 2, .padding = Padding::same, .depth_multiplier = 2, .use_bias = use_bias},
                            {3, 4, 2});
  }
  expect_passes_with_bias({.kernel_size = 3, .strides = 2, .padding = Padding::same, .activation = relu}, {4, 5, 2});
  expect_passes_with_bias({.kernel_size = 2, .dilation_rate = {2, 1}}, {4, 3, 2});
  expect_passes_with_bias({1}, {1, 1, 1});
}

TEST(DepthwiseConv2D, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](DepthwiseConv2D layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build({.kernel_size = 3, .depth_multiplier = 0}, {5, 5, 1}),
            "DepthwiseConv2D: depth_multiplier is 0; it must be positive");
  EXPECT_EQ(text_of_build({{3, 0}}, {5, 5, 1}),
            "DepthwiseConv2D: the window is (3, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(
      text_of_build({3}, {28, 28}),
      "DepthwiseConv2D: a sample of shape (28, 28); (height, width, channels) is required (is a Reshape missing?)");
  EXPECT_EQ(text_of_build({{3, 5}}, {5, 4, 1}),
            "DepthwiseConv2D: images of shape (1, 5, 4, 1) are too small for a window of (3, 5), dilation (1, 1); "
            "Padding::same may be meant");
  EXPECT_EQ(text_of_build({.kernel_size = 3, .padding = Padding::causal}, {5, 5, 1}),
            "DepthwiseConv2D: padding is causal, which is for sequences (Conv1D); valid or same is required");
  EXPECT_EQ(text_of_build({.kernel_size = 3, .depthwise_initializer = nullptr}, {5, 5, 1}),
            "DepthwiseConv2D: the depthwise_initializer is empty; use zeros if in doubt");
  EXPECT_EQ(text_of_build({.kernel_size = 3, .bias_initializer = nullptr}, {5, 5, 1}),
            "DepthwiseConv2D: the bias_initializer is empty; use zeros if in doubt");
}

TEST(DepthwiseConv2D, RejectsInputsOfOtherChannelsAndUseBeforeBuild) {
  const DepthwiseConv2D layer = built(DepthwiseConv2D{3}, {4, 4, 2});
  for (const Shape& shape : {Shape{2, 4, 4, 3}, Shape{4, 4, 2}}) {
    EXPECT_EQ(error_of<ShapeError>([&] { run(layer, Tensor(shape)); }),
              message("DepthwiseConv2D: an input of shape {}; (batch, height, width, 2) is required", shape));
  }
  EXPECT_EQ(error_of<StateError>([] {
              run(DepthwiseConv2D{3}, Tensor({2, 4, 4, 3}));
            }),
            "DepthwiseConv2D: used before it was built; call build(shape of a sample, rng), or put it into a model");
}

}  // namespace
}  // namespace cornu
