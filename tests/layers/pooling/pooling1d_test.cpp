#include <gtest/gtest.h>

#include <cmath>
#include <utility>
#include <vector>

#include "cornu/core/ops/eager.h"
#include "cornu/layers/pooling/average_pooling1d.h"
#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling1d.h"
#include "cornu/layers/pooling/global_max_pooling1d.h"
#include "cornu/layers/pooling/max_pooling1d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::expect_passes;
using testing::input_gradient;
using testing::normal;
using testing::run;

/// A batch of one sequence with one feature.
Tensor one_feature(const std::vector<Real>& elements) {
  return {Shape{1, static_cast<Index>(elements.size()), 1}, elements};
}

TEST(MaxPooling1D, ReturnsTheMaximumOfEachWindow) {
  const Tensor x = one_feature({5, 1, 4, 2, 3});
  EXPECT_EQ(run(MaxPooling1D{}, x), one_feature({5, 4}));
  EXPECT_EQ(run(MaxPooling1D{.padding = Padding::same}, x), one_feature({5, 4, 3}));
  EXPECT_EQ(run(MaxPooling1D{.pool_size = 3, .strides = 1}, x), one_feature({5, 4, 4}));
  EXPECT_EQ(run(MaxPooling1D{.pool_size = 3, .strides = 1, .padding = Padding::same}, x), one_feature({5, 5, 4, 4, 3}));
  EXPECT_EQ(run(MaxPooling1D{.pool_size = 3, .strides = 1, .padding = Padding::causal}, x),
            one_feature({5, 5, 5, 4, 4}));
  EXPECT_EQ(run(MaxPooling1D{.strides = 1, .padding = Padding::same}, one_feature({1, 2, 4})), one_feature({2, 4, 4}));
  EXPECT_EQ(run(MaxPooling1D{.padding = Padding::causal}, one_feature({-5, -1, -4, -2})), one_feature({-5, -1}));
}

TEST(MaxPooling1D, SkipsStepsIfTheStridesAreLarger) {
  EXPECT_EQ(run(MaxPooling1D{.strides = 3}, one_feature({5, 1, 9, 2, 3})), one_feature({5, 3}));
  EXPECT_EQ(run(MaxPooling1D{.strides = 3, .padding = Padding::same}, one_feature({5, 1, 4, 2})), one_feature({5, 2}));
  EXPECT_EQ(run(MaxPooling1D{.strides = 3, .padding = Padding::causal}, one_feature({5, 9, 4, 2})),
            one_feature({5, 4}));
}

TEST(MaxPooling1D, PoolsEachFeatureOfEachSample) {
  const Tensor x({2, 3, 2}, {1, 6, 3, 2, 2, 4, -1, -6, -3, -2, -2, -4});
  EXPECT_EQ(run(MaxPooling1D{.pool_size = 3}, x), Tensor({2, 1, 2}, {3, 6, -1, -2}));
}

TEST(MaxPooling1D, TheFirstOfEqualMaximaGetsTheGradient) {
  EXPECT_EQ(input_gradient(MaxPooling1D{}, one_feature({1, 1, 0, 2}), one_feature({5, 3})), one_feature({5, 0, 0, 3}));
}

TEST(MaxPooling1D, PropagatesNaN) {
  const Tensor y = run(MaxPooling1D{}, one_feature({1, testing::nan, 2, 1}));
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(y[1], 2);
}

TEST(AveragePooling1D, AveragesThePartOfTheWindowInsideTheSequence) {
  const Tensor x = one_feature({6, 3, 9, 0, 3});
  EXPECT_EQ(run(AveragePooling1D{}, x), one_feature({4.5, 4.5}));
  EXPECT_EQ(run(AveragePooling1D{.padding = Padding::same}, x), one_feature({4.5, 4.5, 3}));
  EXPECT_EQ(run(AveragePooling1D{.padding = Padding::causal}, x), one_feature({6, 6, 1.5}));
  EXPECT_EQ(run(AveragePooling1D{.pool_size = 3, .strides = 1}, x), one_feature({6, 4, 4}));
  EXPECT_EQ(run(AveragePooling1D{.pool_size = 3, .strides = 1, .padding = Padding::same}, x),
            one_feature({4.5, 6, 4, 4, 1.5}));
  EXPECT_EQ(run(AveragePooling1D{.pool_size = 3, .strides = 1, .padding = Padding::causal}, x),
            one_feature({6, 4.5, 6, 4, 4}));
  EXPECT_EQ(run(AveragePooling1D{.strides = 4}, x), one_feature({4.5}));
}

TEST(AveragePooling1D, SharesTheGradientAmongTheStepsOfAWindow) {
  const Tensor x = one_feature({1, 2, 3});
  EXPECT_EQ(input_gradient(AveragePooling1D{.padding = Padding::same}, x, one_feature({4, 2})), one_feature({2, 2, 2}));
  EXPECT_EQ(input_gradient(AveragePooling1D{.padding = Padding::causal}, x, one_feature({4, 2})),
            one_feature({4, 1, 1}));
}

TEST(Pooling1D, IsPooling2DOfAnImageOfOneRow) {
  const Tensor x = normal({2, 7, 5});
  const Tensor image = reshape(x, {2, 1, 7, 5});
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const Index strides : {0, 1, 2, 5}) {
      const Tensor largest = run(MaxPooling1D{3, strides, padding}, x),
                   mean = run(AveragePooling1D{3, strides, padding}, x);
      EXPECT_EQ(reshape(run(MaxPooling2D{{1, 3}, {1, strides}, padding}, image), largest.shape()), largest);
      EXPECT_EQ(reshape(run(AveragePooling2D{{1, 3}, {1, strides}, padding}, image), mean.shape()), mean);
    }
  }
}

TEST(Pooling1D, CausalPaddingIgnoresLaterSteps) {
  const Tensor x = normal({1, 8, 2});
  for (Index changed = 0; changed < 8; ++changed) {
    Tensor other = x;
    other[2 * changed] = 100;
    for (const Index strides : {1, 3}) {
      const MaxPooling1D largest{.pool_size = 3, .strides = strides, .padding = Padding::causal};
      const AveragePooling1D average{.pool_size = 3, .strides = strides, .padding = Padding::causal};
      for (const auto& [y, changed_y] :
           {std::pair(run(largest, x), run(largest, other)), std::pair(run(average, x), run(average, other))}) {
        for (Index i = 0; i < y.shape()[1]; ++i) {  // window i ends at step i * strides
          const bool sees = i * strides - 2 <= changed && changed <= i * strides;
          EXPECT_EQ(y[2 * i] != changed_y[2 * i], sees) << "window " << i << ", step " << changed;
        }
      }
    }
  }
}

TEST(GlobalMaxPooling1D, ReturnsTheMaximumOfEachFeature) {
  const Tensor x({2, 2, 2}, {1, 2, 3, -6, 0, 1, 0, 2});
  EXPECT_EQ(run(GlobalMaxPooling1D{}, x), Tensor({2, 2}, {3, 2, 0, 2}));
  EXPECT_EQ(run(GlobalMaxPooling1D{.keepdims = true}, x), Tensor({2, 1, 2}, {3, 2, 0, 2}));
  EXPECT_TRUE(std::isnan(run(GlobalMaxPooling1D{}, one_feature({1, testing::nan, 2}))[0]));
}

TEST(GlobalMaxPooling1D, EqualMaximaShareTheGradient) {
  EXPECT_EQ(input_gradient(GlobalMaxPooling1D{}, one_feature({3, 1, 3}), Tensor({1, 1}, {4})), one_feature({2, 0, 2}));
}

TEST(GlobalAveragePooling1D, AveragesEachFeature) {
  const Tensor x({2, 2, 2}, {1, 2, 3, 6, 0, 1, 0, 2});
  EXPECT_EQ(run(GlobalAveragePooling1D{}, x), Tensor({2, 2}, {2, 4, 0, 1.5}));
  EXPECT_EQ(run(GlobalAveragePooling1D{.keepdims = true}, x), Tensor({2, 1, 2}, {2, 4, 0, 1.5}));
}

TEST(Pooling1D, PassesCheckLayer) {
  for (const Padding padding : {Padding::valid, Padding::same, Padding::causal}) {
    for (const Index strides : {0, 1, 4}) {
      for (const Shape& input : {Shape{3, 1}, Shape{7, 2}}) {
        expect_passes(MaxPooling1D{.pool_size = 3, .strides = strides, .padding = padding}, input);
        expect_passes(AveragePooling1D{.pool_size = 3, .strides = strides, .padding = padding}, input);
      }
    }
  }
  for (const bool keepdims : {false, true}) {
    expect_passes(GlobalMaxPooling1D{keepdims}, {5, 2});
    expect_passes(GlobalAveragePooling1D{keepdims}, {5, 2});
  }
}

TEST(Pooling1D, KeepsSamplesIndependent) {
  const auto mixes = [](const auto& layer) {
    const Tensor x = normal({3, 3, 3});
    Tape tape;
    layer.forward(tape.samples(x));
    return tape.mixes_samples();
  };
  EXPECT_FALSE(mixes(MaxPooling1D{.padding = Padding::causal}));
  EXPECT_FALSE(mixes(AveragePooling1D{}));
  EXPECT_FALSE(mixes(GlobalMaxPooling1D{}));
  EXPECT_FALSE(mixes(GlobalAveragePooling1D{.keepdims = true}));
}

TEST(Pooling1D, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](auto layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build(MaxPooling1D{}, {4}), "MaxPooling1D: a sample of shape (4,); (steps, features) is required");
  EXPECT_EQ(text_of_build(AveragePooling1D{}, {4, 4, 1}),
            "AveragePooling1D: a sample of shape (4, 4, 1); (steps, features) is required");
  EXPECT_EQ(text_of_build(MaxPooling1D{.pool_size = 0}, {4, 1}),
            "MaxPooling1D: the window is (1, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build(AveragePooling1D{.strides = -2}, {4, 1}),
            "AveragePooling1D: strides is (1, -2); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(text_of_build(MaxPooling1D{}, {1, 3}),
            "MaxPooling1D: images of shape (1, 1, 1, 3) are too small for a window of (1, 2), dilation (1, 1); "
            "Padding::same may be meant");
  EXPECT_EQ(text_of_build(AveragePooling1D{.padding = Padding::causal}, {0, 3}),
            "AveragePooling1D: images of shape (1, 1, 0, 3) are too small for a window of (1, 2), dilation (1, 1)");
  EXPECT_EQ(text_of_build(GlobalMaxPooling1D{}, {0, 2}),
            "GlobalMaxPooling1D: a sample of shape (0, 2); (steps, features) with at least one step is required");
  EXPECT_EQ(text_of_build(GlobalAveragePooling1D{}, {2}),
            "GlobalAveragePooling1D: a sample of shape (2,); (steps, features) with at least one step is required");
}

TEST(Pooling1D, RejectsInputsThatAreNotSequences) {
  const auto text_of_run = [](const auto& layer, const Shape& shape) {
    return error_of<ShapeError>([&] { run(layer, Tensor(shape)); });
  };
  EXPECT_EQ(text_of_run(MaxPooling1D{}, {2, 3}),
            "MaxPooling1D: an input of shape (2, 3); (batch, steps, features) is required");
  EXPECT_EQ(text_of_run(AveragePooling1D{}, {2, 3, 4, 1}),
            "AveragePooling1D: an input of shape (2, 3, 4, 1); (batch, steps, features) is required");
  EXPECT_EQ(text_of_run(GlobalMaxPooling1D{}, {2, 0, 3}),
            "GlobalMaxPooling1D: an input of shape (2, 0, 3); (batch, steps, features) with at least one step is "
            "required");
  EXPECT_EQ(
      text_of_run(GlobalAveragePooling1D{}, {}),
      "GlobalAveragePooling1D: an input of shape (); (batch, steps, features) with at least one step is required");
}

}  // namespace
}  // namespace cornu
