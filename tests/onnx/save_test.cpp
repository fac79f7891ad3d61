#include "cornu/onnx/save.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "cornu/core/error.h"
#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/augmentation/random_flip.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/input.h"
#include "cornu/layers/merging/concatenate.h"
#include "cornu/layers/merging/residual.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/normalization/normalization.h"
#include "cornu/layers/pooling/average_pooling1d.h"
#include "cornu/layers/pooling/average_pooling2d.h"
#include "cornu/layers/pooling/global_average_pooling1d.h"
#include "cornu/layers/pooling/global_average_pooling2d.h"
#include "cornu/layers/pooling/global_max_pooling1d.h"
#include "cornu/layers/pooling/global_max_pooling2d.h"
#include "cornu/layers/pooling/max_pooling1d.h"
#include "cornu/layers/pooling/max_pooling2d.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/layers/rnn/bidirectional.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/layers/rnn/simple_rnn.h"
#include "cornu/layers/rnn/time_distributed.h"
#include "cornu/tests/onnx/export.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::expect_close;
using testing::expect_error;
using testing::export_to;
using testing::exported;
using testing::normal;

/// Models that cover every exportable layer, by name.
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
      "pooled_sequence",
      Sequential{Input{11, 4}, MaxPooling1D{.pool_size = 3, .strides = 2, .padding = Padding::causal},
                 AveragePooling1D{.pool_size = 3, .strides = 1, .padding = Padding::causal},
                 AveragePooling1D{.strides = 1, .padding = Padding::same}, MaxPooling1D{},
                 Concatenate{{GlobalMaxPooling1D{.keepdims = true}}, {GlobalAveragePooling1D{.keepdims = true}}},
                 Concatenate{{GlobalMaxPooling1D{}}, {GlobalAveragePooling1D{}}}, Dense{2}});
  result.emplace_back(
      "maxima", Sequential{Input{4, 6, 3},
                           Concatenate{{GlobalMaxPooling2D{}}, {GlobalMaxPooling2D{.keepdims = true}, Flatten{}}}});
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
      "simple_rnn", Sequential{Input{5, 3}, SimpleRNN{.units = 4, .activation = relu, .return_sequences = true},
                               SimpleRNN{.units = 3, .use_bias = false, .return_sequences = true, .go_backwards = true},
                               SimpleRNN{.units = 4, .activation = sigmoid, .return_sequences = true},
                               SimpleRNN{.units = 5, .activation = softplus}, Dense{2}});
  result.emplace_back(
      "bidirectional",
      Sequential{Input{5, 3}, Bidirectional{LSTM{.units = 2, .return_sequences = true}},
                 Bidirectional{GRU{.units = 3, .return_sequences = true}, MergeMode::mul},
                 Bidirectional{GRU{.units = 3, .return_sequences = true, .reset_after = false}},
                 Bidirectional{SimpleRNN{.units = 3, .activation = relu, .use_bias = false, .return_sequences = true}},
                 Bidirectional{SimpleRNN{.units = 2, .return_sequences = true}, MergeMode::sum},
                 Bidirectional{GRU{.units = 3, .reset_after = false}, MergeMode::ave}, Dense{2}});
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
  result.emplace_back(
      "frames",
      Sequential{Input{3, 7, 6, 2},
                 TimeDistributed{Sequential{Conv2D{.filters = 4, .kernel_size = 2, .activation = relu},
                                            BatchNormalization{}, MaxPooling2D{}, Reshape{6, 4}}},
                 TimeDistributed{LSTM{.units = 3, .return_sequences = true}},
                 TimeDistributed{SimpleRNN{.units = 3, .return_sequences = true}},
                 TimeDistributed{GRU{.units = 3, .activation = relu, .return_sequences = true}},
                 TimeDistributed{Residual{Conv1D{.filters = 3, .kernel_size = 2, .padding = Padding::causal}}},
                 TimeDistributed{Sequential{Flatten{}, LayerNormalization{}, Dense{3, softmax}}}, LSTM{2}});
  // Two directions, layers named like the graph's own values, and merging paths.
  result.emplace_back(
      "names", Sequential{Input{5, 3},
                          Concatenate{{{"output", LSTM{.units = 2, .return_sequences = true}}},
                                      {{"input", LSTM{.units = 2, .return_sequences = true, .go_backwards = true}}}},
                          {"a", Sequential{{"b", GRU{.units = 3, .return_sequences = true}}}},
                          {"a/b", GRU{.units = 3, .return_sequences = true}},
                          {"a_states", MultiHeadAttention{.num_heads = 1, .key_dim = 2}},
                          {"a/b_states", MultiHeadAttention{.num_heads = 1, .key_dim = 2}},
                          Residual{Residual{Dense{3}}},
                          {"output_last", LSTM{2}},
                          {"a/b/kernel", Dense{2}}});
  for (auto& [name, model] : result) {  // biases start at 0, where their absence would not be noticed
    for (const NamedParameter& each : model.parameters()) {
      Rng(5).fill_normal(each.parameter->value, 0, Real(0.5));
      if (each.name.find("variance") == std::string::npos) continue;
      for (Real& variance : each.parameter->value) variance = 1 + variance * variance;
    }
  }
  return result;
}

TEST(OnnxSave, ABidirectionalIsOneNodeIfItConcatenates) {
  const auto text_of = [](const AnyLayer& layer) { return exported(Sequential{Input{4, 2}, {"both", layer}}); };
  const auto has = [](const std::string& bytes, const char* text) { return bytes.find(text) != std::string::npos; };
  for (const bool return_sequences : {true, false}) {
    const LSTM lstm{.units = 2, .return_sequences = return_sequences};
    EXPECT_TRUE(has(text_of(Bidirectional{lstm}), "bidirectional"));
    EXPECT_FALSE(has(text_of(Bidirectional{lstm}), "reverse"));
    EXPECT_FALSE(has(text_of(Bidirectional{lstm, MergeMode::sum}), "bidirectional"));
    EXPECT_TRUE(has(text_of(Bidirectional{lstm, MergeMode::sum}), "reverse"));
    // With other activations, units or cells, the directions are different nodes.
    const LSTM other{.units = 3, .return_sequences = return_sequences, .go_backwards = true};
    EXPECT_FALSE(has(text_of(Bidirectional{lstm, other}), "bidirectional"));
  }
}

TEST(OnnxSave, AnExportedModelPredictsTheSameAfterLoading) {
  const testing::TemporaryFolder folder;
  const char* const kept = std::getenv("CORNU_ONNX_FILES");  // folder for another program that checks the files
  for (const auto& [name, model] : models()) {
    const std::filesystem::path file =
        (kept != nullptr ? std::filesystem::path(kept) : folder.path()) / (name + ".onnx");
    export_to(file, model);
    const onnx::Model loaded = onnx::load(file);
    EXPECT_EQ(loaded.input_shape(), model.input_shape()) << name;
    for (const Index batch : {1, 3}) {
      const Tensor x = normal(model.input_shape()->batched(batch), 11);
      SCOPED_TRACE(name);
      expect_close(loaded.predict(x), model.predict(x));
    }
  }
}

TEST(OnnxSave, APoolOfSequencesIsOneNode) {
  const std::string bytes =
      exported(Sequential{Input{11, 4}, MaxPooling1D{.padding = Padding::causal}, AveragePooling1D{.strides = 1},
                          GlobalMaxPooling1D{.keepdims = true}, GlobalAveragePooling1D{}});
  for (const char* const node : {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"}) {
    EXPECT_NE(bytes.find(node), std::string::npos) << node;
  }
  for (const char* const part : {"Reshape", "Pad", "ReduceM"}) EXPECT_EQ(bytes.find(part), std::string::npos) << part;
}

/// Chains of layers that keep (4, 3), with names that collide with each other and with those of the exporter.
std::vector<AnyLayer> confusing_layers(Rng& rng, int depth, std::vector<std::string>& names) {
  std::vector<AnyLayer> result;
  const auto own_names = [] {
    return std::vector<std::string>{"output",   "input",       "a",           "b",         "a/b",         "b/c",
                                    "a/b/c",    "lstm",        "lstm_1",      "lstm_last", "lstm_states", "kernel",
                                    "a/kernel", "output_last", "Transpose_0", "Add_3",     "a_0",         "a_1",
                                    "a b",      "bias",        "x\ny",        "x\x7Fy",    "_",           "query",
                                    "a/query",  "a/split",     "é",           "unnamed",   "output_1",    "Identity_9"};
  };
  const auto name = [&] {
    const std::size_t at = rng.bits() % names.size();
    std::string taken = names[at];
    names.erase(names.begin() + static_cast<std::ptrdiff_t>(at));
    return taken;
  };
  for (Index count = 1 + static_cast<Index>(rng.bits() % 4); count > 0; --count) {
    const bool backwards = rng.bits() % 2 == 0;
    switch (rng.bits() % (depth > 0 ? 8 : 5)) {
      case 0:
        result.emplace_back(name(), LSTM{.units = 3, .return_sequences = true, .go_backwards = backwards});
        break;
      case 1:
        result.emplace_back(name(), GRU{.units = 3, .return_sequences = true, .go_backwards = backwards});
        break;
      case 2:
        result.emplace_back(name(), MultiHeadAttention{.num_heads = 2, .key_dim = 2});
        break;
      case 3:
        result.emplace_back(name(), Dense{3, tanh});
        break;
      case 4:
        result.emplace_back(name(), Normalization{});
        break;
      case 5: {
        Sequential inner;
        std::vector<std::string> inside = own_names();
        for (AnyLayer& layer : confusing_layers(rng, depth - 1, inside)) inner.add(std::move(layer));
        result.emplace_back(name(), inner);
        break;
      }
      case 6: {
        std::vector<std::string> inside = own_names();
        result.emplace_back(name(), Residual(confusing_layers(rng, depth - 1, inside)));
        break;
      }
      default: {
        std::vector<std::string> inside = own_names();
        std::vector<std::vector<AnyLayer>> chains;
        for (int i = 0; i < 2; ++i) chains.push_back(confusing_layers(rng, depth - 1, inside));
        result.emplace_back(name(), Concatenate(std::move(chains)));
        result.emplace_back(name(), Dense{3});
      }
    }
  }
  return result;
}

TEST(OnnxSave, NamesAreUniqueForAnyLayerNames) {
  Rng rng(21);
  for (int i = 0; i < 150; ++i) {
    Sequential model{Input{4, 3}};
    std::vector<std::string> names{"output", "input", "a", "a/b", "a/b/c", "lstm_last", "b", "lstm", "kernel", "a_0"};
    for (AnyLayer& layer : confusing_layers(rng, 2, names)) model.add(std::move(layer));
    for (const NamedParameter& each : model.parameters()) {
      rng.fill_normal(each.parameter->value, 0, Real(0.5));
      if (each.name.find("variance") == std::string::npos) continue;
      for (Real& variance : each.parameter->value) variance = 1 + variance * variance;
    }
    const Tensor x = normal({2, 4, 3}, static_cast<std::uint64_t>(i));
    SCOPED_TRACE(i);
    expect_close(onnx::parse(exported(model)).predict(x), model.predict(x), 1e-4);
  }
}

TEST(OnnxSave, TheNameOfTheModelIsSanitizedToo) {
  const Sequential model({Input{2}, Dense{1}}, {.name = "\n\x01\x7F"});
  EXPECT_NE(exported(model).find("___"), std::string::npos);
}

/// The rule applies to nodes, values and initializers alike.
TEST(OnnxSave, ControlCharactersBecomeUnderscoresInAllNames) {
  const std::string name = "x\ny\t\x7F\xC2\x85";
  const Sequential model({Input{2}, {name, Dense{1, relu}}, {name + "/a", Dense{1}}});
  const std::string bytes = exported(model), legal = "x_y__\xC2\x85";
  EXPECT_EQ(bytes.find("\\u"), std::string::npos);
  for (const std::string& wanted : {legal + "/kernel", legal + "_0", legal + "/a/bias"}) {
    EXPECT_NE(bytes.find(wanted), std::string::npos) << wanted;
  }
}

TEST(OnnxSave, RejectsNamesThatAreNotUtf8) {
  const Sequential model({Input{2}, Dense{1}});
  testing::expect_error<ValueError>(
      [&] { exported(model, {.class_names = {"\xFC"}}); },
      "the class name \"\\xfc\" is not UTF-8 (at byte 0); is it Latin-1? Files store text as UTF-8");
  Sequential renamed = model;
  renamed.get_layer(0).rename("a\xFF");
  testing::expect_error<ValueError>(
      [&] { exported(renamed); },
      "a\\xff: the name \"a\\xff/kernel\" is not UTF-8 (at byte 1); is it Latin-1? Files store text as UTF-8");
}

TEST(OnnxSave, EveryTestExportsThroughTheNameCheck) {
  for (const auto& entry : std::filesystem::directory_iterator(testing::source_path("tests/onnx"))) {
    if (!entry.is_regular_file() || entry.path().filename() == "export.h") continue;
    const std::string text = testing::content(entry.path());
    for (const std::string call : {"save", "serialize"}) {
      EXPECT_EQ(text.find("onnx::" + call + "("), std::string::npos) << entry.path();
    }
  }
}

TEST(OnnxSave, NormalizationHasNoTrainableWeightsAndHandlesZeroVariance) {
  Normalization layer;
  layer.adapt(Tensor::matrix({{1, 5}, {3, 5}}));
  const Sequential model{Input{2}, layer};
  onnx::Model loaded = onnx::parse(exported(model));
  EXPECT_TRUE(loaded.parameters().empty());
  const Tensor x = Tensor::matrix({{2, 5}, {4, 5}});
  EXPECT_EQ(loaded.predict(x), Tensor::matrix({{0, 0}, {2, 0}}));
}

TEST(OnnxSave, ClassNamesMustMatchTheOutputs) {
  const auto names = [](const Sequential& model, std::vector<std::string> given) {
    return onnx::parse(exported(model, {.class_names = std::move(given)})).metadata().at("class_names");
  };
  const Sequential two{Input{3}, Dense{2}}, steps{Input{4, 3}, Dense{2}};
  EXPECT_EQ(names(two, {"zero", "o\"ne"}), R"(["zero", "o\"ne"])");
  EXPECT_EQ(names(steps, {"a", "b"}), R"(["a", "b"])");
  const Sequential ten({Input{3}, Dense{10}}, {.name = "digits"});
  expect_error<ValueError>([&] { names(ten, {"a", "b"}); }, "digits: 2 class names given for 10 outputs");
  expect_error<ValueError>([&] { names(two, {"a", "b", "c"}); }, "sequential: 3 class names given for 2 outputs");
}

TEST(OnnxSave, AnEmbeddingTakesItsIndicesAsFloats) {
  const Sequential model{Input{3}, Embedding{.input_dim = 7, .output_dim = 2}, Flatten{}, Dense{2}};
  const Tensor x = Tensor::matrix({{0, 6, 3}, {1, 1, 5}});
  expect_close(onnx::parse(exported(model)).predict(x), model.predict(x));
}

TEST(OnnxSave, TheSameModelGivesTheSameBytes) {
  const Sequential model{Input{3}, Dense{2}};
  EXPECT_EQ(exported(model), exported(model));
  EXPECT_EQ(onnx::parse(exported(model)).metadata().size(), 0U);
}

/// A user's layer that acts only in training.
struct Noise {
  Var forward(Var x) const { return x.tape().training() ? x * 2 : x; }
};

TEST(OnnxSave, OmitsALayerOfAUserThatActsOnlyInTraining) {
  const Sequential with{Input{2}, Noise{}, {"dense", Dense{3}}};
  EXPECT_EQ(onnx::parse(exported(with)).predict(normal({4, 2})).shape(), (Shape{4, 3}));
  EXPECT_EQ(exported(with).find("Noise"), std::string::npos);
  EXPECT_EQ(exported(with).find("noise"), std::string::npos);
}

TEST(OnnxSave, TakesNoMemoryForACopyOfTheModel) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "operator new is the sanitizer's here";
  Sequential model{Input{256}};
  for (int i = 0; i < 8; ++i) model.add(Dense{256});
  const testing::PeakMemory memory;
  const std::string file = exported(model);
  // While the graph grows, its old and its new memory, here of 1 and 2 times the file. A copy would make it 4 times.
  EXPECT_LT(2 * memory.bytes(), 7 * std::ssize(file));
}

TEST(OnnxSave, SaysWhatCannotBeWritten) {
  struct Sized {
    Var forward(Var x) const { return x / static_cast<double>(x.shape()[0]); }
  };
  const Sequential own{Input{2}, Dense{2}, {"special", Sized{}}};
  expect_error<ValueError>([&] { exported(own); },
                           "trace: divide of special: a constant depends on the size of the batch");
  expect_error<StateError>(
      [] { exported(Sequential{Dense{2}}); },
      "sequential: not built, because its input shape is unknown; begin with an Input, or call build or fit");
  const testing::TemporaryFolder folder;
  EXPECT_THROW(export_to(folder / "none" / "m.onnx", Sequential{Input{2}, Dense{1}}), FileError);
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace cornu
