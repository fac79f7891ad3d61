#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/keras/load.h"
#include "cornu/tests/keras/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace {

using namespace cornu;
using cornu::testing::expect_error;
using cornu::testing::keras_difference;
using cornu::testing::keras_path;
using cornu::testing::keras_values;

Sequential small_model() { return {Input{3}, Dense{4, relu}, Dense{2}}; }

TEST(KerasWeights, AreReadFromFloatsOfAllSizes) {
  for (const char* const name : {"small", "half", "brain"}) {
    SCOPED_TRACE(name);
    Sequential model = small_model();
    EXPECT_TRUE(keras::load_weights(model, keras_path(std::string(name) + ".weights.h5")));
    const auto [inputs, outputs] = keras_values(name);
    EXPECT_LT(keras_difference(model.predict(inputs[0]), outputs[0]), 1e-6);
  }
}

TEST(KerasWeights, AreReadFromFilesOfKeras2) {
  for (const char* const name : {"old_model.h5", "old_weights.h5"}) {
    SCOPED_TRACE(name);
    Sequential model{Input{3}, Dense{4, relu}, BatchNormalization{.momentum = 0.9, .epsilon = 0.01}, Dense{1}};
    EXPECT_TRUE(keras::load_weights(model, keras_path(name)));
    const auto [inputs, outputs] = keras_values("old");
    EXPECT_LT(keras_difference(model.predict(inputs[0]), outputs[0]), 1e-6);
  }
}

/// The network in attention.keras as a struct.
struct AttentionNet {
  AnyLayer cross = MultiHeadAttention{.num_heads = 2, .key_dim = 3, .value_dim = 4}, norm = LayerNormalization{};
  Var forward(Var left, Var right) const { return norm(left + cross(left, right)); }
  NamedLayers layers() { return {{"cross", &cross}, {"norm", &norm}}; }
};

TEST(KerasWeights, OfAttentionOverAnotherSequenceBuildAndRun) {
  Sequential model{Inputs{{4, 3}, {6, 5}}, AttentionNet{}};
  const Tensor y = model.predict(Tensor::full({2, 42}, 1));
  EXPECT_EQ(y.shape(), (Shape{2, 4, 3}));
}

TEST(KerasWeights, ThatDoNotFitAreReportedAndNothingChanges) {
  Sequential model{Input{3}, Dense{5, relu}, Dense{2}, Dense{1}};
  const std::vector<Tensor> before = model.get_weights();
  const std::string path = keras_path("small.weights.h5");
  expect_error<ValueError>([&] { keras::load_weights(model, path); },
                           path +
                               ": the weights do not fit: missing: dense_2/kernel, dense_2/bias\nmismatched: "
                               "dense/kernel is (3, 5), the file has (3, 4), dense/bias is (5,), the file has (4,), "
                               "dense_1/kernel is (5, 2), the file has (4, 2)");
  EXPECT_EQ(model.get_weights(), before);
  const WeightsReport report = keras::load_weights(model, path, {.strict = false});
  EXPECT_EQ(report.mismatched.size(), 3U);
  EXPECT_NE(model.get_weights(), before);  // dense_1/bias
  Sequential fewer{Input{3}, Dense{4}};
  expect_error<ValueError>([&] { keras::load_weights(fewer, path); },
                           path + ": the weights do not fit: unexpected: layers/dense_1/vars/0, layers/dense_1/vars/1");
  Sequential older{Input{3}, Dense{4}};
  expect_error<ValueError>([&] { keras::load_weights(older, keras_path("old_weights.h5")); },
                           keras_path("old_weights.h5") + ": the file has 3 layers with weights, the model 1");
}

TEST(KerasWeights, OfOtherFilesAreRefusedByName) {
  const cornu::testing::TemporaryFolder folder;
  Sequential model = small_model();
  model.save(folder / "m.safetensors");
  expect_error<FormatError>([&] { keras::load_weights(model, folder / "m.safetensors"); },
                            (folder / "m.safetensors").string() +
                                ": not one of Keras's files: this is a safetensors file; Sequential::load reads a "
                                "model, load_weights weights, SafetensorsFile any tensors");
}

}  // namespace
