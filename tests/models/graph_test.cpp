#include <gtest/gtest.h>

#include "cornu/layers/check_layer.h"
#include "cornu/layers/freeze.h"
#include "cornu/layers/inputs.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// Structs that own layers and call them in any order, as layers of a model.

namespace cornu {
namespace {

using testing::error_of;
using testing::expect_error;
using testing::normal;
using testing::parameter_names;
using testing::Texts;
using testing::Weights;
using testing::weights_of;

/// Whether two points are near each other; one shared tower sees both.
struct Siamese {
  AnyLayer tower = Sequential{Dense{6, tanh}, Dense{3, tanh}};
  AnyLayer head = Dense{1, sigmoid};

  Var forward(Var a, Var b) const { return head(abs(tower(a) - tower(b))); }
  NamedLayers layers() { return {{"tower", &tower}, {"head", &head}}; }
};

/// A linear layer for the first input, a network for the second.
struct WideAndDeep {
  AnyLayer deep = Sequential{Dense{8, tanh}, Dense{4, tanh}};
  AnyLayer out = Dense{2};

  Var forward(Var wide, Var image) const { return out(concatenate({wide, deep(reshape(image, {-1, 6}))})); }
  NamedLayers layers() { return {{"deep", &deep}, {"out", &out}}; }
};

/// A contracting and an expanding path; skip connections concatenate the former's values to the latter's.
struct UNet {
  AnyLayer down = Dense{6, tanh}, bottom = Dense{3, tanh}, up = Dense{6, tanh}, out = Dense{2};

  Var forward(Var x) const {
    const Var wide = down(x);
    return out(concatenate({wide, up(bottom(wide))}));
  }
  NamedLayers layers() { return {{"down", &down}, {"bottom", &bottom}, {"up", &up}, {"out", &out}}; }
};

const CompileOptions regression{.optimizer = SGD{.learning_rate = 0.05}, .loss = MeanSquaredError{}};

/// Pairs of points, labelled by whether they are near each other.
TensorDataset pairs(Index samples) {
  const Tensor x = normal({samples, 4});
  Tensor y({samples, 1});
  for (Index i = 0; i < samples; ++i) {
    const Real dx = x.at({i, 0}) - x.at({i, 2}), dy = x.at({i, 1}) - x.at({i, 3});
    y[i] = dx * dx + dy * dy < 2 ? 1 : 0;
  }
  return {x, y};
}

TEST(Graph, PassesTheLayerCheck) {
  const CheckReport siamese = check_layer(Siamese{}, Inputs{{2}, {2}});
  EXPECT_TRUE(siamese) << to_string(siamese);
  const CheckReport wide = check_layer(Sequential{Inputs{{5}, {2, 3}}, WideAndDeep{}}, {11});
  EXPECT_TRUE(wide) << to_string(wide);
  const CheckReport net = check_layer(UNet{}, {4});
  EXPECT_TRUE(net) << to_string(net);
}

TEST(Graph, NamesItsParametersByItsLayersAndCountsSharedOnesOnce) {
  const Sequential model{Inputs{{2}, {2}}, Siamese{}};
  EXPECT_EQ(parameter_names(model),
            (Texts{"siamese/tower/dense/kernel", "siamese/tower/dense/bias", "siamese/tower/dense_1/kernel",
                   "siamese/tower/dense_1/bias", "siamese/head/kernel", "siamese/head/bias"}));
  EXPECT_EQ(model.count_params(), 2 * 6 + 6 + 6 * 3 + 3 + 3 + 1);
  EXPECT_EQ(model.output_shape(), Shape{1});
  EXPECT_EQ(model.input_shape(), Shape{4});
}

TEST(Graph, ALayerListedTwiceCountsOnce) {
  struct Twice {
    AnyLayer layer = Dense{3};
    Var forward(Var x) const { return layer(layer(x)); }
    NamedLayers layers() { return {{"a", &layer}, {"b", &layer}}; }
  };
  const Sequential model{Input{3}, Twice{}};
  EXPECT_EQ(parameter_names(model), (Texts{"twice/a/kernel", "twice/a/bias"}));
}

/// The steps of model.fit without shuffling, written by hand. `forward` reads the parameters.
template <class Forward>
std::vector<Tensor> steps_by_hand(Weights weights, const TensorDataset& data, Index batch, Forward forward) {
  Tape tape;
  const Index width = data.feature_shape().size(), out = data.target_shape().size();
  for (Index first = 0; first < data.size(); first += batch) {
    tape.clear();
    const Var x = tape.input({data.x().data() + first * width, {batch, width}});
    const Var y = tape.input({data.y().data() + first * out, {batch, out}});
    const Gradients gradients = tape.backward(mean(square(forward(weights, x) - y)));
    for (Parameter& weight : weights) {
      const View g = gradients[weight];
      for (Index i = 0; i < g.size(); ++i) weight.value[i] -= Real(0.05) * g[i];
    }
  }
  std::vector<Tensor> result;
  for (const Parameter& weight : weights) result.push_back(weight.value);
  return result;
}

template <class Forward>
void expect_steps_by_hand(Sequential model, const TensorDataset& data, Forward forward) {
  const Weights weights = weights_of(model);
  model.compile(regression);
  model.fit(data, {.batch_size = 8, .verbose = Verbose::silent, .shuffle = false});
  const std::vector<Tensor> expected = steps_by_hand(weights, data, 8, forward), got = model.get_weights();
  const double tolerance = sizeof(Real) == 4 ? 2e-6 : 1e-14;
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NE(got[i], weights[i].value) << "it learns";
    for (Index k = 0; k < got[i].size(); ++k) EXPECT_NEAR(got[i][k], expected[i][k], tolerance) << i;
  }
}

TEST(Graph, TrainsLikeTheSameTapeWrittenByHand) {
  expect_steps_by_hand({Inputs{{2}, {2}}, Siamese{}}, pairs(40), [](const Weights& w, Var x) {
    const auto tower = [&](Var point) { return tanh(affine(tanh(affine(point, w[0], w[1])), w[2], w[3])); };
    return sigmoid(affine(abs(tower(slice_axis(x, 1, 0, 2)) - tower(slice_axis(x, 1, 2, 4))), w[4], w[5]));
  });
  expect_steps_by_hand({Inputs{{5}, {2, 3}}, WideAndDeep{}}, {normal({40, 11}), normal({40, 2}, 6)},
                       [](const Weights& w, Var x) {
                         const Var deep = tanh(affine(tanh(affine(slice_axis(x, 1, 5, 11), w[0], w[1])), w[2], w[3]));
                         return affine(concatenate({slice_axis(x, 1, 0, 5), deep}), w[4], w[5]);
                       });
  expect_steps_by_hand({Input{4}, UNet{}}, {normal({40, 4}), normal({40, 2}, 6)}, [](const Weights& w, Var x) {
    const Var wide = tanh(affine(x, w[0], w[1]));
    const Var up = tanh(affine(tanh(affine(wide, w[2], w[3])), w[4], w[5]));
    return affine(concatenate({wide, up}), w[6], w[7]);
  });
}

TEST(Graph, GivesTheSameBitsOnAnyNumberOfThreads) {
  const TensorDataset data = pairs(96);
  const auto trained = [&](Index threads) {
    Sequential model{Inputs{{2}, {2}}, Siamese{}};
    model.compile({.optimizer = Adam{}, .loss = BinaryCrossentropy{}});
    const History history = model.fit(
        data, {.batch_size = 32, .epochs = 3, .verbose = Verbose::silent, .threads = threads, .shard_size = 5});
    return std::pair(model.get_weights(), history["loss"]);
  };
  EXPECT_EQ(trained(1), trained(3));
}

TEST(Graph, LearnsWhetherPointsAreNear) {
  Sequential model{Inputs{{2}, {2}}, Siamese{}};
  model.compile({.optimizer = Adam{.learning_rate = 0.02}, .loss = BinaryCrossentropy{}, .metrics = {Accuracy{}}});
  const TensorDataset data = pairs(400);
  model.fit(data, {.epochs = 30, .verbose = Verbose::silent});
  EXPECT_GT(model.evaluate(data)["accuracy"], 0.9);
}

TEST(Graph, TakesPackedTensorsAndPredictsBatchByBatch) {
  const Sequential model{Inputs{{2}, {2}}, Siamese{}};
  const Tensor a = normal({50, 2}), b = normal({50, 2}, 6);
  const Tensor y = model.predict(pack({a, b}), {.batch_size = 7});
  // Not the same bits: the kernel of a product depends on the number of rows.
  const Tensor other = model.predict(pack({b, a}));
  for (Index i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], other[i], 4 * std::numeric_limits<Real>::epsilon()) << i;
  EXPECT_EQ(model.predict(pack({a, a})), Tensor::full({50, 1}, model.predict(pack({b, b}))[0]));
}

TEST(Graph, WorksInsideAnotherAndNextToOtherLayers) {
  struct Outer {
    AnyLayer first = UNet{}, pair = Siamese{}, dropout = Dropout{0.2};
    Var forward(Var x) const {
      const Var y = dropout(first(x));
      return pair(y, x);
    }
    NamedLayers layers() { return {{"first", &first}, {"pair", &pair}, {"dropout", &dropout}}; }
  };
  const Sequential model{Input{2}, Outer{}, Dense{2}};
  EXPECT_EQ(parameter_names(model)[0], "outer/first/down/kernel");
  EXPECT_EQ(parameter_names(model)[12], "outer/pair/head/kernel");
  const CheckReport report = check_layer(Outer{}, {2});
  EXPECT_TRUE(report) << to_string(report);
}

TEST(Graph, LayersAreFoundAndFrozenByPath) {
  Sequential model{Inputs{{2}, {2}}, Siamese{}};
  EXPECT_EQ(model.get_layer("siamese/head").as<Dense>()->units, 1);
  EXPECT_EQ(model.get_layer("siamese/tower/dense_1").as<Dense>()->units, 3);
  expect_error<ValueError>([&] { model.get_layer("siamese/tail"); },
                           "sequential: there is no layer named \"siamese/tail\"; there are: siamese");
  freeze(model.get_layer("siamese/tower"));
  model.compile(regression);
  const std::vector<Tensor> before = model.get_weights();
  const TensorDataset data = pairs(16);
  model.fit(data, {.verbose = Verbose::silent});
  const std::vector<Tensor> after = model.get_weights();
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + 4, after.begin()));
  EXPECT_NE(before[4], after[4]);
}

TEST(Graph, MayBeConstructedFromLayers) {
  struct Repeated {
    AnyLayer layer;
    explicit Repeated(AnyLayer l) : layer(std::move(l)) {}
    Var forward(Var x) const { return layer(layer(x)); }
    NamedLayers layers() { return {{"layer", &layer}}; }
  };
  const Sequential model{Input{3}, Repeated(Dense{3})};
  EXPECT_EQ(model.count_params(), 12);
}

TEST(Graph, CopiesAreDeep) {
  const Sequential original{Input{4}, UNet{}};
  const std::vector<Tensor> weights = original.get_weights();
  Sequential copy = original;
  copy.compile(regression);
  copy.fit(normal({8, 4}), normal({8, 2}), {.verbose = Verbose::silent});
  EXPECT_EQ(original.get_weights(), weights);
  EXPECT_NE(copy.get_weights(), weights);
  copy.set_weights(weights);
  EXPECT_EQ(copy.predict(normal({3, 4})), original.predict(normal({3, 4})));
}

TEST(Graph, HasWeightsThatDependOnlyOnTheListAndTheSeed) {
  struct Backwards {
    AnyLayer a = Dense{3}, b = Dense{3};
    bool swapped = false;
    Var forward(Var x) const { return swapped ? b(x) + a(x) : a(x) + b(x); }
    NamedLayers layers() { return {{"a", &a}, {"b", &b}}; }
  };
  EXPECT_EQ((Sequential{Input{3}, Backwards{}}.get_weights()),
            (Sequential{Input{3}, Backwards{.swapped = true}}.get_weights()));
  const auto with_seed = [](std::uint64_t seed) {
    return Sequential({Input{3}, Backwards{}}, {.seed = seed}).get_weights();
  };
  EXPECT_NE(with_seed(1), with_seed(2));
  EXPECT_NE(with_seed(1)[0], with_seed(1)[2]);
}

// ---- Errors ----

TEST(Graph, ErrorsNameThePath) {
  expect_error<ValueError>(
      [] {
        Sequential({Input{4}, UNet{.up = Dense{0}}});
      },
      "u_net: up: Dense: units is 0; it must be positive");
  expect_error<ShapeError>([] { Sequential({Input{4}, Siamese{}}); }, "siamese: takes 2 inputs, got 1");
  expect_error<ShapeError>([] { Sequential({Inputs{{2}, {2}}, Dense{1}}); }, "dense: takes 1 input, got 2");
}

TEST(Graph, AFailedBuildLeavesAllLayersUnchanged) {
  AnyLayer net = UNet{};
  Rng rng(1);
  net.build({4}, rng);
  const Tensor before = net.layers()[0].layer->as<Dense>()->kernel.value;
  *net.layers()[2].layer = testing::Refusing{};
  EXPECT_EQ(error_of<ValueError>([&] { net.build({4}, rng); }), "UNet: up: it never fits");
  EXPECT_EQ(net.layers()[0].layer->as<Dense>()->kernel.value, before);
}

TEST(Graph, LayersNotListedOrNotCalledAreErrors) {
  struct Forgotten {
    AnyLayer a = Dense{3}, b = Dense{3};
    Var forward(Var x) const { return b(a(x)); }
    NamedLayers layers() { return {{"a", &a}}; }
  };
  expect_error<StateError>(
      [] {
        Sequential({Input{3}, Forgotten{}});
      },
      "forgotten: Dense: called in forward but not listed by layers(): it would not be trained");
  struct Idle {
    AnyLayer a = Dense{3}, b = Dense{3};
    Var forward(Var x) const { return a(x); }
    NamedLayers layers() { return {{"a", &a}, {"b", &b}}; }
  };
  expect_error<StateError>(
      [] {
        Sequential({Input{3}, Idle{}});
      },
      "idle: layers() lists b, but forward does not call it, so it cannot be built");
}

TEST(Graph, NamesTheLayerThatIsNotFinite) {
  Sequential model{Inputs{{2}, {2}}, {"net", Siamese{}}};
  model.compile(regression);
  model.get_layer("net/tower/dense_1").as<Dense>()->bias.value.fill(std::numeric_limits<Real>::quiet_NaN());
  const TensorDataset data = pairs(8);
  expect_error<NonFiniteError>(
      [&] { model.train_on_batch(data.x(), data.y()); },
      "sequential: train_on_batch: the loss is nan: net/tower/dense_1 is the first layer whose "
      "output is not finite");
}

}  // namespace
}  // namespace cornu
