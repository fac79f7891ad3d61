#include <gtest/gtest.h>

#include <filesystem>

#include "cornu/tests/models/support.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

// A built layer keeps its weights when it is put into another layer or model, and when that is built.

namespace cornu {
namespace {

using namespace cornu::testing;

/// A struct that owns layers and has no build.
struct SkippingNet {
  AnyLayer trunk = Dense{4, tanh}, head = Dense{4};
  Var forward(Var x) const { return head(trunk(x)) + x; }
  NamedLayers layers() { return {{"trunk", &trunk}, {"head", &head}}; }
};

/// A struct that owns a layer as a concrete type, builds it itself, and replaces its parameters with all their flags.
struct Own {
  Dense inner{4};
  Parameter gain{};
  Shape build(const Shape& input, Rng& rng) {
    gain = Parameter{Tensor::scalar(rng.uniform())};
    return inner.build(input, rng);
  }
  Var forward(Var x) const { return inner.forward(x) * gain; }
  NamedParameters parameters() {
    return {{"inner/kernel", &inner.kernel}, {"inner/bias", &inner.bias}, {"gain", &gain}};
  }
};

/// Layers of every kind that contains or wraps others, all from (4) to (4).
std::vector<AnyLayer> layers_of_each_kind() {
  return {Dense{4},
          BatchNormalization{},
          Residual{Dense{4, relu}, Dense{4}},
          Concatenate{{Dense{2}}, {Dense{3, relu}, Dense{2}}},
          Sequential{Dense{4}, Residual{Dense{4}}},
          Sequential{Input{4}, Dense{6}, BatchNormalization{}, Dense{4}},
          SkippingNet{},
          Own{},
          Residual{SkippingNet{}, Sequential{Input{4}, Own{}}}};
}

/// A layer trained in another model, so that its weights are not those drawn from any seed.
AnyLayer trained_elsewhere(const AnyLayer& layer) {
  Sequential model({Input{4}, {"part", layer}}, {.seed = 11});
  model.compile({.optimizer = Adam{.learning_rate = 0.1}, .loss = MeanSquaredError{}});
  for (int step = 0; step < 5; ++step) model.train_on_batch(normal({8, 4}), normal({8, 4}, 6));
  return model.get_layer("part");
}

Tensor outputs(const AnyLayer& layer, const Tensor& x) {
  Tape tape(Mode::inference);
  return Tensor(layer.forward(tape.input(x)).value());
}

void expect_same_parameters(const AnyLayer& a, const AnyLayer& b) {
  const auto mine = a.parameters(), others = b.parameters();
  ASSERT_EQ(mine.size(), others.size());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    EXPECT_EQ(mine[i].first, others[i].first);
    EXPECT_EQ(mine[i].second->value, others[i].second->value) << mine[i].first;
    EXPECT_EQ(mine[i].second->frozen, others[i].second->frozen) << mine[i].first;
    EXPECT_EQ(mine[i].second->trainable, others[i].second->trainable) << mine[i].first;
  }
}

TEST(KeepingWeights, OfEveryLayerInEveryPosition) {
  const Tensor x = normal({3, 4}, 9);
  for (const bool frozen : {false, true}) {
    for (const AnyLayer& untrained : layers_of_each_kind()) {
      SCOPED_TRACE(untrained.type());
      AnyLayer part = trained_elsewhere(untrained);
      if (frozen) freeze(part);
      const Tensor expected = outputs(part, x);
      const auto check = [&](Sequential model, std::string_view path) {
        SCOPED_TRACE(path);
        expect_same_parameters(model.get_layer(path), part);
        EXPECT_EQ(outputs(model.get_layer(path), x), expected);
        model.build({4});  // and again
        EXPECT_EQ(outputs(model.get_layer(path), x), expected);
      };
      check({Input{4}, part}, "part");
      check({Input{4}, Dense{4}, part, Dense{2}}, "part");
      Sequential late{Dense{4}, part};
      late.build({4});
      check(late, "part");
      Sequential grown{Input{4}, Dense{4}};
      grown.add(part);
      check(grown, "part");
      check({Input{4}, {"outer", Sequential{part, Dense{4}}}}, "outer/part");
      check({Input{4}, {"outer", Residual{part}}}, "outer/part");
      check({Input{4}, {"outer", Concatenate{{part}, {Dense{3}}}}}, "outer/part");
      SkippingNet net;
      net.trunk = part;
      check({Input{4}, {"net", net}}, "net/trunk");
    }
  }
}

TEST(KeepingWeights, OfALoadedModel) {
  const testing::TemporaryFolder folder;
  Sequential model = classifier();
  const TensorDataset data = blobs(12);
  model.fit(data, {.epochs = 3, .verbose = Verbose::silent});
  freeze(model.get_layer(0));
  model.save(folder.path() / "model.safetensors");
  const Sequential loaded = Sequential::load(folder.path() / "model.safetensors");
  Sequential outer({loaded}, {.name = "outer"});
  outer.build({2});
  EXPECT_EQ(outer.predict(data.x()), model.predict(data.x()));
  EXPECT_TRUE(outer.get_layer("sequential/dense").as<Dense>()->kernel.frozen);
  EXPECT_FALSE(outer.get_layer("sequential/dense_1").as<Dense>()->kernel.frozen);
}

TEST(KeepingWeights, OfAStructTakenFromAModel) {
  Sequential model{Input{4}, Dense{3}};
  const Dense taken = *model.get_layer(0).as<Dense>();
  const Sequential other({Input{4}, taken}, {.seed = 5});
  EXPECT_EQ(other.get_weights(), model.get_weights());
}

TEST(KeepingWeights, OnlyFrozenWeightsStayTheSameInTraining) {
  Sequential trunk{Input{4}, Dense{4, tanh}, BatchNormalization{}};
  trunk.compile({.loss = MeanSquaredError{}});
  trunk.train_on_batch(normal({8, 4}), normal({8, 4}, 2));
  freeze(trunk);
  Sequential model({trunk, Dense{1}}, {.name = "model"});
  const std::vector<Tensor> before = model.get_weights();
  model.compile({.loss = MeanSquaredError{}});
  model.train_on_batch(normal({8, 4}), normal({8, 1}, 2));
  const std::vector<Tensor> after = model.get_weights();
  ASSERT_EQ(after.size(), 8U);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(after[i], before[i]);
  EXPECT_NE(after[6], before[6]);
}

TEST(KeepingWeights, ALayerFrozenBeforeItIsBuiltStaysFrozen) {
  AnyLayer own = Own{};
  freeze(own);
  const Sequential model{Input{4}, {"own", own}};
  for (const auto& [name, parameter] : model.parameters()) EXPECT_TRUE(parameter->frozen) << name;
}

TEST(KeepingWeights, ForInputsOfAnotherShapeIfTheWeightsFit) {
  Sequential model{Conv2D{.filters = 3, .kernel_size = 3}, GlobalAveragePooling2D{}, Dense{2}};
  model.build({8, 8, 1});
  const std::vector<Tensor> weights = model.get_weights();
  model.build({12, 9, 1});
  EXPECT_EQ(model.get_weights(), weights);
  EXPECT_EQ(model.output_shape(0), (Shape{10, 7, 3}));
  EXPECT_EQ(model.predict(normal({2, 12, 9, 1})).shape(), (Shape{2, 2}));
}

TEST(KeepingWeights, WeightsThatDoNotFitAreAnErrorThatNamesTheReset) {
  Sequential model{Dense{3}, Dense{2}};
  model.build({4});
  const std::vector<Tensor> weights = model.get_weights();
  expect_error<ShapeError>([&] { model.build({5}); },
                           "dense: kernel has shape (4, 3), but inputs of shape (5,) require (5, 3). A built layer "
                           "keeps its weights: replace it by a new Dense, or call reset_parameters(layer) first");
  EXPECT_EQ(model.get_weights(), weights);
  EXPECT_EQ(model.input_shape(), Shape{4});
  EXPECT_EQ(model.predict(normal({2, 4})).shape(), (Shape{2, 2}));

  const AnyLayer used = model.get_layer(0);
  expect_error<ShapeError>(
      [&] {
        Sequential({Input{7}, used});
      },
      "dense: kernel has shape (4, 3), but inputs of shape (7,) require (7, 3). A built layer keeps its weights: "
      "replace it by a new Dense, or call reset_parameters(layer) first");

  reset_parameters(model);
  EXPECT_THROW(model.predict(normal({2, 4})), StateError);
  model.build({5});
  EXPECT_EQ(model.predict(normal({2, 5})).shape(), (Shape{2, 2}));
}

TEST(KeepingWeights, EveryLayerNeedsAResetForAnotherWidth) {
  Index with_weights = 0;
  for (const testing::LayerRow& row : testing::every_layer()) {
    if (row.layer.as<Input>() != nullptr || row.layer.as<Reshape>() != nullptr) continue;
    SCOPED_TRACE(row.layer.type());
    Rng rng(1);
    AnyLayer layer = row.layer;
    layer.build(row.input, rng);
    const Shape wider = row.input.with(-1, row.input[-1] + 1);
    const bool has_weights = !layer.parameters().empty() && layer.as<Embedding>() == nullptr;
    if (!has_weights) {
      EXPECT_NO_THROW(layer.build(wider, rng));
      continue;
    }
    ++with_weights;
    const std::string text = error_of<ShapeError>([&] { layer.build(wider, rng); });
    EXPECT_NE(text.find("reset_parameters(layer)"), std::string::npos) << text;
    if (layer.as<Residual>() != nullptr) continue;  // its Dense is as wide as its inputs were
    reset_parameters(layer);
    EXPECT_NO_THROW(layer.build(wider, rng));
  }
  EXPECT_GE(with_weights, 10);
}

TEST(KeepingWeights, AModelThatWasResetSaysHowToBuildIt) {
  const testing::TemporaryFolder folder;
  Sequential model{Input{4}, Dense{3}, BatchNormalization{}};
  model.compile({.loss = MeanSquaredError{}});
  const std::string file = folder / "weights.safetensors";
  model.save_weights(file);
  const std::vector<Tensor> weights = model.get_weights();
  reset_parameters(model);
  const std::string text =
      "sequential: dense/kernel has no values (after reset_parameters?); build the model first: "
      "model.build(*model.input_shape())";
  expect_error<StateError>([&] { model.set_weights(weights); }, text);
  expect_error<StateError>([&] { model.load_weights(file); }, file + ": " + text);
  expect_error<StateError>([&] { to_cpp(model); }, text);
  expect_error<StateError>([&] { model.export_cpp(folder / "model.h"); }, text);
  const Tensor x = normal({2, 4}), y = normal({2, 3});
  for (const std::string& other : {error_of<StateError>([&] { static_cast<void>(model.predict(x)); }),
                                   error_of<StateError>([&] { model.evaluate(x, y); }),
                                   error_of<StateError>([&] { model.fit(x, y, {.verbose = Verbose::silent}); }),
                                   error_of<StateError>([&] { model.train_on_batch(x, y); })}) {
    EXPECT_NE(other.find("build"), std::string::npos) << other;
  }
  model.build(*model.input_shape());
  model.load_weights(file);
  EXPECT_EQ(model.get_weights(), weights);
}

TEST(KeepingWeights, AResetModelIsInitialisedLikeANewOne) {
  Sequential model{Input{4}, Dense{3, relu}, BatchNormalization{}, Dense{2}};
  const std::vector<Tensor> fresh = model.get_weights();
  model.compile({.loss = MeanSquaredError{}});
  model.train_on_batch(normal({8, 4}), normal({8, 2}));
  const std::vector<Tensor> learnt = model.get_weights();
  reset_parameters(model.get_layer(-1));
  model.build({4});
  EXPECT_EQ(model.get_weights()[0], learnt[0]);
  EXPECT_EQ(model.get_weights().back(), fresh.back());
  EXPECT_NE(model.get_weights()[0], fresh[0]);
  reset_parameters(model);
  model.build({4});
  EXPECT_EQ(model.get_weights(), fresh);
}

TEST(KeepingWeights, AnOptionThatWouldChangeAWeightIsAnErrorToo) {
  Sequential model{Input{4}, Dense{3}};
  model.get_layer(0).as<Dense>()->units = 5;
  EXPECT_THROW(model.build({4}), ShapeError);
  model.get_layer(0).as<Dense>()->units = 3;
  model.get_layer(0).as<Dense>()->kernel_regularizer = L2{0.5};
  model.build({4});  // and the parameters' options take effect
  EXPECT_EQ(model.get_layer(0).as<Dense>()->kernel.regularizer.l2, 0.5);
}

TEST(KeepingWeights, AMeanGivenForAllFeaturesIsBroadcast) {
  Normalization all;
  all.mean.value = Tensor::vector({2});
  all.variance.value = Tensor::vector({9});
  const Sequential model{Input{3}, Residual{all}};
  EXPECT_EQ(model.get_weights(), (std::vector<Tensor>{Tensor::vector({2, 2, 2}), Tensor::vector({9, 9, 9})}));
}

TEST(KeepingWeights, AValueGivenForOneParameterIsKeptAndTheOthersAreInitialised) {
  Dense dense{.units = 2, .bias_initializer = ones};
  dense.kernel.value = Tensor::matrix({{1, 2}, {3, 4}, {5, 6}});
  const Sequential model{Input{3}, dense};
  EXPECT_EQ(model.get_weights(), (std::vector<Tensor>{dense.kernel.value, Tensor::vector({1, 1})}));
}

TEST(KeepingWeights, AFailedBuildOfAnotherLayerChangesNothing) {
  const AnyLayer part = trained_elsewhere(SkippingNet{});
  Sequential model({part, Refusing{}}, {.name = "model"});
  EXPECT_THROW(model.build({4}), ValueError);
  expect_same_parameters(model.get_layer(0), part);
  EXPECT_FALSE(model.built());
}

TEST(KeepingWeights, DoesNotChangeTheInitialWeightsOfOtherLayers) {
  const Sequential plain{Input{4}, Dense{4}, Dense{4}, Dense{2}};
  const AnyLayer part = trained_elsewhere(Dense{4});
  const Sequential mixed{Input{4}, Dense{4}, part, Dense{2}};
  EXPECT_EQ(mixed.get_weights()[0], plain.get_weights()[0]);
  EXPECT_EQ(mixed.get_weights()[4], plain.get_weights()[4]);
}

}  // namespace
}  // namespace cornu
