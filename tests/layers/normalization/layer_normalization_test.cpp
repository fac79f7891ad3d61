#include "cornu/layers/normalization/layer_normalization.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_passes;
using testing::run;

TEST(LayerNormalization, NormalizesEachPositionSeparately) {
  LayerNormalization layer = built(LayerNormalization{}, {4});
  const double inner = 0.447034817322, outer = 1.341104451965;
  const Tensor x = Tensor::matrix({{1, 2, 3, 4}, {40, 30, 20, 10}});
  const Tensor y = run(layer, x);
  EXPECT_NEAR(y[0], -outer, std::max(testing::rounding, 1e-12));
  EXPECT_NEAR(y[2], inner, std::max(testing::rounding, 1e-12));
  EXPECT_NEAR(y[4], 1.5 / std::sqrt(1.25 + 1e-5), 10 * testing::rounding) << "tenfold, with a hundredth of epsilon";
  layer.gamma.value = Tensor::vector({1, 2, 3, 4});
  layer.beta.value = Tensor::vector({5, 6, 7, 8});
  const Tensor scaled = run(layer, x);
  for (Index i = 0; i < 8; ++i) {
    EXPECT_NEAR(scaled[i], y[i] * static_cast<Real>(i % 4 + 1) + static_cast<Real>(i % 4 + 5), 4 * testing::rounding);
  }
  EXPECT_EQ(run(layer, x, Mode::training), scaled);
}

TEST(LayerNormalization, KeepsPrecisionFarFromZero) {
  Tensor x({2, 600});
  for (Index i = 0; i < x.size(); ++i) x[i] = static_cast<Real>(i % 2 == 0 ? 10001 : 9999);
  for (const Real y : run(built(LayerNormalization{}, {600}), x)) {
    EXPECT_NEAR(std::abs(y), 1 / std::sqrt(1.001), testing::rounding);
  }
}

TEST(LayerNormalization, AcceptsSeveralOfTheLastAxesInAnyOrder) {
  const Tensor x = testing::normal({2, 3, 4, 2});
  Tensor rows = x;
  rows.reshape({2, 3, 8});
  Tensor expected = run(built(LayerNormalization{}, {3, 8}), rows);
  expected.reshape(x.shape());
  for (const std::vector<Index>& axis : {std::vector<Index>{-2, -1}, {3, 2}, {-1, 2}}) {
    const LayerNormalization layer = built(LayerNormalization{.axis = axis}, {3, 4, 2});
    EXPECT_EQ(layer.gamma.shape(), (Shape{4, 2}));
    EXPECT_EQ(run(layer, x), expected);
  }
}

TEST(LayerNormalization, PassesCheckLayer) {
  for (const Shape& input : {Shape{1}, Shape{5}, Shape{2, 20}, Shape{2, 2, 3}})
    expect_passes<LayerNormalization>({}, input);
  for (const bool center : {true, false}) {
    for (const bool scale : {true, false})
      expect_passes<LayerNormalization>({.center = center, .scale = scale}, {2, 4});
  }
  expect_passes<LayerNormalization>({.axis = {-2, -1}, .epsilon = 0.1}, {3, 4});
  expect_passes<LayerNormalization>({.axis = {1, 2, 3}}, {2, 2, 3});
}

TEST(LayerNormalization, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](LayerNormalization layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  const std::string rest = "; for samples of shape (3, 4) it must list the last axes";
  EXPECT_EQ(text_of_build({.axis = {1}}, {3, 4}), "LayerNormalization: axis is (1,)" + rest);
  EXPECT_EQ(text_of_build({.axis = {}}, {3, 4}), "LayerNormalization: axis is ()" + rest);
  EXPECT_EQ(text_of_build({.axis = {-1, 2}}, {3, 4}), "LayerNormalization: axis is (-1, 2)" + rest);
  EXPECT_EQ(text_of_build({.axis = {0, 1, 2}}, {3, 4}), "LayerNormalization: axis is (0, 1, 2)" + rest);
  EXPECT_EQ(text_of_build({.epsilon = -1}, {3}),
            "LayerNormalization: epsilon is -1; it must be finite and not negative");
  EXPECT_EQ(text_of_build({.beta_initializer = nullptr}, {3}),
            "LayerNormalization: an initializer is empty; use zeros or ones if in doubt");
  EXPECT_EQ(error_of<StateError>([] {
              run(LayerNormalization{}, Tensor({2, 3}));
            }),
            "LayerNormalization: used before it was built; call build(shape of a sample, rng), or put it into a model");
  EXPECT_EQ(error_of<ShapeError>([] {
              run(built(LayerNormalization{}, {3}), Tensor({2, 4}));
            }),
            "LayerNormalization: an input of shape (2, 4); its last axes must be (3,)");
}

}  // namespace
}  // namespace cornu
