#include "cornu/onnx/save.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "cornu/core/error.h"
#include "cornu/layers/average_pooling2d.h"
#include "cornu/layers/batch_normalization.h"
#include "cornu/layers/concatenate.h"
#include "cornu/layers/conv1d.h"
#include "cornu/layers/conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/depthwise_conv2d.h"
#include "cornu/layers/dropout.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/flatten.h"
#include "cornu/layers/global_average_pooling2d.h"
#include "cornu/layers/gru.h"
#include "cornu/layers/input.h"
#include "cornu/layers/layer_normalization.h"
#include "cornu/layers/lstm.h"
#include "cornu/layers/max_pooling2d.h"
#include "cornu/layers/multi_head_attention.h"
#include "cornu/layers/normalization.h"
#include "cornu/layers/random_flip.h"
#include "cornu/layers/reshape.h"
#include "cornu/layers/residual.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::expect_close;
using testing::expect_error;
using testing::normal;

Var my_own(Var x) { return x * x; }

/// Models of every layer that can be written, by name.
std::vector<std::pair<std::string, Sequential>> models() {
  std::vector<std::pair<std::string, Sequential>> result;
  result.emplace_back(
      "dense", Sequential{Input{5}, Dense{4, relu}, Dropout{0.5}, Dense{.units = 3, .use_bias = false}, Softmax{}});
  result.emplace_back("activations",
                      Sequential{Input{4, 6}, Dense{5, tanh}, Activation{sigmoid}, ReLU{}, Sigmoid{}, Tanh{},
                                 Activation{exp}, Softmax{.axis = 1}, Activation{log_softmax}, Dense{2, softmax}});
  result.emplace_back("shapes", Sequential{Input{4, 6}, Reshape{2, -1, 2}, Flatten{}, Reshape{3, 8},
                                           Dense{.units = 2, .use_bias = false}});
  result.emplace_back(
      "network", Sequential{Input{9, 8}, Reshape{9, 8, 1},
                            Conv2D{.filters = 4, .kernel_size = 3, .padding = Padding::same, .activation = relu},
                            MaxPooling2D{}, Conv2D{.filters = 6, .kernel_size = {2, 3}, .groups = 2, .use_bias = false},
                            Dropout{0.3}, Flatten{}, Dense{10}});
  result.emplace_back(
      "strided",
      Sequential{
          Input{10, 7, 2}, Conv2D{.filters = 4, .kernel_size = {4, 3}, .strides = 2, .padding = Padding::same},
          AveragePooling2D{.pool_size = 3, .strides = 2, .padding = Padding::same},
          MaxPooling2D{.pool_size = 2, .strides = {1, 2}, .padding = Padding::same},
          Conv2D{.filters = 3, .kernel_size = 2, .padding = Padding::same, .dilation_rate = 2, .activation = softmax}});
  result.emplace_back(
      "pooled", Sequential{Input{4, 6, 3}, GlobalAveragePooling2D{.keepdims = true}, AveragePooling2D{.pool_size = 1},
                           Softmax{}, GlobalAveragePooling2D{}, Dense{2}});
  result.emplace_back("nested", Sequential{Input{6, 6, 1}, Sequential{Conv2D{.filters = 2, .kernel_size = 3}, ReLU{}},
                                           Sequential{Flatten{}, Dense{3}}});
  result.emplace_back(
      "sequence",
      Sequential{Input{7, 4}, Conv1D{.filters = 6, .kernel_size = 3, .padding = Padding::causal, .activation = relu},
                 Conv1D{.filters = 4, .kernel_size = 3, .strides = 2, .padding = Padding::same, .groups = 2},
                 Conv1D{.filters = 4, .kernel_size = 2, .dilation_rate = 2, .use_bias = false}, Flatten{}, Dense{2}});
  result.emplace_back(
      "depthwise",
      Sequential{Input{6, 5, 3}, DepthwiseConv2D{.kernel_size = 3, .padding = Padding::same, .depth_multiplier = 2},
                 DepthwiseConv2D{.kernel_size = {2, 1}, .strides = 2, .use_bias = false}});
  result.emplace_back(
      "branches",
      Sequential{Input{6, 6, 4},
                 Residual{Conv2D{.filters = 4, .kernel_size = 3, .padding = Padding::same, .activation = relu},
                          Conv2D{.filters = 4, .kernel_size = 3, .padding = Padding::same}},
                 Concatenate{{Conv2D{.filters = 2, .kernel_size = 1}},
                             {MaxPooling2D{.pool_size = 3, .strides = 1, .padding = Padding::same}}},
                 Residual{Dense{6, tanh}}, Concatenate{{{}, {Dense{6}}}, 1}, GlobalAveragePooling2D{},
                 Residual{Dense{6}}});
  result.emplace_back(
      "lstm", Sequential{Input{5, 3}, LSTM{.units = 4, .return_sequences = true},
                         LSTM{.units = 3, .use_bias = false, .return_sequences = true, .go_backwards = true}, LSTM{5},
                         Dense{2}});
  result.emplace_back(
      "gru",
      Sequential{Input{5, 3}, GRU{.units = 4, .return_sequences = true},
                 GRU{.units = 3, .use_bias = false, .return_sequences = true, .go_backwards = true}, GRU{5}, Dense{2}});
  result.emplace_back(
      "gru_before_product",
      Sequential{
          Input{5, 3}, GRU{.units = 4, .return_sequences = true, .reset_after = false},
          GRU{.units = 3, .use_bias = false, .return_sequences = true, .go_backwards = true, .reset_after = false},
          GRU{.units = 5, .reset_after = false}, Dense{2}});
  result.emplace_back(
      "attention",
      Sequential{Input{5, 6}, MultiHeadAttention{.num_heads = 2, .key_dim = 3, .value_dim = 4},
                 MultiHeadAttention{.num_heads = 3, .key_dim = 2, .use_bias = false, .use_causal_mask = true},
                 Dense{3}});
  result.emplace_back("functions",
                      Sequential{Input{4}, LeakyReLU{}, Dense{5, gelu}, ELU{0.7}, Dense{5, leaky_relu}, GELU{true},
                                 Swish{}, Dense{5, elu}, Softplus{}, Dense{4, silu}, Activation{softplus}});
  result.emplace_back(
      "normal", Sequential{Input{6, 5, 2}, RandomFlip{}, Conv2D{.filters = 4, .kernel_size = 3}, BatchNormalization{},
                           LayerNormalization{}, BatchNormalization{.axis = 1, .scale = false}, Reshape{12, 4},
                           BatchNormalization{.center = false},
                           LayerNormalization{.axis = {-2, -1}, .epsilon = 0.1, .center = false}, Flatten{},
                           BatchNormalization{}, LayerNormalization{.scale = false}});
  result.emplace_back("normalization",
                      Sequential{Input{6, 5, 2}, Normalization{}, Conv2D{.filters = 3, .kernel_size = 2},
                                 Normalization{.axis = {1, -1}}, Normalization{.axis = {}, .invert = true}, Flatten{},
                                 Normalization{.invert = true}, Dense{3}, Normalization{}});
  for (auto& [name, model] : result) {  // biases are 0 at first, and would not be missed
    for (const NamedParameter& each : model.parameters()) {
      Rng(5).fill_normal(each.parameter->value, 0, Real(0.5));
      if (each.name.find("variance") == std::string::npos) continue;
      for (Real& variance : each.parameter->value) variance = 1 + variance * variance;
    }
  }
  return result;
}

TEST(OnnxSave, WhatIsWrittenPredictsTheSameWhenItIsLoaded) {
  const testing::TemporaryFolder folder;
  const char* const kept = std::getenv("CORNU_ONNX_FILES");  // where another program wants to look at them
  for (const auto& [name, model] : models()) {
    const std::filesystem::path file =
        (kept != nullptr ? std::filesystem::path(kept) : folder.path()) / (name + ".onnx");
    onnx::save(model, file);
    const onnx::Model loaded = onnx::load(file);
    EXPECT_EQ(loaded.input_shape(), model.input_shape()) << name;
    for (const Index batch : {1, 3}) {
      const Tensor x = normal(model.input_shape()->batched(batch), 11);
      SCOPED_TRACE(name);
      expect_close(loaded.predict(x), model.predict(x));
    }
  }
}

TEST(OnnxSave, AMeanOfNormalizationIsNotTrainedAndAVarianceOfZeroDividesByLittle) {
  Normalization layer;
  layer.adapt(Tensor::matrix({{1, 5}, {3, 5}}));
  const Sequential model{Input{2}, layer};
  onnx::Model loaded = onnx::parse(onnx::serialize(model));
  EXPECT_TRUE(loaded.parameters().empty());
  const Tensor x = Tensor::matrix({{2, 5}, {4, 5}});
  EXPECT_EQ(loaded.predict(x), Tensor::matrix({{0, 0}, {2, 0}}));
}

TEST(OnnxSave, ClassNamesAreOneForEachOutput) {
  const auto names = [](const Sequential& model, std::vector<std::string> given) {
    return onnx::parse(onnx::serialize(model, {.class_names = std::move(given)})).metadata().at("class_names");
  };
  const Sequential two{Input{3}, Dense{2}}, steps{Input{4, 3}, Dense{2}};
  EXPECT_EQ(names(two, {"zero", "o\"ne"}), R"(["zero", "o\"ne"])");
  EXPECT_EQ(names(steps, {"a", "b"}), R"(["a", "b"])");
  const Sequential ten({Input{3}, Dense{10}}, {.name = "digits"});
  expect_error<ValueError>([&] { names(ten, {"a", "b"}); }, "digits: 2 class names came for 10 outputs");
  expect_error<ValueError>([&] { names(two, {"a", "b", "c"}); }, "sequential: 3 class names came for 2 outputs");
}

TEST(OnnxSave, AnEmbeddingTakesItsWordsAsFloats) {
  const Sequential model{Input{3}, Embedding{.input_dim = 7, .output_dim = 2}, Flatten{}, Dense{2}};
  const Tensor x = Tensor::matrix({{0, 6, 3}, {1, 1, 5}});
  expect_close(onnx::parse(onnx::serialize(model)).predict(x), model.predict(x));
}

TEST(OnnxSave, TheSameModelIsTheSameBytes) {
  const Sequential model{Input{3}, Dense{2}};
  EXPECT_EQ(onnx::serialize(model), onnx::serialize(model));
  EXPECT_EQ(onnx::parse(onnx::serialize(model)).metadata().size(), 0U);
}

TEST(OnnxSave, SaysWhatCannotBeWritten) {
  struct Mine {
    Var forward(Var x) const { return x; }
  };
  const Sequential own{Input{2}, Dense{2}, {"special", Mine{}}};
  expect_error<ValueError>([&] { onnx::serialize(own); }, "special: a Mine cannot be written to an ONNX file");
  const Sequential imported{onnx::parse(onnx::serialize(Sequential{Input{2}, Dense{2}})), Dense{2}};
  expect_error<ValueError>([&] { onnx::serialize(imported); },
                           "model: an imported onnx::Model cannot be written again; save_weights keeps what it has "
                           "learnt");
  const Sequential activation{Input{2}, Dense{2, my_own}};
  expect_error<ValueError>([&] { onnx::serialize(activation); },
                           "dense: its activation is none of the functions in core/ops.h that can be written");
  expect_error<StateError>([] { onnx::serialize(Sequential{Dense{2}}); },
                           "sequential: not built yet, its input's shape is not known; begin with an Input, or call "
                           "build or fit");
  const testing::TemporaryFolder folder;
  EXPECT_THROW(onnx::save(Sequential{Input{2}, Dense{1}}, folder / "none" / "m.onnx"), FileError);
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace cornu
