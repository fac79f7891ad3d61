#include "cornu/models/sequential.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/merging/residual.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/pooling/max_pooling1d.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reset_parameters.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/layers/rnn/bidirectional.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// Putting a model together and building it.

namespace cornu {
namespace {

using testing::expect_error;
using testing::labels;
using testing::normal;
using testing::Refusing;

constexpr const char* not_built =
    "sequential: not built, because its input shape is unknown; begin with an Input, or call build or fit";

// ---- Building ----

TEST(Sequential, IsBuiltAtOnceByAnInput) {
  const Sequential model{Input{4, 3}, Flatten{}, Dense{5}};
  EXPECT_TRUE(model.built());
  EXPECT_EQ(model.layer_count(), 2);
  EXPECT_EQ(model.input_shape(), Shape({4, 3}));
  EXPECT_EQ(model.output_shape(), Shape{5});
  EXPECT_EQ(model.output_shape(0), Shape{12});
  EXPECT_EQ(model.output_shape(-1), Shape{5});
  EXPECT_EQ(model.predict(normal({2, 4, 3})).shape(), Shape({2, 5}));
}

TEST(Sequential, IsBuiltAtOnceByAFirstLayerThatKnowsItsInput) {
  const Sequential model{Flatten{28, 28}, Dense{3}};
  EXPECT_TRUE(model.built());
  EXPECT_EQ(model.layer_count(), 2);
  EXPECT_EQ(model.count_params(), 784 * 3 + 3);
}

TEST(Sequential, IsBuiltByBuild) {
  Sequential model{Dense{5}, Dense{2}};
  EXPECT_FALSE(model.built());
  EXPECT_EQ(model.input_shape(), std::nullopt);
  model.build({3});
  EXPECT_TRUE(model.built());
  EXPECT_EQ(model.input_shape(), Shape{3});
  EXPECT_EQ(model.count_params(), 3 * 5 + 5 + 5 * 2 + 2);
}

TEST(Sequential, IsBuiltByTheFirstFit) {
  Sequential model{Dense{3}, Softmax{}};
  model.compile({.loss = SparseCategoricalCrossentropy{}});
  model.fit(normal({6, 2}), labels(6), {.verbose = Verbose::silent});
  EXPECT_EQ(model.input_shape(), Shape{2});
}

TEST(Sequential, IsBuiltByTheFirstTrainOnBatch) {
  Sequential model{Dense{3}, Softmax{}};
  model.compile({.loss = SparseCategoricalCrossentropy{}});
  model.train_on_batch(normal({6, 2}), labels(6));
  EXPECT_EQ(model.input_shape(), Shape{2});
}

TEST(Sequential, HasTheSameWeightsForEveryWayOfBuilding) {
  const Sequential by_input{Input{3}, Dense{5}, Dense{2}};
  Sequential by_build{Dense{5}, Dense{2}};
  by_build.build({3});
  Sequential by_add;
  by_add.add(Input{3});
  by_add.add(Dense{5});
  by_add.add(Dense{2});
  Sequential by_late_build;
  by_late_build.add(Dense{5});
  by_late_build.add(Dense{2});
  by_late_build.build({3});
  EXPECT_EQ(by_build.get_weights(), by_input.get_weights());
  EXPECT_EQ(by_add.get_weights(), by_input.get_weights());
  EXPECT_EQ(by_late_build.get_weights(), by_input.get_weights());
}

TEST(Sequential, BuiltTwiceKeepsItsWeightsUnlessTheyAreReset) {
  Sequential model{Dense{4}};
  model.build({3});
  const std::vector<Tensor> weights = model.get_weights(), others{normal({3, 4}), normal({4})};
  model.set_weights(others);
  model.build({3});
  EXPECT_EQ(model.get_weights(), others);
  reset_parameters(model);
  model.build({3});
  EXPECT_EQ(model.get_weights(), weights);
  reset_parameters(model);
  model.build({7});
  EXPECT_EQ(model.count_params(), 7 * 4 + 4);
}

TEST(Sequential, RefusesToBeBuiltForAnotherInputThanItDeclares) {
  Sequential model{Input{3}, Dense{4}};
  expect_error<ShapeError>([&] { model.build({5}); },
                           "sequential: build was given inputs of shape (5,), but the first layer takes (3,)");
  EXPECT_EQ(model.input_shape(), Shape{3});
  Sequential flat{Flatten{2, 2}};
  expect_error<ShapeError>([&] { flat.build({4}); },
                           "sequential: build was given inputs of shape (4,), but the first layer takes (2, 2)");
}

TEST(Sequential, WithoutLayersCannotBeBuilt) {
  Sequential model;
  expect_error<StateError>([&] { model.build({3}); }, "sequential: there are no layers to build");
  Sequential input{Input{3}};
  EXPECT_FALSE(input.built());
  EXPECT_EQ(input.layer_count(), 0);
}

TEST(Sequential, ALayerThatThrowsLeavesTheModelUnchanged) {
  Sequential model{Dense{4}, Dense{2}};
  model.build({3});
  const std::vector<Tensor> weights = model.get_weights();
  expect_error<ValueError>([&] { model.add(Refusing{}); }, "refusing: it never fits");
  EXPECT_EQ(model.layer_count(), 2);
  EXPECT_EQ(model.get_weights(), weights);
  EXPECT_EQ(model.predict(normal({1, 3})).shape(), Shape({1, 2}));

  Sequential unbuilt{Dense{4}, Refusing{}};
  expect_error<ValueError>([&] { unbuilt.build({3}); }, "refusing: it never fits");
  EXPECT_FALSE(unbuilt.built());
  EXPECT_EQ(unbuilt.get_layer(0).as<Dense>()->kernel.value.size(), 0);

  Sequential declared;
  declared.add(Input{3});
  expect_error<ValueError>([&] { declared.add(Refusing{}); }, "refusing: it never fits");
  EXPECT_EQ(declared.layer_count(), 0);
  declared.add(Dense{2});
  EXPECT_TRUE(declared.built());
}

TEST(Sequential, ALayerThatThrowsEndsTheConstruction) {
  expect_error<ValueError>([] { Sequential{Input{3}, Dense{4}, Refusing{}}; }, "refusing: it never fits");
  expect_error<ValueError>([] { Sequential{Input{3}, Dense{0}}; }, "dense: Dense: units is 0; it must be positive");
}

TEST(Sequential, AnOutputShapeThatDiffersFromBuildsIsAnError) {
  struct Liar {
    Shape build(const Shape&, Rng&) { return {1}; }
    Var forward(Var x) const { return x; }
  };
  const Sequential model{Input{3}, Liar{}};
  expect_error<ShapeError>(
      [&] {
        model.predict(normal({2, 3}));
      },
      "liar: forward returned shape (2, 3) for a batch of 2; at build its output samples had shape (1,)");
}

// ---- Use before it is ready ----

TEST(Sequential, UnbuiltUseIsAnError) {
  Sequential model{Dense{3}};
  const Tensor x = normal({2, 4});
  expect_error<StateError>([&] { model.predict(x); }, not_built);
  expect_error<StateError>([&] { model.predict_on_batch(x); }, not_built);
  expect_error<StateError>([&] { model.predict_classes(x); }, not_built);
  const TensorDataset data(x, labels(2));
  expect_error<StateError>([&] { model.predict(data); }, not_built);
  expect_error<StateError>([&] { static_cast<void>(model.output_shape()); }, not_built);
  expect_error<StateError>([&] { static_cast<void>(model.output_shape(0)); }, not_built);
  expect_error<StateError>([&] { static_cast<void>(model.count_params()); }, not_built);
  expect_error<StateError>([&] { static_cast<void>(model.get_weights()); }, not_built);
  expect_error<StateError>([&] { model.set_weights({}); }, not_built);
  Tape tape;
  expect_error<StateError>([&] { model.forward(tape.input(x)); }, not_built);
  model.compile({.loss = SparseCategoricalCrossentropy{}});
  expect_error<StateError>([&] { model.optimizer(); }, not_built);
  expect_error<StateError>([&] { model.evaluate(data); }, not_built);
  expect_error<StateError>([&] { model.test_on_batch(x, labels(2)); }, not_built);
}

TEST(Sequential, UncompiledUseIsAnError) {
  constexpr const char* not_compiled = "reader: not compiled yet; call compile first";
  Sequential model({Input{4}, Dense{3}}, {.name = "reader"});
  const Tensor x = normal({2, 4});
  EXPECT_FALSE(model.compiled());
  expect_error<StateError>([&] { model.fit(x, labels(2)); }, not_compiled);
  expect_error<StateError>([&] { model.evaluate(x, labels(2)); }, not_compiled);
  expect_error<StateError>([&] { model.train_on_batch(x, labels(2)); }, not_compiled);
  expect_error<StateError>([&] { model.test_on_batch(x, labels(2)); }, not_compiled);
  expect_error<StateError>([&] { model.optimizer(); }, not_compiled);
}

// ---- add and pop ----

TEST(Sequential, WeightsDoNotChangeWhenALayerIsAdded) {
  Sequential model{Input{3}, Dense{5}};
  model.set_weights(std::vector<Tensor>{normal({3, 5}), normal({5})});
  const std::vector<Tensor> before = model.get_weights();
  model.add(Dense{2});
  const std::vector<Tensor> after = model.get_weights();
  ASSERT_EQ(after.size(), 4U);
  EXPECT_EQ(after[0], before[0]);
  EXPECT_EQ(after[1], before[1]);
}

TEST(Sequential, ALayerAddedLaterHasTheWeightsItWouldHaveHadFromTheStart) {
  const SequentialOptions options{.seed = 9};
  const Sequential whole({Input{3}, Dense{5}, Dense{4}, Dense{2}}, options);
  Sequential grown({Input{3}, Dense{5}}, options);
  grown.add(Dense{4});
  grown.add(Dense{2});
  EXPECT_EQ(grown.get_weights(), whole.get_weights());
  grown.pop();
  grown.add(Dense{2});
  EXPECT_EQ(grown.get_weights()[4], whole.get_weights()[4]);
}

TEST(Sequential, WeightsOfALayerDoNotDependOnTheLayersAfterIt) {
  const Sequential short_one{Input{3}, Dense{5}}, long_one{Input{3}, Dense{5}, Dense{4}};
  EXPECT_EQ(short_one.get_weights()[0], long_one.get_weights()[0]);
}

TEST(Sequential, PopRemovesTheLastLayer) {
  Sequential model{Input{3}, Dense{5}, Dense{2}};
  const Tensor x = normal({2, 3});
  const Sequential first{Input{3}, Dense{5}};
  model.pop();
  EXPECT_EQ(model.layer_count(), 1);
  EXPECT_EQ(model.output_shape(), Shape{5});
  EXPECT_EQ(model.predict(x), first.predict(x));
  model.pop();
  EXPECT_FALSE(model.built());
  expect_error<StateError>([&] { model.pop(); }, "sequential: there is no layer to remove");
  model.add(Dense{4});  // its Input still applies
  EXPECT_EQ(model.output_shape(), Shape{4});
}

TEST(Sequential, PopOfAnUnbuiltModelLeavesItUnbuilt) {
  Sequential model{Dense{5}, Dense{2}};
  model.pop();
  EXPECT_EQ(model.layer_count(), 1);
  model.build({3});
  EXPECT_EQ(model.output_shape(), Shape{5});
}

TEST(Sequential, ChangingTheLayersDiscardsTheOptimizersState) {
  Sequential model{Input{2}, Dense{3}};
  model.compile({.optimizer = SGD{.momentum = 0.9}, .loss = SparseCategoricalCrossentropy{.from_logits = true}});
  model.train_on_batch(normal({6, 2}), labels(6));
  EXPECT_EQ(model.optimizer().iterations(), 1);
  EXPECT_EQ(model.optimizer_params(), 9);
  model.add(Dense{3});
  EXPECT_EQ(model.optimizer_params(), 0);
  model.train_on_batch(normal({6, 2}), labels(6));
  EXPECT_EQ(model.optimizer().iterations(), 1);
  EXPECT_EQ(model.optimizer_params(), 21);
}

// ---- Layers that do not fit together ----

TEST(Sequential, ASequenceLayerAfterARecurrentOneSuggestsReturnSequences) {
  const std::string remedy = "; lstm returns only its last step: set .return_sequences = true to return all steps";
  for (const AnyLayer& next : {AnyLayer(LSTM{4}), AnyLayer(GRU{4}), AnyLayer(Conv1D{2, 2}), AnyLayer(MaxPooling1D{}),

                               AnyLayer(MultiHeadAttention{.num_heads = 1, .key_dim = 2})}) {
    SCOPED_TRACE(next.type());
    const auto check = [&](auto make) {
      const std::string text = testing::error_of<ShapeError>(make);
      EXPECT_TRUE(text.ends_with(remedy)) << text;
    };
    check([&] { Sequential({Input{5, 3}, LSTM{4}, next}); });
    check([&] { Sequential{LSTM{4}, next}.build({5, 3}); });
    check([&] { Sequential({Input{5, 3}, Residual{LSTM{4}, next}}); });
    EXPECT_NO_THROW(Sequential({Input{5, 3}, LSTM{.units = 4, .return_sequences = true}, next}));
  }
  expect_error<ShapeError>(
      [] {
        Sequential({Input{5, 3}, GRU{4}, LSTM{4}});
      },
      "lstm: LSTM: a sample of shape (4,); (steps, features) is required (is a Reshape missing?); gru returns only its "
      "last step: set .return_sequences = true to return all steps");
  expect_error<ShapeError>(
      [] {
        Sequential({Input{5, 3}, Flatten{}, LSTM{4}});
      },
      "lstm: LSTM: a sample of shape (15,); (steps, features) is required (is a Reshape missing?)");
}

TEST(Sequential, LayersInBetweenDoNotHideTheNeedForReturnSequences) {
  const auto check = [](const std::vector<AnyLayer>& layers, const std::string& path) {
    const std::string text = testing::error_of<ShapeError>([&] {
      Sequential model{Input{5, 3}};
      for (const AnyLayer& layer : layers) model.add(layer);
    });
    const std::string remedy =
        "; " + path + " returns only its last step: set .return_sequences = true to return all steps";
    EXPECT_EQ(text.ends_with(remedy), !path.empty()) << text;
    if (path.empty()) {
      EXPECT_EQ(text.find("return_sequences"), std::string::npos) << text;
    }
  };
  const AnyLayer last = LSTM{4};
  for (const AnyLayer& between :
       {AnyLayer(Dropout{0.5}), AnyLayer(BatchNormalization{}), AnyLayer(LayerNormalization{}), AnyLayer(ReLU{}),
        AnyLayer(Activation{tanh}), AnyLayer(Dense{6}), AnyLayer(Sequential{Dropout{0.5}, Dense{2}}),
        AnyLayer(Residual{Dense{4}})}) {
    check({GRU{4}, between, last}, "gru");
    check({GRU{4}, between, between, last}, "gru");
    check({Sequential({GRU{4}, between}, {.name = "inner"}), last}, "inner/gru");
    check({GRU{4}, Sequential({between, last}, {.name = "inner"})}, "gru");
    check({{"first", LSTM{4}}, between, Residual{MultiHeadAttention{.num_heads = 1, .key_dim = 2}}}, "first");
  }
  // The last of several recurrent layers is named.
  check({LSTM{.units = 2, .return_sequences = true}, GRU{4}, Dropout{0.5}, last}, "gru");
  check({Bidirectional{GRU{4}}, last}, "bidirectional/backward_gru");
  check({GRU{4}, Reshape{2, 2}, {"second", GRU{3}}, ReLU{}, last}, "second");
  // No hint where it would not help.
  check({GRU{4}, Flatten{}, Conv1D{.filters = 2, .kernel_size = 6}}, "");
  check({LSTM{.units = 4, .return_sequences = true}, Flatten{}, last}, "");
  AnyLayer kept = Dense{2};
  Rng rng(1);
  kept.build({7}, rng);
  check({GRU{4}, kept}, "");
}

TEST(Sequential, AnAmbiguousPathIsAnError) {
  Sequential model({Input{2}, {"a", Sequential{{"b", Dense{3}}}}, {"a/b", Dense{2}}, {"a/c", Dense{1}}},
                   {.name = "model"});
  expect_error<ValueError>([&] { model.get_layer("a/b"); },
                           "model: 2 layers have the path \"a/b\": a name with a slash also reads as the path of a "
                           "nested layer; rename it, or get it by position");
  EXPECT_EQ(model.get_layer("a/c").as<Dense>()->units, 1);
  EXPECT_EQ(model.get_layer(1).as<Dense>()->units, 2);
}

// ---- forward, seed ----

TEST(Sequential, ForwardChecksTheShapeOfItsInput) {
  const Sequential model{Input{4, 3}, Flatten{}, Dense{2}};
  const Tensor wrong = normal({5, 4, 2});
  Tape tape;
  expect_error<ShapeError>([&] { model.forward(tape.input(wrong)); },
                           "sequential: an input of shape (5, 4, 2); (5, 4, 3) is required, batch first");
  expect_error<ShapeError>([&] { model.forward(tape.constant(1)); },
                           "sequential: an input of shape (); (1, 4, 3) is required, batch first");
  expect_error<ShapeError>(
      [&] {
        model.predict(normal({4, 3}));
      },
      "sequential: predict got an input of shape (4, 3); its first axis counts the samples, each of shape (4, 3)");
}

TEST(Sequential, ErrorsFromALayerBeginWithItsName) {
  struct Picky {
    Shape build(const Shape& input, Rng&) { return input; }
    Var forward(Var) const { throw ValueError("no"); }
  };
  const Sequential model{Input{3}, Dense{2}, AnyLayer("choosy", Picky{})};
  expect_error<ValueError>([&] { model.predict(normal({1, 3})); }, "choosy: no");
}

TEST(Sequential, TheSeedDecidesTheWeights) {
  const auto with_seed = [](std::uint64_t seed) {
    return Sequential({Input{3}, Dense{5}}, {.seed = seed}).get_weights()[0];
  };
  EXPECT_EQ(with_seed(7), with_seed(7));
  EXPECT_NE(with_seed(7), with_seed(8));
  EXPECT_EQ(with_seed(0), (Sequential{Input{3}, Dense{5}}).get_weights()[0]);
}

TEST(Sequential, TwoLayersOfOneKindHaveDifferentWeights) {
  const std::vector<Tensor> weights = Sequential{Input{3}, Dense{3}, Dense{3}}.get_weights();
  EXPECT_NE(weights[0], weights[2]);
}

}  // namespace
}  // namespace cornu
