#include <gtest/gtest.h>

#include <filesystem>

#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/keras/load.h"
#include "cornu/models/sequential_state.h"
#include "cornu/tests/keras/support.h"
#include "cornu/tests/support/expect_error.h"

namespace {

using namespace cornu;
using cornu::testing::keras_difference;
using cornu::testing::keras_path;
using cornu::testing::keras_values;

/// The outputs of the model for the inputs of a fixture.
Tensor keras_outputs(const Sequential& model, const std::vector<Tensor>& inputs) {
  switch (inputs.size()) {
    case 1:
      return model.predict(inputs[0]);
    case 2:
      return model.predict(pack({inputs[0], inputs[1]}));
    default:
      throw ValueError("a fixture with another number of inputs");
  }
}

class KerasModel : public ::testing::TestWithParam<const char*> {};

TEST_P(KerasModel, PredictsWhatNumPyComputes) {
  const Sequential model = keras::load(keras_path(GetParam() + std::string(".keras")));
  const auto [inputs, outputs] = keras_values(GetParam());
  const Tensor y = keras_outputs(model, inputs);
  const Tensor expected = outputs.size() == 1 ? outputs[0] : pack({outputs[0], outputs[1]});
  // The files hold float32 and the values nine digits.
  EXPECT_LT(keras_difference(y, expected), sizeof(Real) == 4 ? 3e-5 : 1e-6);
}

INSTANTIATE_TEST_SUITE_P(All, KerasModel,
                         ::testing::Values("mlp", "cnn", "pools", "text", "steps", "attention", "shared", "outputs",
                                           "chain"),
                         [](const auto& one) { return std::string(one.param); });

TEST(KerasLoad, KeepsNamesOptionsAndWhatIsNotTrained) {
  const Sequential model = keras::load(keras_path("mlp.keras"));
  EXPECT_EQ(model.name(), "sequential");
  EXPECT_EQ(model.get_layer(-1).name(), "head");
  const Dense& dense = *model.get_layer("dense").as<Dense>();
  EXPECT_EQ(dense.kernel_regularizer.l2, 0.01);
  EXPECT_EQ(dense.kernel_constraint.max_norm, 3);
  for (const auto& [name, parameter] : model.parameters()) {
    EXPECT_EQ(parameter->frozen, name.starts_with("dense_1/")) << name;
  }
}

TEST(KerasLoad, CompilesAsTheFileSays) {
  const Sequential mlp = keras::load(keras_path("mlp.keras"));
  ASSERT_TRUE(mlp.compiled());
  Json json;
  to_json(json, detail::SequentialState::of(mlp).compiled->optimizer);
  EXPECT_EQ(json.at("class_name"), Json("Adam"));
  EXPECT_EQ(json.at("config").at("learning_rate"), Json(0.001));
  const Sequential chain = keras::load(keras_path("chain.keras"));
  const CompileOptions& compiled = *detail::SequentialState::of(chain).compiled;
  to_json(json, compiled.optimizer);
  EXPECT_EQ(json.at("config").at("learning_rate").at("class_name"), Json("ExponentialDecay"));
  EXPECT_EQ(json.at("config").at("nesterov"), Json(true));
  to_json(json, compiled.loss);
  EXPECT_EQ(to_string(json), R"({"class_name":"Huber","config":{"delta":0.5}})");
  ASSERT_EQ(compiled.metrics.size(), 2U);
  EXPECT_EQ(compiled.metrics[0].name(), "mean_absolute_error");
  EXPECT_EQ(compiled.metrics[1].name(), "mean_squared_error");
  EXPECT_FALSE(keras::load(keras_path("mlp.keras"), {.compile = false}).compiled());
  EXPECT_FALSE(keras::load(keras_path("cnn.keras")).compiled());
}

TEST(KerasLoad, ReadsModelsOfKeras2) {
  const Sequential model = keras::load(keras_path("old_model.h5"));
  const auto [inputs, outputs] = keras_values("old");
  EXPECT_LT(keras_difference(model.predict(inputs[0]), outputs[0]), 1e-6);
  ASSERT_TRUE(model.compiled());
  Json json;
  to_json(json, detail::SequentialState::of(model).compiled->optimizer);
  EXPECT_EQ(json.at("class_name"), Json("RMSprop"));
}

TEST(KerasLoad, MakesAChainOfAFunctionalModelThatIsOne) {
  const Sequential model = keras::load(keras_path("chain.keras"));
  EXPECT_EQ(model.layer_count(), 3);
  EXPECT_EQ(model.name(), "chain");
  EXPECT_EQ(keras::load(keras_path("shared.keras")).get_layer("graph/tower").type(), "Sequential");
}

TEST(KerasLoad, SavedAsCornusModelItPredictsTheSameBits) {
  for (const char* const name : {"attention", "shared", "steps"}) {
    SCOPED_TRACE(name);
    const Sequential model = keras::load(keras_path(std::string(name) + ".keras"));
    const std::string path = ::testing::TempDir() + "cornu_keras_" + name + ".safetensors";
    model.save(path);
    const auto [inputs, outputs] = keras_values(name);
    EXPECT_EQ(keras_outputs(Sequential::load(path), inputs), keras_outputs(model, inputs));
    std::filesystem::remove(path);
  }
}

TEST(KerasLoad, TheLoadedModelTrains) {
  Sequential model = keras::load(keras_path("chain.keras"));
  const auto [inputs, outputs] = keras_values("chain");
  const double before = model.evaluate(inputs[0], outputs[0])["loss"];
  const Tensor y = Tensor::full({2, 1}, 3);
  const double first = model.evaluate(inputs[0], y)["loss"];
  for (int i = 0; i < 20; ++i) model.train_on_batch(inputs[0], y);
  EXPECT_LT(before, 1e-9);
  EXPECT_LT(model.evaluate(inputs[0], y)["loss"], first / 2);
}

}  // namespace
