// Models that take sequences and images of any length: Input{-1, ...}.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/cornu.h"
#include "cornu/models/export_cpp/export_cpp.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"
#include "cornu/tests/support/tensors.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::normal;

/// A layer of ops, without build.
struct Doubled {
  AnyLayer inner = Dense{3};
  Var forward(Var x) const { return inner(x) + inner(x); }
  NamedLayers layers() { return {{"inner", &inner}}; }
};

struct LengthCase {
  const char* name;
  Shape input;  // 0: any length
  std::vector<AnyLayer> layers;
  Shape output;
  std::vector<Index> lengths{1, 2, 5, 33, 200};
};

Sequential model_of(const LengthCase& which, const Shape& input) {
  Sequential model{Input(input)};
  for (const AnyLayer& layer : which.layers) model.add(layer);
  return model;
}

/// Whole numbers for tokens, (steps).
Tensor samples_for(const Shape& sample, std::uint64_t seed) {
  Tensor x = normal(sample.batched(3), seed);
  if (sample.rank() > 1) return x;
  Rng rng(seed);
  for (Real& token : x) token = static_cast<Real>(rng.below(10));
  return x;
}

Shape with_length(const Shape& pattern, Index length) {
  Shape result = pattern;
  for (Index axis = 0; axis < result.rank(); ++axis) {
    if (result[axis] == 0) result = result.with(axis, length + axis);
  }
  return result;
}

std::vector<LengthCase> length_cases() {
  return {
      {"dense", {0, 4}, {Dense{3, relu}}, {0, 3}},
      {"lstm", {0, 4}, {LSTM{.units = 5}, Dense{2}}, {2}},
      {"lstm_sequences", {0, 4}, {LSTM{.units = 5, .return_sequences = true}, Dense{2}}, {0, 2}},
      {"bidirectional", {0, 4}, {Bidirectional(GRU{.units = 3, .return_sequences = true}), Dense{2}}, {0, 2}},
      {"simple_rnn", {0, 4}, {SimpleRNN{.units = 3, .activation = softplus}}, {3}},
      {"conv_causal", {0, 4}, {Conv1D{.filters = 3, .kernel_size = 5, .padding = Padding::causal}}, {0, 3}},
      {"conv_valid", {0, 4}, {Conv1D{.filters = 3, .kernel_size = 5}, GlobalAveragePooling1D{}}, {3}, {5, 6, 40}},
      {"conv_long", {0, 4}, {Conv1D{.filters = 3, .kernel_size = 50}}, {0, 3}, {50, 51, 90}},
      {"strides", {0, 4}, {Conv1D{.filters = 3, .kernel_size = 3, .strides = 2, .padding = Padding::same}}, {0, 3}},
      {"pooling", {0, 4}, {MaxPooling1D{.pool_size = 2}, GlobalMaxPooling1D{.keepdims = true}}, {1, 4}, {2, 5, 33}},
      {"residual", {0, 4}, {Residual{{Dense{4, relu}, LayerNormalization{}}}, LSTM{.units = 2}}, {2}},
      {"nested", {0, 4}, {Sequential{Dense{3}, Sequential{Tanh{}, Dense{2}}}, GlobalAveragePooling1D{}}, {2}},
      {"nested_first",
       {0, 4},
       {Sequential{Residual{Sequential{Dense{4}}}, Dense{3}}, Residual{Residual{Tanh{}}}},
       {0, 3}},
      {"concatenate", {0, 4}, {Concatenate({{}, {Dense{3}}})}, {0, 7}},
      {"attention", {0, 4}, {MultiHeadAttention{.num_heads = 2, .key_dim = 3}}, {0, 4}},
      {"time_distributed", {0, 2, 3}, {TimeDistributed{Flatten{}}, Dense{2}}, {0, 2}},
      {"tokens", {0}, {Embedding{10, 3}, GRU{.units = 2}}, {2}},
      {"layer_of_ops", {0, 4}, {Doubled{}}, {0, 3}},
      {"images",
       {0, 0, 2},
       {Conv2D{.filters = 3, .kernel_size = 3, .padding = Padding::same}, MaxPooling2D{}, GlobalAveragePooling2D{}},
       {3},
       {2, 5, 33}},
  };
}

TEST(AnyLength, PredictsAsAModelOfThatLength) {
  for (const LengthCase& which : length_cases()) {
    SCOPED_TRACE(which.name);
    const Sequential model = model_of(which, which.input);
    EXPECT_EQ(model.input_shape(), which.input);
    EXPECT_EQ(model.output_shape(), which.output);
    for (const Index length : which.lengths) {
      SCOPED_TRACE(length);
      const Shape sample = with_length(which.input, length);
      Sequential of_length = model_of(which, sample);
      // The same seed: the weights do not depend on the lengths that were tried.
      EXPECT_EQ(of_length.get_weights(), model.get_weights());
      const Tensor x = samples_for(sample, 3);
      EXPECT_EQ(model.predict(x, {.batch_size = 2}), of_length.predict(x, {.batch_size = 2}));
      EXPECT_EQ(model.predict(Tensor(sample.batched(0))).shape()[0], 0);
    }
  }
}

TEST(AnyLength, TrainsOnBatchesOfSeveralLengths) {
  for (const LengthCase& which : length_cases()) {
    SCOPED_TRACE(which.name);
    Sequential model = model_of(which, which.input), other = model;
    for (Sequential* const each : {&model, &other}) {
      each->compile({.optimizer = SGD{.learning_rate = 0.01}, .loss = MeanSquaredError{}});
    }
    for (const Index length : {which.lengths.back(), which.lengths.front()}) {
      const Shape sample = with_length(which.input, length);
      const Tensor x = samples_for(sample, 4), y = normal(model.predict(x).shape(), 5);
      other.build(sample);  // keeps the weights
      model.train_on_batch(x, y);
      other.train_on_batch(x, y);
      EXPECT_EQ(model.get_weights(), other.get_weights());
      EXPECT_EQ(model.evaluate(x, y)["loss"], other.evaluate(x, y)["loss"]);
      model.fit(x, y, {.batch_size = 2, .epochs = 1, .verbose = Verbose::silent});
      other.fit(x, y, {.batch_size = 2, .epochs = 1, .verbose = Verbose::silent});
      EXPECT_EQ(model.get_weights(), other.get_weights());
    }
  }
}

TEST(AnyLength, SurvivesSavingAndCopying) {
  const testing::TemporaryFolder folder;
  const std::string file = (folder / "model.safetensors").string();
  for (const LengthCase& which : length_cases()) {
    if (std::string_view(which.name) == "layer_of_ops") continue;  // not registered
    SCOPED_TRACE(which.name);
    const Sequential model = model_of(which, which.input);
    model.save(file);
    const Sequential loaded = Sequential::load(file), copy = model;
    const Tensor x = samples_for(with_length(which.input, which.lengths.back()), 6);
    for (const Sequential* const each : {&loaded, &copy}) {
      EXPECT_EQ(each->input_shape(), which.input);
      EXPECT_EQ(each->output_shape(), which.output);
      EXPECT_EQ(each->predict(x), model.predict(x));
    }
  }
}

TEST(AnyLength, LayersCanBeAddedAndRemoved) {
  Sequential model{Input{-1, 4}, Dense{3}};
  model.add(LSTM{.units = 2, .return_sequences = true});
  EXPECT_EQ(model.output_shape(), (Shape{0, 2}));
  EXPECT_EQ(model.output_shape(0), (Shape{0, 3}));
  EXPECT_EQ(error_of<ShapeError>([&] {
              model.add(Sequential{Flatten{}, Dense{1}});
            }).substr(0, 64),
            "sequential: samples of shape (-1, 4), tried with length 17 after");
  EXPECT_EQ(model.layer_count(), 2);
  EXPECT_EQ(model.predict(normal({1, 9, 4}, 1)).shape(), (Shape{1, 9, 2}));
  model.pop();
  EXPECT_EQ(model.output_shape(), (Shape{0, 3}));
  EXPECT_EQ(model.predict(normal({1, 7, 4}, 1)).shape(), (Shape{1, 7, 3}));
}

TEST(AnyLength, ParametersMustNotDependOnTheLength) {
  const auto flat = [] { Sequential{Input{-1, 4}, Flatten{}, Dense{2}}; };
  EXPECT_EQ(
      error_of<ShapeError>(flat),
      "sequential: samples of shape (-1, 4), tried with length 17 after 16; the parameters must not depend on it: "
      "dense: kernel has shape (64, 2), but inputs of shape (68,) require (68, 2)");
  const auto narrow = [] { Sequential{Input{-1, 4}, LSTM{.units = 2}, LSTM{.units = 2}}; };
  EXPECT_NE(error_of<ShapeError>(narrow).find("set .return_sequences = true"), std::string::npos);
}

TEST(AnyLength, ATableOfPositionsSetsALargestLength) {
  struct Positions {
    Parameter table{};
    Shape build(const Shape& input, Rng&) {
      require(input[0] <= 40, "Positions: {} steps; at most 40 are possible", input[0]);
      table.value = normal({40, input[1]}, 1);
      return input;
    }
    Var forward(Var x) const { return x + slice_axis(x.tape().parameter(table), 0, 0, x.shape()[1]); }
    NamedParameters parameters() { return {{"table", &table}}; }
  };
  const Sequential model{Input{-1, 4}, Positions{}, Dense{2}};
  EXPECT_EQ(model.predict(normal({2, 40, 4}, 1)).shape(), (Shape{2, 40, 2}));
  EXPECT_THROW((void)model.predict(normal({2, 41, 4}, 1)), ShapeError);
  EXPECT_NE(error_of<ValueError>([&] { Stream{model}; }).find("build a copy for as many steps as there are rows"),
            std::string::npos);
  Sequential longest = model;
  longest.build({40, 4});
  EXPECT_EQ(Stream(longest).most_steps(), 40);
}

TEST(AnyLength, OtherAxesAreChecked) {
  Sequential model{Input{-1, 4}, LSTM{.units = 2}};
  model.compile({.loss = MeanSquaredError{}});
  EXPECT_EQ(error_of<ShapeError>([&] {
              (void)model.predict(Tensor(Shape{2, 5, 3}));
            }),
            "sequential: predict got an input of shape (2, 5, 3); its first axis counts the samples, each of shape "
            "(-1, 4)");
  EXPECT_EQ(error_of<ShapeError>([&] {
              model.train_on_batch(Tensor(Shape{2, 20}), Tensor(Shape{2, 2}));
            }),
            "sequential: an input of shape (2, 20); (2, -1, 4) is required, batch first");
  EXPECT_EQ(error_of<ShapeError>([&] {
              model.fit(Tensor(Shape{2, 5, 3}), Tensor(Shape{2, 2}));
            }),
            "sequential: fit got samples of shape (5, 3); the model takes (-1, 4)");
  EXPECT_EQ(error_of<ShapeError>([&] {
              model.build({5, 3});
            }),
            "sequential: build was given inputs of shape (5, 3), but the first layer takes (-1, 4)");
}

TEST(AnyLength, BuildForOneLengthFixesIt) {
  Sequential model{Input{-1, 4}, Conv1D{.filters = 2, .kernel_size = 3}};
  const Tensor x = normal({2, 10, 4}, 1), y = model.predict(x);
  EXPECT_EQ(error_of<ValueError>([&] { (void)to_cpp(model, {}); }),
            "sequential: export_cpp: the model takes samples of shape (-1, 4), with any length; build a copy for one "
            "length first, such as (16, 4)");
  Sequential fixed = model;
  fixed.build({10, 4});
  EXPECT_EQ(fixed.input_shape(), (Shape{10, 4}));
  EXPECT_EQ(fixed.output_shape(), (Shape{8, 2}));
  EXPECT_EQ(fixed.predict(x), y);
  EXPECT_THROW((void)fixed.predict(normal({2, 11, 4}, 1)), ShapeError);
  EXPECT_FALSE(to_cpp(fixed, {}).empty());
  fixed.build({0, 4});
  EXPECT_EQ(fixed.predict(normal({2, 11, 4}, 1)).shape(), (Shape{2, 9, 2}));
}

TEST(AnyLength, TheSummarySaysNone) {
  const Sequential model{Input{-1, 4}, Residual{{Dense{4}}}, LSTM{.units = 2}};
  const std::string text = to_string(model, {.expand_nested = true});
  EXPECT_NE(text.find("│ residual (Residual)             │ (None, None, 4)"), std::string::npos) << text;
  EXPECT_NE(text.find("└ dense (Dense)              │ (None, None, 4)"), std::string::npos) << text;
  EXPECT_NE(text.find("│ lstm (LSTM)                     │ (None, 2)"), std::string::npos) << text;
}

TEST(AnyLength, Streams) {
  const Sequential model{Input{-1, 4}, Conv1D{.filters = 3, .kernel_size = 3, .padding = Padding::causal},
                         LSTM{.units = 2, .return_sequences = true}};
  const Tensor x = normal({1, 300, 4}, 2), expected = model.predict(x);
  Stream stream(model);
  std::vector<Real> y(static_cast<std::size_t>(expected.size()));
  stream.step(std::span(x.data(), static_cast<std::size_t>(x.size())), y);
  for (Index i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(y[static_cast<std::size_t>(i)], expected[i], 1e-6) << i;
  }
}

TEST(AnyLength, AStreamOfAttentionNeedsAWindow) {
  const Sequential model{Input{-1, 4}, MultiHeadAttention{.num_heads = 2, .key_dim = 3, .use_causal_mask = true}};
  EXPECT_EQ(error_of<ValueError>([&] { Stream{model}; }),
            "Stream: multi_head_attention: the op attend attends to all steps of a model that takes any length; "
            "attention_window says how many to remember");
  const Tensor x = normal({1, 50, 4}, 2), expected = model.predict(x);
  Stream stream(model, {.attention_window = 50});
  std::vector<Real> y(static_cast<std::size_t>(expected.size()));
  stream.step(std::span(x.data(), static_cast<std::size_t>(x.size())), y);
  for (Index i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(y[static_cast<std::size_t>(i)], expected[i], 1e-6) << i;
  }
}

TEST(AnyLength, ClassWeightsGoByTheTargets) {
  Sequential model{Input{-1, 2}, Dense{3}, Softmax{}}, other{Input{7, 2}, Dense{3}, Softmax{}};
  const Tensor x = normal({4, 7, 2}, 1);
  Tensor y(Shape{4, 7});
  for (Index i = 0; i < y.size(); ++i) y[i] = static_cast<Real>(i % 3);
  for (Sequential* const each : {&model, &other}) {
    each->compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}});
    each->fit(x, y, {.verbose = Verbose::silent, .class_weight = {{1, 3.0}}});
  }
  EXPECT_EQ(model.get_weights(), other.get_weights());
}

}  // namespace
}  // namespace cornu
