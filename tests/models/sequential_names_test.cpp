#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "cornu/core/error.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/models/export_cpp/export_cpp.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

// Names of a model's layers and parameters, and access by name.

namespace cornu {
namespace {

using testing::blobs;
using testing::error_of;
using testing::expect_error;
using testing::normal;
using testing::parameter_names;
using testing::Texts;

std::vector<std::string> names_of(const Sequential& model) {
  std::vector<std::string> names;
  for (Index i = 0; i < model.layer_count(); ++i) names.push_back(model.get_layer(i).name());
  return names;
}

TEST(SequentialNames, AreThoseKerasGives) {
  const Sequential model{Input{4}, Dense{3}, ReLU{}, Dense{3}, Dropout{0.1}, Dense{2}, Softmax{}};
  EXPECT_EQ(names_of(model), (Texts{"dense", "re_lu", "dense_1", "dropout", "dense_2", "softmax"}));
}

TEST(SequentialNames, MayBeGiven) {
  Sequential model{Input{4}, {"hidden", Dense{3}}, Dense{2}};
  EXPECT_EQ(names_of(model), (Texts{"hidden", "dense"}));
  EXPECT_EQ(parameter_names(model), (Texts{"hidden/kernel", "hidden/bias", "dense/kernel", "dense/bias"}));
  model.add({"out", Dense{2}});
  EXPECT_EQ(model.get_layer(-1).name(), "out");
}

TEST(SequentialNames, OfParametersAreUniqueInAllFilesForAnyLayerNames) {
  const auto made = [](std::uint64_t seed) {
    return Sequential({Input{4},
                       {"a", Sequential{{"b", Dense{4}}, {"c_d", Dense{4}}}},
                       {"a/b", Dense{4}},
                       {"a_c", Sequential{{"d", Dense{4}}}},
                       {"a/b/kernel", Dense{4}}},
                      {.seed = seed});
  };
  Sequential model = made(1);
  const Texts names = parameter_names(model);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_EQ(names[4], "a/b/kernel_1");
  model.compile({.optimizer = Adam{}, .loss = MeanSquaredError{}});
  const Tensor x = normal({8, 4}, 1);
  model.fit(x, normal({8, 4}, 2), {.verbose = Verbose::silent});
  const testing::TemporaryFolder folder;
  model.save(folder / "m.safetensors");
  Sequential loaded = Sequential::load(folder / "m.safetensors");
  EXPECT_EQ(loaded.predict(x), model.predict(x));
  model.save_weights(folder / "w.safetensors");
  Sequential other = made(2);
  other.load_weights(folder / "w.safetensors");
  EXPECT_EQ(other.predict(x), model.predict(x));

  // Arrays of the C++ export, in which "a/c_d" and "a_c/d" would be the same name.
  const std::string text = to_cpp(model);
  std::set<std::string> arrays;
  const std::regex array("constexpr float (\\w+)\\[");
  for (std::sregex_iterator at(text.begin(), text.end(), array), end; at != end; ++at) {
    EXPECT_TRUE(arrays.insert((*at)[1]).second) << (*at)[1];
  }
  EXPECT_EQ(arrays.size(), names.size());
}

TEST(SequentialNames, NumbersFillTheGapsBetweenGivenNames) {
  const Sequential model{Input{4}, {"dense", Dense{3}}, Dense{3}, {"dense_2", Dense{3}}, Dense{3}};
  EXPECT_EQ(names_of(model), (Texts{"dense", "dense_1", "dense_2", "dense_3"}));
}

TEST(SequentialNames, MustBeUnique) {
  const std::string text = "sequential: there is already a layer named \"twin\"";
  expect_error<ValueError>([] { Sequential{Input{4}, {"twin", Dense{3}}, {"twin", Dense{3}}}; }, text);
  Sequential model{Input{4}, {"twin", Dense{3}}};
  const std::vector<Tensor> weights = model.get_weights();
  expect_error<ValueError>([&] { model.add({"twin", Dense{3}}); }, text);
  EXPECT_EQ(model.layer_count(), 1);
  EXPECT_EQ(model.get_weights(), weights);
}

TEST(SequentialNames, GetLayerFindsByNameAndByPosition) {
  Sequential model{Input{4}, Dense{3}, ReLU{}, Dense{2}};
  EXPECT_EQ(model.get_layer("dense_1").as<Dense>()->units, 2);
  EXPECT_EQ(model.get_layer(0).as<Dense>()->units, 3);
  EXPECT_EQ(model.get_layer(-1).name(), "dense_1");
  EXPECT_EQ(model.get_layer(-3).name(), "dense");
  EXPECT_EQ(model.get_layer("re_lu").type(), "ReLU");
  const Sequential& fixed = model;
  EXPECT_EQ(&fixed.get_layer("dense"), &fixed.get_layer(0));
  model.get_layer("dense").as<Dense>()->bias.value.fill(7);
  EXPECT_EQ(model.get_weights()[1], Tensor::vector({7, 7, 7}));
}

TEST(SequentialNames, GetLayerListsTheNamesInItsError) {
  Sequential model{Input{4}, Dense{3}, ReLU{}};
  expect_error<ValueError>([&] { model.get_layer("conv"); },
                           "sequential: there is no layer named \"conv\"; there are: dense, re_lu");
  expect_error<ValueError>([&] { model.get_layer(2); }, "sequential: no layer 2; the number of layers is 2");
  expect_error<ValueError>([&] { model.get_layer(-3); }, "sequential: no layer -3; the number of layers is 2");
  expect_error<ValueError>([&] { static_cast<void>(model.output_shape(2)); },
                           "sequential: no layer 2; the number of layers is 2");
}

// ---- Weights ----

TEST(SequentialWeights, AreCounted) {
  Sequential model{Input{784}, Dense{128, relu}, Dense{10}, Softmax{}};
  EXPECT_EQ(model.count_params(), 101'770);
  EXPECT_EQ(model.optimizer_params(), 0);
}

TEST(SequentialWeights, AreCopiedOutAndIn) {
  Sequential a({Input{3}, Dense{4}, Dense{2}}, {.seed = 1}), b({Input{3}, Dense{4}, Dense{2}}, {.seed = 2});
  const Tensor x = normal({5, 3});
  ASSERT_NE(a.predict(x), b.predict(x));
  std::vector<Tensor> weights = a.get_weights();
  b.set_weights(weights);
  EXPECT_EQ(a.predict(x), b.predict(x));
  weights[0].fill(0);
  EXPECT_EQ(a.predict(x), b.predict(x));
}

TEST(SequentialWeights, ThatDoNotFitChangeNothing) {
  Sequential model{Input{3}, Dense{4}};
  const std::vector<Tensor> before = model.get_weights();
  expect_error<ShapeError>(
      [&] {
        model.set_weights(std::vector<Tensor>{normal({3, 4})});
      },
      "sequential: 1 weights for 2 parameters");
  expect_error<ShapeError>(
      [&] {
        model.set_weights(std::vector<Tensor>{normal({3, 4}), normal({3})});
      },
      "sequential: dense/bias is (4,), but the given weight is (3,)");
  EXPECT_EQ(model.get_weights(), before);
}

TEST(SequentialWeights, CanBeSetWithoutLosingTheOptimizersState) {
  Sequential model = testing::classifier(SGD{.momentum = 0.9});
  const TensorDataset data = blobs(12);
  model.train_on_batch(data.x(), data.y());
  const std::vector<Tensor> weights = model.get_weights();
  model.set_weights(weights);
  EXPECT_EQ(model.optimizer().iterations(), 1);
}

// ---- Models in models ----

Sequential encoder() { return Sequential({Dense{8, relu}, Dense{4, relu}}, {.name = "encoder"}); }

TEST(NestedSequential, IsKnownByItsOwnName) {
  const Sequential model{
      Input{2}, encoder(), encoder(), Sequential{Dense{3}, Dense{2}}, {"head", Sequential{Dense{2}}}};
  EXPECT_EQ(names_of(model), (Texts{"encoder", "encoder_1", "sequential", "head"}));
  EXPECT_EQ(parameter_names(Sequential{Input{2}, encoder(), Dense{1}}),
            (Texts{"encoder/dense/kernel", "encoder/dense/bias", "encoder/dense_1/kernel", "encoder/dense_1/bias",
                   "dense/kernel", "dense/bias"}));
}

TEST(NestedSequential, ErrorsNameThePath) {
  struct Picky {
    Shape build(const Shape& input, Rng&) { return input; }
    Var forward(Var) const { throw ValueError("no"); }
  };
  const Sequential model{Input{2}, Sequential({Dense{3}, Picky{}}, {.name = "encoder"}), Dense{2}};
  expect_error<ValueError>([&] { model.predict(normal({1, 2})); }, "encoder: picky: no");
  expect_error<ValueError>(
      [] {
        Sequential{Input{2}, Sequential({Dense{0}}, {.name = "encoder"}), Dense{2}};
      },
      "encoder: dense: Dense: units is 0; it must be positive");
}

TEST(NestedSequential, ThatKnowsItsInputBuildsTheModel) {
  const Sequential model{Sequential{Input{2}, Dense{4}}, Dense{3}};
  EXPECT_TRUE(model.built());
  EXPECT_EQ(model.output_shape(), Shape{3});
}

TEST(NestedSequential, GetsItsWeightsFromTheOuterModelsSeed) {
  const auto with_seed = [](std::uint64_t seed) {
    return Sequential({Input{2}, encoder(), Dense{3}}, {.seed = seed}).get_weights()[0];
  };
  EXPECT_EQ(with_seed(1), with_seed(1));
  EXPECT_NE(with_seed(1), with_seed(2));
}

TEST(NestedSequential, KeepsItsTrainedWeights) {
  const Sequential trained({Input{2}, Dense{4}}, {.name = "features", .seed = 8});
  const Sequential model{trained, Dense{3}};
  EXPECT_EQ(model.get_weights()[0], trained.get_weights()[0]);
}

TEST(NestedSequential, TrainsLikeTheFlatModel) {
  const TensorDataset data = blobs(60);
  const CompileOptions options{.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}};
  const FitOptions fit{.batch_size = 8, .epochs = 3, .verbose = Verbose::silent};
  Sequential nested{Input{2}, Sequential{Dense{8, relu}, Dense{4, relu}}, Dense{3}, Softmax{}};
  Sequential flat{Input{2}, Dense{8, relu}, Dense{4, relu}, Dense{3}, Softmax{}};
  flat.set_weights(nested.get_weights());
  nested.compile(options);
  flat.compile(options);
  EXPECT_EQ(nested.fit(data, fit)["loss"], flat.fit(data, fit)["loss"]);
  EXPECT_EQ(nested.get_weights(), flat.get_weights());
}

TEST(NestedSequential, AListOfOneModelIsACopyUnlessANameIsGiven) {
  const Sequential inner({Input{2}, Dense{4}}, {.name = "inner"});
  const Sequential copy{inner};
  EXPECT_EQ(copy.name(), "inner");
  EXPECT_EQ(names_of(copy), Texts{"dense"});
  const Sequential wrapped({inner}, {.name = "outer"});
  EXPECT_EQ(wrapped.name(), "outer");
  EXPECT_EQ(names_of(wrapped), Texts{"inner"});
  const Sequential named{{"first", inner}};
  EXPECT_EQ(names_of(named), Texts{"first"});
}

}  // namespace
}  // namespace cornu
