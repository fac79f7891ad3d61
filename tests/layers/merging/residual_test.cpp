#include "cornu/layers/merging/residual.h"

#include <gtest/gtest.h>

#include "cornu/layers/activation.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/input.h"
#include "cornu/layers/merging/concatenate.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_error;
using testing::normal;
using testing::run;

std::vector<std::string> names_of(NamedParameters parameters) {
  std::vector<std::string> names;
  for (const NamedParameter& named : parameters) names.push_back(named.name);
  return names;
}
using Strings = std::vector<std::string>;

TEST(Residual, AddsTheOutputOfItsLayersToTheInput) {
  Residual layer = built(Residual{Dense{3, tanh}, Dense{2}}, {2});
  const NamedLayers layers = layer.layers();
  const Tensor x = normal({5, 2});
  const Tensor f = run(*layers[1].layer, run(*layers[0].layer, x)), y = run(layer, x);
  for (Index i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], x[i] + f[i]);
}

TEST(Residual, PassesCheckLayer) {
  for (const Residual& layer :
       {Residual{Dense{4}}, Residual{Dense{6, tanh}, Dense{4}}, Residual{Residual{Dense{4, sigmoid}}, Tanh{}}}) {
    testing::expect_passes(layer, {4});
  }
  testing::expect_passes(Residual{Dense{3, tanh}}, {2, 3});
}

TEST(Residual, NamesItsLayersLikeAModel) {
  EXPECT_EQ(names_of(Residual{Dense{4}, {"middle", Dense{4}}, Dense{4}, Residual{Dense{4}}}.parameters()),
            (Strings{"dense/kernel", "dense/bias", "middle/kernel", "middle/bias", "dense_1/kernel", "dense_1/bias",
                     "residual/dense/kernel", "residual/dense/bias"}));
  expect_error<ValueError>(
      [] {
        Residual{{"a", Dense{1}}, {"a", Dense{1}}};
      },
      "Residual: there is already a layer named \"a\"");
}

TEST(Residual, RejectsLayersThatChangeTheShape) {
  Rng rng(1);
  Residual layer{Dense{1}};
  expect_error<ShapeError>([&] { layer.build({3}, rng); },
                           "Residual: its layers return samples of shape (1,) for samples of shape (3,); the shapes "
                           "must be equal, because the two are added");
  expect_error<StateError>(
      [&] {
        run(layer, normal({2, 3}));
      },
      "Residual: not built, because its input shape is unknown; begin with an Input, or call build or fit");
  expect_error<StateError>([&] { Residual{}.build({3}, rng); }, "Residual: there are no layers to build");
  EXPECT_EQ(error_of<ValueError>([&] { AnyLayer("skip", Residual{Dense{0}}).build({3}, rng); }),
            "skip: dense: Dense: units is 0; it must be positive");
  EXPECT_EQ((Residual{Input{3}, Dense{3}}.input_shape()), Shape{3});
}

TEST(Concatenate, ConcatenatesTheOutputsOfItsChains) {
  Concatenate layer = built(Concatenate{{Dense{3}}, {}, {Dense{5, relu}, Dense{1}}}, {2});
  const NamedLayers layers = layer.layers();
  const Tensor x = normal({4, 2}), y = run(layer, x);
  ASSERT_EQ(y.shape(), (Shape{4, 6}));
  const Tensor first = run(*layers[0].layer, x), last = run(*layers[2].layer, run(*layers[1].layer, x));
  for (Index row = 0; row < 4; ++row) {
    for (Index k = 0; k < 3; ++k) EXPECT_EQ(y.at({row, k}), first.at({row, k}));
    for (Index k = 0; k < 2; ++k) EXPECT_EQ(y.at({row, 3 + k}), x.at({row, k}));
    EXPECT_EQ(y.at({row, 5}), last[row]);
  }
}

TEST(Concatenate, PassesCheckLayer) {
  testing::expect_passes(Concatenate{{Dense{3, tanh}}, {}, {Dense{2, sigmoid}, Dense{4}}}, {3});
  testing::expect_passes(Concatenate({{Dense{3, tanh}}, {}}, 1), {2, 3});
}

TEST(Concatenate, ConcatenatesAlongAnyAxisButTheBatch) {
  Rng rng(1);
  EXPECT_EQ(Concatenate({{Dense{3}}, {}}, 1).build({2, 3}, rng), (Shape{4, 3}));
  EXPECT_EQ(Concatenate({{Dense{3}}, {}}, -2).build({2, 3}, rng), (Shape{4, 3}));
  EXPECT_EQ(Concatenate({{Dense{3}}, {}}, 2).build({2, 5}, rng), (Shape{2, 8}));
  for (const Index axis : {0, -3, 3}) {
    EXPECT_EQ(error_of<ShapeError>([&] {
                Concatenate({{Dense{3}}, {}}, axis).build({2, 3}, rng);
              }),
              "Concatenate: axis is " + std::to_string(axis) +
                  "; samples of shape (2, 3) have axes 1 to 2, and axis 0 is the batch");
  }
  expect_error<ShapeError>(
      [&] {
        Concatenate({{Dense{4}}, {}}, 1).build({2, 3}, rng);
      },
      "Concatenate: its chains return samples of shapes (2, 4) and (2, 3); they must agree except along axis 1");
  expect_error<StateError>([&] { Concatenate{}.build({2}, rng); }, "Concatenate: there are no chains to build");
}

TEST(Concatenate, LayerNamesAreUniqueAcrossItsChains) {
  EXPECT_EQ(names_of(Concatenate{{Dense{4}}, {Dense{4}, {"last", Dense{4}}}}.parameters()),
            (Strings{"dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias", "last/kernel", "last/bias"}));
  expect_error<ValueError>(
      [] {
        Concatenate{{{"a", Dense{1}}}, {{"a", Dense{1}}}};
      },
      "Concatenate: there is already a layer named \"a\"");
}

TEST(Concatenate, InitializesItsLayersDifferently) {
  Concatenate layer = built(Concatenate{{Dense{4}}, {Dense{4}}}, {3});
  const NamedParameters parameters = layer.parameters();
  EXPECT_NE(parameters[0].parameter->value, parameters[2].parameter->value);
}

}  // namespace
}  // namespace cornu
