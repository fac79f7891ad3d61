#ifdef CORNU_HAS_KERAS

#include "cornu/tests/keras/support.h"
#include "cornu/tests/tool/support.h"

namespace cornu::tool {
namespace {

class KerasFiles : public ToolTest {
 protected:
  void copy_model(const std::string& name) const {
    std::filesystem::copy_file(testing::keras_path(name), folder / name);
  }
};

TEST_F(KerasFiles, AreDescribedAndUsedLikeOtherModels) {
  copy_model("mlp.keras");
  const Result info = cornu("info mlp.keras");
  EXPECT_EQ(info.status, 0) << info.err;
  EXPECT_NE(info.out.find("mlp.keras: Keras model\n"), std::string::npos);
  EXPECT_NE(info.out.find("head (Dense)"), std::string::npos);
  EXPECT_NE(info.out.find("Loss: SparseCategoricalCrossentropy("), std::string::npos);
  EXPECT_NE(cornu("info mlp.keras --json").out.find(R"({"format":"keras","name":"sequential")"), std::string::npos);

  const auto [inputs, outputs] = testing::keras_values("mlp");
  write_npy(folder / "x.npy", inputs[0]);
  EXPECT_EQ(cornu("predict mlp.keras x.npy --output y.npy").status, 0);
  EXPECT_LT(testing::keras_difference(to_tensor(NpyFile(folder / "y.npy").array()), outputs[0]), 1e-5);
}

TEST_F(KerasFiles, AreNotRun) {
  copy_model("mlp.keras");
  expect_failure("run mlp.keras",
                 "mlp.keras: a Keras model (.keras); 'cornu run' takes an ONNX model, 'cornu predict' a Cornu or Keras "
                 "model");
}

TEST_F(KerasFiles, AreConverted) {
  copy_model("mlp.keras");
  const Result result = cornu("convert mlp.keras m.safetensors");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_NE((result.out + result.err).find("m.safetensors: left out:\n  the state of its optimizer\n"),
            std::string::npos)
      << result.out << result.err;
  const auto [inputs, outputs] = testing::keras_values("mlp");
  const Sequential model = Sequential::load(folder / "m.safetensors");
  EXPECT_TRUE(model.compiled());
  EXPECT_LT(testing::keras_difference(model.predict(inputs[0]), outputs[0]), 1e-5);
  EXPECT_EQ(cornu("convert mlp.keras m.h").status, 0);
#ifdef CORNU_HAS_ONNX
  EXPECT_EQ(cornu("convert mlp.keras m.onnx").status, 0);
  write_npy(folder / "x.npy", inputs[0]);
  EXPECT_EQ(cornu("predict m.onnx x.npy --output y.npy").status, 0);
  EXPECT_LT(testing::keras_difference(to_tensor(NpyFile(folder / "y.npy").array()), outputs[0]), 1e-5);
#endif
}

TEST_F(KerasFiles, OfWeightsAreReadIntoAModel) {
  copy_model("small.weights.h5");
  Sequential{Input{3}, Dense{4, relu}, Dense{2}}.save(folder / "m.safetensors");
  EXPECT_EQ(cornu("convert small.weights.h5 n.safetensors --model m.safetensors").status, 0);
  const auto [inputs, outputs] = testing::keras_values("small");
  EXPECT_LT(testing::keras_difference(Sequential::load(folder / "n.safetensors").predict(inputs[0]), outputs[0]), 1e-6);
  EXPECT_EQ(output("info small.weights.h5"),
            "small.weights.h5: keras\n"
            "\n"
            "Name                   Type  Shape   Bytes\n"
            "layers/dense/vars/0    F32   (3, 4)  48\n"
            "layers/dense/vars/1    F32   (4,)    16\n"
            "layers/dense_1/vars/0  F32   (4, 2)  32\n"
            "layers/dense_1/vars/1  F32   (2,)    8\n"
            "optimizer/vars/0       I64   ()      8\n"
            "optimizer/vars/1       F32   ()      4\n"
            "6 arrays, 28 elements, 116 bytes\n");
  expect_failure("predict small.weights.h5 x.npy",
                 "small.weights.h5: weights without a model; 'cornu convert --model MODEL small.weights.h5 OUT' loads "
                 "them into a model");
}

}  // namespace
}  // namespace cornu::tool

#endif
