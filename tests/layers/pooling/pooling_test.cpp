#include <gtest/gtest.h>

#include <cmath>

#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/global_max_pooling2d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::expect_passes;
using testing::input_gradient;
using testing::run;

/// A sample with one channel and elements 1 to rows * columns.
Tensor counting(Index rows, Index columns) {
  Tensor x({1, rows, columns, 1});
  for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<Real>(i + 1);
  return x;
}

TEST(MaxPooling2D, ReturnsTheMaximumOfEachWindow) {
  EXPECT_EQ(run(MaxPooling2D{}, counting(4, 4)), Tensor({1, 2, 2, 1}, {6, 8, 14, 16}));
  EXPECT_EQ(run(MaxPooling2D{}, counting(3, 5)), Tensor({1, 1, 2, 1}, {7, 9}));
  EXPECT_EQ(run(MaxPooling2D{.padding = Padding::same}, counting(3, 3)), Tensor({1, 2, 2, 1}, {5, 6, 8, 9}));
  EXPECT_EQ(run(MaxPooling2D{.pool_size = {1, 3}, .strides = 1}, counting(2, 4)), Tensor({1, 2, 2, 1}, {3, 4, 7, 8}));
  Tensor negative = counting(3, 3);
  for (Real& number : negative) number = -number;
  EXPECT_EQ(run(MaxPooling2D{.padding = Padding::same}, negative), Tensor({1, 2, 2, 1}, {-1, -3, -7, -9}));
}

TEST(MaxPooling2D, TheFirstOfEqualMaximaGetsTheGradient) {
  const Tensor g({1, 1, 1, 1}, {5});
  EXPECT_EQ(input_gradient(MaxPooling2D{}, Tensor({1, 2, 2, 1}, {1, 1, 1, 1}), g), Tensor({1, 2, 2, 1}, {5, 0, 0, 0}));
  EXPECT_EQ(input_gradient(MaxPooling2D{}, Tensor({1, 2, 2, 1}, {0, 1, 1, 0}), g), Tensor({1, 2, 2, 1}, {0, 5, 0, 0}));
  const Real low = -testing::infinity;
  EXPECT_EQ(input_gradient(MaxPooling2D{}, Tensor({1, 2, 2, 1}, {low, low, low, low}), g),
            Tensor({1, 2, 2, 1}, {5, 0, 0, 0}));
}

TEST(MaxPooling2D, OverlappingWindowsAddTheirGradients) {
  const Tensor x({1, 3, 3, 1}, {0, 0, 0, 0, 9, 0, 0, 0, 0}), g({1, 2, 2, 1}, {1, 2, 3, 4});
  EXPECT_EQ(input_gradient(MaxPooling2D{.strides = 1}, x, g), Tensor({1, 3, 3, 1}, {0, 0, 0, 0, 10, 0, 0, 0, 0}));
}

TEST(MaxPooling2D, PropagatesNaN) {
  for (Index at = 0; at < 4; ++at) {
    Tensor x = counting(2, 2), g({1, 1, 1, 1}, {5}), expected({1, 2, 2, 1});
    x[at] = testing::nan;
    EXPECT_TRUE(std::isnan(run(MaxPooling2D{}, x)[0])) << at;
    expected[at] = 5;
    EXPECT_EQ(input_gradient(MaxPooling2D{}, x, g), expected) << at;
  }
}

TEST(AveragePooling2D, AveragesThePartOfTheWindowInsideTheImage) {
  EXPECT_EQ(run(AveragePooling2D{}, counting(4, 4)), Tensor({1, 2, 2, 1}, {3.5, 5.5, 11.5, 13.5}));
  EXPECT_EQ(run(AveragePooling2D{.padding = Padding::same}, counting(3, 3)), Tensor({1, 2, 2, 1}, {3, 4.5, 7.5, 9}));
  const Tensor g({1, 2, 2, 1}, {4, 2, 2, 1});
  EXPECT_EQ(input_gradient(AveragePooling2D{.padding = Padding::same}, counting(3, 3), g),
            Tensor({1, 3, 3, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST(GlobalAveragePooling2D, AveragesEachChannel) {
  const Tensor x({2, 1, 2, 2}, {1, 2, 3, 6, 0, 1, 0, 2});
  EXPECT_EQ(run(GlobalAveragePooling2D{}, x), Tensor({2, 2}, {2, 4, 0, 1.5}));
  EXPECT_EQ(run(GlobalAveragePooling2D{.keepdims = true}, x), Tensor({2, 1, 1, 2}, {2, 4, 0, 1.5}));
}

TEST(GlobalMaxPooling2D, ReturnsTheMaximumOfEachChannel) {
  const Tensor x({2, 1, 2, 2}, {1, 2, 3, -6, 0, 1, 0, 2});
  EXPECT_EQ(run(GlobalMaxPooling2D{}, x), Tensor({2, 2}, {3, 2, 0, 2}));
  EXPECT_EQ(run(GlobalMaxPooling2D{.keepdims = true}, x), Tensor({2, 1, 1, 2}, {3, 2, 0, 2}));
  EXPECT_TRUE(std::isnan(run(GlobalMaxPooling2D{}, Tensor({1, 2, 1, 1}, {testing::nan, 1}))[0]));
}

TEST(GlobalMaxPooling2D, EqualMaximaShareTheGradient) {
  EXPECT_EQ(input_gradient(GlobalMaxPooling2D{}, Tensor({1, 2, 2, 1}, {3, 1, 2, 3}), Tensor({1, 1}, {4})),
            Tensor({1, 2, 2, 1}, {2, 0, 0, 2}));
}

TEST(Pooling, PassesCheckLayer) {
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const Size2D strides : {Size2D(0), Size2D(1), Size2D(3, 2)}) {
      for (const Shape& input : {Shape{3, 3, 1}, Shape{4, 5, 2}}) {
        expect_passes(MaxPooling2D{.pool_size = {2, 3}, .strides = strides, .padding = padding}, input);
        expect_passes(AveragePooling2D{.pool_size = {2, 3}, .strides = strides, .padding = padding}, input);
      }
    }
  }
  expect_passes(GlobalAveragePooling2D{}, {3, 2, 4});
  expect_passes(GlobalAveragePooling2D{.keepdims = true}, {1, 1, 1});
  expect_passes(GlobalMaxPooling2D{}, {3, 2, 4});
  expect_passes(GlobalMaxPooling2D{.keepdims = true}, {1, 1, 1});
}

TEST(Pooling, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](auto layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build(MaxPooling2D{}, {4, 4}),
            "MaxPooling2D: a sample of shape (4, 4); (height, width, channels) is required");
  EXPECT_EQ(text_of_build(AveragePooling2D{}, {4, 4}),
            "AveragePooling2D: a sample of shape (4, 4); (height, width, channels) is required");
  EXPECT_EQ(text_of_build(GlobalAveragePooling2D{}, {4, 0, 2}),
            "GlobalAveragePooling2D: a sample of shape (4, 0, 2); (height, width, channels) with at least one pixel is "
            "required");
  EXPECT_EQ(text_of_build(GlobalMaxPooling2D{}, {4, 2}),
            "GlobalMaxPooling2D: a sample of shape (4, 2); (height, width, channels) with at least one pixel is "
            "required");
  EXPECT_EQ(text_of_build(MaxPooling2D{.pool_size = 0}, {4, 4, 1}),
            "MaxPooling2D: the window is (0, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build(AveragePooling2D{.strides = {1, -2}}, {4, 4, 1}),
            "AveragePooling2D: strides is (1, -2); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build(MaxPooling2D{}, {1, 4, 1}),
            "MaxPooling2D: images of shape (1, 1, 4, 1) are too small for a window of (2, 2), dilation (1, 1); "
            "Padding::same may be meant");
  EXPECT_EQ(text_of_build(MaxPooling2D{.padding = Padding::causal}, {4, 4, 1}),
            "MaxPooling2D: padding is causal, which is for sequences (Conv1D); valid or same is required");
  EXPECT_EQ(text_of_build(AveragePooling2D{.padding = Padding::causal}, {4, 4, 1}),
            "AveragePooling2D: padding is causal, which is for sequences (Conv1D); valid or same is required");
  EXPECT_EQ(error_of<ShapeError>([] {
              run(GlobalAveragePooling2D{}, Tensor(Shape{2, 3}));
            }),
            "GlobalAveragePooling2D: an input of shape (2, 3); (batch, height, width, channels) with at least one "
            "pixel is required");
}

}  // namespace
}  // namespace cornu
