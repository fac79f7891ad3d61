#include "cornu/layers/normalization/normalization.h"

#include <gtest/gtest.h>

#include "cornu/core/ops/eager.h"
#include "cornu/layers/check_layer.h"
#include "cornu/layers/reset_parameters.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_near;
using testing::run;

Normalization adapted(Normalization layer, const Tensor& data) {
  layer.adapt(data);
  return layer;
}

TEST(Normalization, AdaptsToEachFeature) {
  const Tensor x = Tensor::matrix({{1, 10}, {3, 30}, {5, 20}, {7, 20}});
  const Normalization layer = adapted({}, x);
  EXPECT_EQ(layer.mean.value, Tensor::vector({4, 20}));
  EXPECT_EQ(layer.variance.value, Tensor::vector({5, 50}));
  EXPECT_EQ(layer.count, 4);
  const Tensor y = run(layer, x);
  expect_near(mean(y, 0), Tensor::vector({0, 0}), 4 * testing::rounding);
  expect_near(mean(square(y), 0), Tensor::vector({1, 1}), 4 * testing::rounding);
}

TEST(Normalization, InvertUndoesTheNormalization) {
  const Tensor x = testing::normal({8, 3});
  Normalization layer = adapted({}, x);
  const Tensor y = run(layer, x);
  layer.invert = true;
  expect_near(run(layer, y), x, 4 * testing::rounding);
}

TEST(Normalization, AcceptsAGivenMeanAndVariance) {
  Normalization layer{.mean = {Tensor::vector({1, 2})}, .variance = {Tensor::vector({4, 9})}};
  layer = built(layer, {2});
  EXPECT_EQ(run(layer, Tensor::matrix({{3, 5}, {1, 2}})), Tensor::matrix({{1, 1}, {0, 0}}));
  for (const NamedParameter& named : layer.parameters()) EXPECT_FALSE(named.parameter->trainable) << named.name;
  const Normalization one = built(
      Normalization{.mean = {Tensor::scalar(127.5)}, .variance = {Tensor::scalar(Real(127.5) * Real(127.5))}}, {2, 3});
  EXPECT_EQ(one.mean.shape(), Shape{3}) << "broadcast to all features";
  expect_near(run(one, Tensor::full({1, 2, 3}, 255)), Tensor::full({1, 2, 3}, 1), 4 * testing::rounding);
}

TEST(Normalization, IsTheIdentityBeforeAdapt) {
  const Tensor x = testing::normal({4, 3});
  EXPECT_EQ(run(built(Normalization{}, {3}), x), x);
}

TEST(Normalization, BuildKeepsTheAdaptedStatistics) {
  const Normalization layer = adapted({}, Tensor::matrix({{1, 10}, {3, 30}}));
  EXPECT_EQ(built(layer, {2}).mean.value, layer.mean.value);
  EXPECT_EQ(built(layer, {5, 2}).variance.value, layer.variance.value);
}

TEST(Normalization, KeepsTheGivenAxes) {
  const Tensor x = testing::normal({6, 2, 3});
  const Normalization all = adapted({.axis = {}}, x);
  EXPECT_EQ(all.mean.shape(), Shape{});
  expect_near(Tensor::scalar(all.mean.value.item()), mean(x), 4 * testing::rounding);
  const Normalization first = adapted({.axis = {1}}, x);
  expect_near(first.mean.value, mean(mean(x, 2), 0), 4 * testing::rounding);
  for (const std::vector<Index>& axis : {std::vector<Index>{1, 2}, {-1, 1}, {-2, -1}}) {
    const Normalization both = adapted({.axis = axis}, x);
    expect_near(both.mean.value, mean(x, 0), 4 * testing::rounding);
    expect_near(mean(square(run(both, x)), 0), Tensor::full({2, 3}, 1), 4 * testing::rounding);
  }
  for (const Normalization& layer : {all, first}) {
    const Tensor y = run(layer, x);
    expect_near(mean(y), Tensor::scalar(0), 4 * testing::rounding);
    expect_near(mean(square(y)), Tensor::scalar(1), 4 * testing::rounding);
  }
}

TEST(Normalization, AdaptingInPartsEqualsAdaptingToTheWhole) {
  Tensor x = testing::normal({100, 3});
  for (Index i = 0; i < x.size(); ++i) x[i] = 1000 + x[i] * static_cast<Real>(i % 3);  // column 0 is constant
  const Normalization whole = adapted({}, x);
  Normalization parts = adapted({}, testing::normal({4, 5}));
  parts.reset_state();
  for (const auto& [begin, end] : {std::pair<Index, Index>{0, 1}, {1, 40}, {40, 100}}) {
    parts.update_state(slice_axis(x, 0, begin, end));
  }
  EXPECT_EQ(parts.count, 100);
  expect_near(parts.mean.value, whole.mean.value, 1e3 * testing::rounding);
  expect_near(parts.variance.value, whole.variance.value, 1e3 * testing::rounding);
  EXPECT_EQ(parts.mean.value[0], 1000);
  EXPECT_EQ(parts.variance.value[0], 0);
}

TEST(Normalization, NeedsACountToUpdateAGivenMeanAndVariance) {
  const Tensor x = testing::normal({10, 3});
  const std::string text =
      "Normalization: update_state needs the number of samples behind the given mean and variance; set count, or "
      "call reset_state first";
  const Normalization whole = adapted({}, x), first = adapted({}, slice_axis(x, 0, 0, 6));
  Normalization given{.mean = first.mean, .variance = first.variance};
  EXPECT_EQ(error_of<StateError>([&] { given.update_state(slice_axis(x, 0, 6, 10)); }), text);
  given = built(given, {3});
  EXPECT_EQ(error_of<StateError>([&] { given.update_state(slice_axis(x, 0, 6, 10)); }), text);
  EXPECT_EQ(given.mean.value, first.mean.value) << "nothing has changed";
  given.count = 6;
  given.update_state(slice_axis(x, 0, 6, 10));
  expect_near(given.mean.value, whole.mean.value, 4 * testing::rounding);
  expect_near(given.variance.value, whole.variance.value, 4 * testing::rounding);
  Normalization fresh = built(Normalization{}, {3});
  fresh.update_state(x);
  EXPECT_EQ(fresh.mean.value, whole.mean.value) << "a built layer's initial 0 and 1 have no weight";
  given.reset_state();
  EXPECT_NO_THROW(given.update_state(x));
  Rng rng(1);
  EXPECT_EQ(error_of<ValueError>([&] { Normalization{.count = -1}.build({3}, rng); }),
            "Normalization: count is -1; it must be from 0 to 9007199254740992");
}

TEST(Normalization, ResettingParametersResetsTheCount) {
  const Tensor x = testing::normal({10, 3});
  for (const bool builds : {false, true}) {
    Normalization layer = adapted({}, testing::normal({5, 3}));
    reset_parameters(layer);
    if (builds) layer = built(layer, {3});
    layer.update_state(x);
    EXPECT_EQ(layer.count, 10);
    EXPECT_EQ(layer.mean.value, adapted({}, x).mean.value);
  }
}

TEST(Normalization, AConstantFeatureBecomesZero) {
  const Tensor x = Tensor::matrix({{Real(0.1), 1}, {Real(0.1), 2}, {Real(0.1), 3}});
  const Tensor y = run(adapted({}, x), x);
  for (const Index i : {0, 2, 4}) EXPECT_EQ(y[i], 0);
}

TEST(Normalization, PassesCheckLayer) {
  for (const Shape& input : {Shape{3}, Shape{2, 3}}) {
    for (const bool invert : {false, true}) {
      const Normalization layer = adapted({.invert = invert}, testing::normal(input.batched(9)));
      testing::expect_passes(layer, input);
    }
  }
  EXPECT_TRUE(check_layer(Normalization{.axis = {}}, {2, 3}).passed());
}

TEST(Normalization, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](Normalization layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  const std::string rest = "; distinct axes of samples of shape (3, 4), other than the batch axis, are required";
  EXPECT_EQ(text_of_build({.axis = {0}}, {3, 4}), "Normalization: axis is (0,)" + rest);
  EXPECT_EQ(text_of_build({.axis = {3}}, {3, 4}), "Normalization: axis is (3,)" + rest);
  EXPECT_EQ(text_of_build({.axis = {1, 1}}, {3, 4}), "Normalization: axis is (1, 1)" + rest);
  EXPECT_EQ(text_of_build({.axis = {2, -1}}, {3, 4}), "Normalization: axis is (2, -1)" + rest);
  EXPECT_EQ(text_of_build({.mean = {Tensor::vector({1})}}, {3}),
            "Normalization: only the mean is given; give the variance as well, or neither");
  EXPECT_EQ(text_of_build({.mean = {Tensor({2})}, .variance = {Tensor({2})}}, {3}),
            "Normalization: the mean or variance has shape (2,), but the axes have sizes (3,). A layer that has both "
            "keeps them: adapt it to other data, or call reset_parameters(layer) first");
  EXPECT_EQ(text_of_build({.mean = {Tensor({2, 3})}, .variance = {Tensor({3})}}, {3}),
            "Normalization: the mean or variance has shape (2, 3), but the axes have sizes (3,). A layer that has both "
            "keeps them: adapt it to other data, or call reset_parameters(layer) first");
  EXPECT_EQ(error_of<ShapeError>([] {
              Normalization{}.adapt(Tensor({0, 3}));
            }),
            "Normalization: data of shape (0, 3); (samples, ...) with at least one sample is required");
  EXPECT_EQ(error_of<ShapeError>([] {
              adapted({}, Tensor({2, 3})).update_state(Tensor({2, 4}));
            }),
            "Normalization: data of shape (2, 4) does not match earlier data, whose means have shape (3,)");
  EXPECT_EQ(error_of<ShapeError>([] {
              run(adapted({}, Tensor({2, 3})), Tensor({2, 4}));
            }),
            "Normalization: an input of shape (2, 4); its axes (-1,) must be (3,)");
  EXPECT_EQ(error_of<StateError>([] {
              run(Normalization{}, Tensor({2, 4}));
            }),
            "Normalization: used before it was built; adapt it, call build(shape of a sample, rng), or put it into a "
            "model");
}

}  // namespace
}  // namespace cornu
