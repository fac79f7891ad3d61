#include "cornu/layers/convolutional/conv1d.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::run;

/// One filter with taps 1, 2 and 4, and a bias of 10.
Conv1D conv1d_by_hand(Padding padding, Index strides = 1, Index dilation_rate = 1) {
  return {.filters = 1,
          .kernel_size = 3,
          .strides = strides,
          .padding = padding,
          .dilation_rate = dilation_rate,
          .kernel = {Tensor({3, 1, 1}, {1, 2, 4})},
          .bias = {Tensor::vector({10})}};
}

Tensor sequence(std::initializer_list<Real> values) { return {{1, static_cast<Index>(values.size()), 1}, values}; }

TEST(Conv1D, IsASumOverWindows) {
  const Tensor x = sequence({1, 0, -1, 2, 3});
  EXPECT_EQ(run(conv1d_by_hand(Padding::valid), x), sequence({7, 16, 25}));
  EXPECT_EQ(run(conv1d_by_hand(Padding::same), x), sequence({12, 7, 16, 25, 18}));
  EXPECT_EQ(run(conv1d_by_hand(Padding::causal), x), sequence({14, 12, 7, 16, 25}));
  EXPECT_EQ(run(conv1d_by_hand(Padding::causal, 2), x), sequence({14, 7, 25}));
  EXPECT_EQ(run(conv1d_by_hand(Padding::causal, 1, 2), x), sequence({14, 10, 8, 18, 21}));
  EXPECT_EQ(run(conv1d_by_hand(Padding::valid, 1, 2), x), sequence({21}));
  EXPECT_EQ(run(conv1d_by_hand(Padding::valid, 2), x), sequence({7, 25}));
}

TEST(Conv1D, CausalPaddingIgnoresLaterSteps) {
  const Conv1D layer =
      built(Conv1D{.filters = 3, .kernel_size = 3, .padding = Padding::causal, .dilation_rate = 2}, {8, 2});
  Tensor x = testing::normal({2, 8, 2});
  const Tensor before = run(layer, x);
  for (Index i = 0; i < 2; ++i) x.at({i, 5, 0}) = testing::nan;
  const Tensor after = run(layer, x);
  for (Index i = 0; i < after.size(); ++i) {
    const Index step = i / 3 % 8;
    if (step == 5 || step == 7) {
      EXPECT_TRUE(std::isnan(after[i]));
    } else {
      EXPECT_EQ(after[i], before[i]);
    }
  }
}

TEST(Conv1D, IsConv2DOfAnImageOfOneRow) {
  for (const Activation activation : {Activation(relu), Activation(tanh)}) {
    const Conv1D layer =
        built(Conv1D{.filters = 4, .kernel_size = 3, .padding = Padding::same, .groups = 2, .activation = activation},
              {9, 6});
    Conv2D image{.filters = 4,
                 .kernel_size = {1, 3},
                 .padding = Padding::same,
                 .groups = 2,
                 .activation = activation,
                 .kernel = layer.kernel,
                 .bias = layer.bias};
    image.kernel.value.reshape({1, 3, 3, 4});
    Tensor x = testing::normal({2, 9, 6});
    Tensor y = run(layer, x);
    x.reshape({2, 1, 9, 6});
    y.reshape({2, 1, 9, 4});
    EXPECT_EQ(y, run(image, x));
  }
}

TEST(Conv1D, BuildsFromTheShapeOfASample) {
  Rng rng(1);
  Conv1D layer{.filters = 6, .kernel_size = 4};
  EXPECT_EQ(layer.build({20, 2}, rng), (Shape{17, 6}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{4, 2, 6}));
  EXPECT_EQ(layer.bias.value, Tensor(Shape{6}));
  layer.padding = Padding::causal;
  layer.strides = 3;
  layer.groups = 2;
  EXPECT_EQ(layer.build({20, 2}, rng), (Shape{7, 6}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{4, 1, 6}));
  testing::expect_optional_bias(layer, {20, 2});
}

TEST(Conv1D, AThrowingInitializerLeavesTheLayerUnchanged) {
  Conv1D layer = conv1d_by_hand(Padding::valid);
  layer.bias_initializer = [](View, Rng&) { throw std::runtime_error("no bias today"); };
  const Tensor before = layer.kernel.value;
  Rng rng(1);
  EXPECT_EQ(error_of<std::runtime_error>([&] { layer.build({4, 3}, rng); }), "no bias today");
  EXPECT_EQ(layer.kernel.value, before);
}

TEST(Conv1D, PassesCheckLayer) {
  const auto expect_passes_with_bias = [](Conv1D layer, const Shape& input) {
    layer.bias_initializer = constant(0.1);
    testing::expect_passes(layer, input);
  };
  for (const Padding padding : {Padding::valid, Padding::same, Padding::causal}) {
    for (const bool use_bias : {true, false}) {
      expect_passes_with_bias(
          {.filters = 3, .kernel_size = 3, .padding = padding, .activation = sigmoid, .use_bias = use_bias}, {6, 2});
      expect_passes_with_bias({.filters = 3, .kernel_size = 2, .strides = 2, .padding = padding}, {5, 2});
    }
    expect_passes_with_bias({.filters = 2, .kernel_size = 3, .padding = padding, .dilation_rate = 2}, {6, 2});
    expect_passes_with_bias({.filters = 4, .kernel_size = 2, .padding = padding, .groups = 2, .activation = relu},
                            {4, 4});
  }
  expect_passes_with_bias({1, 1}, {1, 1});
}

TEST(Conv1D, KeepsSamplesIndependent) {
  const Conv1D layer = built(Conv1D{2, 3}, {5, 3});
  const Tensor x({4, 5, 3});
  Tape tape;
  layer.forward(tape.samples(x));
  EXPECT_FALSE(tape.mixes_samples());
}

TEST(Conv1D, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](Conv1D layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build({0, 3}, {5, 1}), "Conv1D: filters is 0; it must be positive");
  EXPECT_EQ(text_of_build({4, 0}, {5, 1}),
            "Conv1D: the window is (1, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .strides = -1}, {5, 1}),
            "Conv1D: strides is (1, -1); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .dilation_rate = 0}, {5, 1}),
            "Conv1D: dilation_rate is (1, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .groups = 3}, {5, 3}),
            "Conv1D: groups is 3; it must divide 3 channels and 4 filters");
  EXPECT_EQ(text_of_build({4, 3}, {28}),
            "Conv1D: a sample of shape (28,); (steps, channels) is required (is a Reshape missing?)");
  EXPECT_EQ(text_of_build({4, 6}, {5, 2}),
            "Conv1D: images of shape (1, 1, 5, 2) are too small for a window of (1, 6), dilation (1, 1); Padding::same "
            "may be meant");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .kernel_initializer = nullptr}, {5, 1}),
            "Conv1D: the kernel_initializer is empty; use zeros if in doubt");
  EXPECT_EQ(text_of_build({.filters = 4, .kernel_size = 3, .bias_initializer = nullptr}, {5, 1}),
            "Conv1D: the bias_initializer is empty; use zeros if in doubt");
}

TEST(Conv1D, RejectsInputsOfOtherChannelsAndUseBeforeBuild) {
  for (const Shape& shape : {Shape{2, 4, 3}, Shape{4, 1}}) {
    EXPECT_EQ(error_of<ShapeError>([&] { run(conv1d_by_hand(Padding::valid), Tensor(shape)); }),
              message("Conv1D: an input of shape {}; (batch, steps, 1) is required", shape));
  }
  EXPECT_EQ(error_of<StateError>([] {
              run(Conv1D{4, 3}, Tensor({2, 4, 3}));
            }),
            "Conv1D: used before it was built; call build(shape of a sample, rng), or put it into a model");
}

}  // namespace
}  // namespace cornu
