#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "cornu/cornu.h"
#include "cornu/tests/models/export_cpp/compiling.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/indexing_layers.h"
#include "cornu/tests/support/random_graph.h"
#include "cornu/tests/support/temporary_folder.h"
#include "cornu/tests/support/tensors.h"
#include "cornu/tests/support/users_layers.h"

// A trainable header trains as the library does: the same weights after the same steps.

namespace cornu {
namespace {

using testing::expect_error;
using testing::normal;
using testing::TemporaryFolder;
using testing::write_text;

constexpr Index training_steps = 100, step_samples = 3;

/// A dense layer whose kernel is stored flat and transposed.
struct Flat {
  Parameter w;
  Shape build(const Shape& input, Rng& rng) {
    w = {Tensor({2 * input[0]})};
    rng.fill_uniform(w.value, -1, 1);
    return {2};
  }
  Var forward(Var x) const { return matmul(x, transpose(reshape(x.tape().parameter(w), {2, x.shape()[1]}))); }
  NamedParameters parameters() { return {{"w", &w}}; }
};

/// An autoencoder with tied weights.
struct TiedAutoencoder {
  Parameter w, bias;
  Shape build(const Shape& input, Rng& rng) {
    w = {Tensor({3, input[0]})};
    rng.fill_uniform(w.value, -1, 1);
    bias = {Tensor({3})};
    return input;
  }
  Var forward(Var x) const { return matmul(tanh(matmul(x, w, {.transpose_b = true}) + bias), w); }
  NamedParameters parameters() { return {{"w", &w}, {"bias", &bias}}; }
};

struct TrainingCase {
  std::string name;
  Sequential model;
  Tensor x, y;  // the samples of all steps, one after the other
};

/// Ops of which each has its own gradient in a header.
struct Selecting {
  Parameter row{Tensor::vector({Real(0.3), Real(-0.2), Real(0.5)})};
  NamedParameters parameters() { return {{"row", &row}}; }
  Var forward(Var x) const {
    const Var y = where(ops::greater(x, row), sin(x) * row, cos(x)) + clip(x, -0.3, 0.4) + mod(x + row, 0.9);
    const Var z = erf(y) + log1p(square(x)) + expm1(x / 2) + floor(x) * x + where(row, x, slice_axis(y, 1, 0, 1));
    return concatenate({z + cumsum(z, 2, {.exclusive = true}), z * cumsum(z, 1, {.reverse = true}),
                        z * min(y, 1, {.keepdims = true}), z * prod(y, 2, {.keepdims = true}),
                        z + logsumexp(y, 2, {.keepdims = true}), z / (1 + variance(y, 1, {.keepdims = true}))},
                       2);
  }
};

/// classes: of labels; 0: numbers in the shape of the output; -1: one row of probabilities for each row of the output.
TrainingCase of(std::string name, Sequential model, CompileOptions options, Index classes) {
  model.compile(std::move(options));
  const Shape in = model.input_shape()->batched(training_steps * step_samples),
              out = model.output_shape().batched(training_steps * step_samples);
  Tensor x = normal(in, 5), y = normal(out, 6);
  if (classes > 0) {
    y = Tensor(out.sub(0, out.rank() - 1));
    for (Index i = 0; i < y.size(); ++i) y[i] = static_cast<Real>(i * 7 % classes);
  } else if (classes < 0) {
    y = softmax(y);
  }
  return {std::move(name), std::move(model), std::move(x), std::move(y)};
}

std::vector<TrainingCase> cases() {
  std::vector<TrainingCase> result;
  result.push_back(of("mlp", {Input{6}, Dense{8, relu}, Dense{3, softmax}},
                      {.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}}, 3));
  result.push_back(of(
      "images",
      {Input{8, 7, 1}, Conv2D{.filters = 4, .kernel_size = 3, .padding = Padding::same, .activation = relu},
       MaxPooling2D{}, Conv2D{.filters = 6, .kernel_size = 2, .dilation_rate = {1, 2}, .groups = 2, .activation = tanh},
       AveragePooling2D{.pool_size = {2, 1}, .strides = 1, .padding = Padding::same}, Flatten{}, Dense{3}, Softmax{}},
      {.optimizer = SGD{.learning_rate = 0.05, .momentum = 0.9}, .loss = SparseCategoricalCrossentropy{}}, 3));
  result.push_back(of(
      "channels",
      {Input{7, 6, 2}, DepthwiseConv2D{.kernel_size = 3, .strides = 2, .padding = Padding::same, .depth_multiplier = 2},
       Conv2D{.filters = 4, .kernel_size = 2, .groups = 4, .activation = swish, .use_bias = false},
       GlobalAveragePooling2D{}, Dense{3}},
      {.optimizer = Adam{}, .loss = CategoricalCrossentropy{.from_logits = true}}, -1));
  std::vector<std::vector<AnyLayer>> branches;
  for (const char* const name :
       {"linear", "relu", "sigmoid", "tanh", "exponential", "silu", "softplus", "softmax", "log_softmax", "relu6",
        "hard_sigmoid", "hard_silu", "log_sigmoid", "softsign", "mish", "selu", "celu"}) {
    branches.push_back({Dense{3, detail::activation_registry().find(name)}});
  }
  branches.push_back({Dense{3}, GELU{}, Softmax{}});
  branches.push_back({Dense{3}, GELU{.approximate = true}, LeakyReLU{}});
  branches.push_back({Dense{3}, ELU{.alpha = 0.7}});
  result.push_back(
      of("functions", {Input{5}, Dense{4}, Concatenate{branches}, Residual{Dense{60, tanh}}, Dense{2}},
         {.optimizer = SGD{.learning_rate = 0.01, .momentum = 0.5, .nesterov = true}, .loss = MeanSquaredError{}}, 0));
  result.push_back(of("users",
                      {Input{4, 4, 3}, Conv2D{.filters = 3, .kernel_size = 2, .padding = Padding::same},
                       testing::SqueezeAndExcite{3}, Activation{[](Var x) { return testing::Mish{}.forward(x); }},
                       testing::ScaleAndShift{}, Reshape{16, 3}, testing::WaveNetBlock{3, 2}, Flatten{}, Dense{2}},
                      {.optimizer = Adam{.learning_rate = 0.01}, .loss = MeanSquaredError{}}, 0));
  result.push_back(
      of("text",
         {Input{5}, Embedding{.input_dim = 7, .output_dim = 3},
          Conv1D{.filters = 4, .kernel_size = 2, .padding = Padding::causal, .activation = relu}, Dense{4}},
         {.optimizer = Adam{.learning_rate = 0.01}, .loss = SparseCategoricalCrossentropy{.from_logits = true}}, 4));
  for (Real& number : result.back().x) number = std::min(std::floor(std::abs(number) * 3), Real{6});
  result.push_back(
      of("pooled_sequences",
         {Input{9, 2}, Dense{3, relu}, MaxPooling1D{.pool_size = 3, .strides = 2, .padding = Padding::causal},
          AveragePooling1D{.pool_size = 2, .strides = 1, .padding = Padding::same}, Dense{4, relu},
          Concatenate{{GlobalMaxPooling1D{}}, {GlobalAveragePooling1D{}}}, Dense{2}},
         {.optimizer = SGD{.learning_rate = 0.05}, .loss = MeanSquaredError{}}, 0));
  result.push_back(
      of("frames",
         {Input{3, 5, 4, 2},
          TimeDistributed{Sequential{Conv2D{.filters = 3, .kernel_size = 2, .activation = relu}, MaxPooling2D{},
                                     Flatten{}, Dense{4, tanh}, Dense{3, softmax}}},
          TimeDistributed{Residual{Dense{3}}}, TimeDistributed{Concatenate{{}, {Dense{2}}}}, Flatten{}, Dense{2}},
         {.optimizer = SGD{.learning_rate = 0.05}, .loss = MeanSquaredError{}}, 0));
  result.push_back(of("inputs", {Inputs{{5, 5, 1}, {3}}, testing::Weighted{}},
                      {.optimizer = SGD{.learning_rate = 0.05}, .loss = MeanSquaredError{}}, 0));
  result.push_back(
      of("views", {Input{4}, Dense{3, tanh}, Flat{}}, {.optimizer = SGD{}, .loss = MeanSquaredError{}}, 0));
  result.push_back(of("tied", {Input{4}, TiedAutoencoder{}}, {.optimizer = Adam{}, .loss = MeanSquaredError{}}, 0));
  result.push_back(of("selections", {Input{4}, Dense{6, tanh}, Reshape{2, 3}, Selecting{}, Flatten{}, Dense{2}},
                      {.optimizer = SGD{.learning_rate = 0.01}, .loss = MeanSquaredError{}}, 0));
  result.push_back(of("moves", {Input{6, 4}, testing::MovesElements{}, Dense{2}},
                      {.optimizer = SGD{.learning_rate = 0.005}, .loss = MeanSquaredError{}}, 0));
  result.push_back(of("picks", {Input{6, 4}, testing::PicksElements{}, Dense{2}},
                      {.optimizer = SGD{.learning_rate = 0.005}, .loss = MeanSquaredError{}}, 0));
  result.push_back(
      of("enlarged",
         {Input{3, 4, 2}, testing::Transposed{{3, 2, 2, 2}, {.strides = 2}}, testing::ResizesImages{{5, 6}},
          testing::Transposed{{2, 2, 1, 6}, {.strides = {1, 2}, .padding = Padding::same, .groups = 2}}, Flatten{},
          Dense{2}},
         {.optimizer = SGD{.learning_rate = 0.002}, .loss = MeanSquaredError{}}, 0));
  Sequential partly{Input{4}, {"fixed", Dense{5, tanh}}, Dense{2}};
  freeze(partly.get_layer("fixed"));
  result.push_back(of("frozen", std::move(partly), {.optimizer = SGD{}, .loss = MeanSquaredError{}}, 0));
  return result;
}

/// Random ops between two layers that learn; nullopt if an op has no gradient in headers.
std::vector<TrainingCase> random_cases(std::uint64_t count) {
  std::vector<TrainingCase> result;
  for (std::uint64_t seed = 0; seed < count; ++seed) {
    TrainingCase made = of("random_" + std::to_string(seed),
                           {Input{5, 4, 2}, Dense{2, tanh}, {"graph", testing::RandomGraph(seed)}, Flatten{}, Dense{2}},
                           {.optimizer = SGD{.learning_rate = 0.002}, .loss = MeanSquaredError{}}, 0);
    try {
      to_cpp(made.model, {.trainable = true});
    } catch (const ValueError& error) {
      EXPECT_NE(std::string(error.what()).find("gradient in a C++ header"), std::string::npos) << error.what();
      continue;
    }
    result.push_back(std::move(made));
  }
  return result;
}

/// A program that trains each header, and writes its losses, weights and predictions.
std::string program(const std::vector<TrainingCase>& all) {
  std::string includes, calls;
  for (const TrainingCase& each : all) {
    includes += "#include \"" + each.name + ".h\"\n";
    calls += "  TRAIN(" + each.name + ")\n";
  }
  return includes + R"(
#include <cstdio>
#include <vector>
static std::vector<float> content(const char* name, std::size_t size) {
  std::vector<float> result(size);
  std::FILE* file = std::fopen(name, "rb");
  if (std::fread(result.data(), 4, size, file) != size) result.clear();
  std::fclose(file);
  return result;
}
#define TRAIN(net) {                                                                                       \
    static net::Trainer trainer;                                                                           \
    static net::Workspace workspace;                                                                       \
    const std::vector<float> x = content(#net ".x", steps * batch * net::input_size);                      \
    const std::vector<float> y = content(#net ".y", steps * batch * net::target_size);                     \
    if (x.empty() || y.empty()) return 1;                                                                  \
    std::FILE* out = std::fopen(#net ".out", "wb");                                                        \
    net::reset(trainer);                                                                                   \
    for (std::size_t step = 0; step < steps; ++step) {                                                     \
      const float loss = net::train_step(x.data() + step * batch * net::input_size,                        \
                                         y.data() + step * batch * net::target_size, batch, trainer);      \
      std::fwrite(&loss, 4, 1, out);                                                                       \
    }                                                                                                      \
    std::fwrite(trainer.weights, 4, net::parameter_count, out);                                            \
    float output[net::output_size];                                                                        \
    net::predict(x.data(), output, trainer.weights, workspace);                                            \
    std::fwrite(output, 4, net::output_size, out);                                                         \
    std::fclose(out);                                                                                      \
    std::printf("%s %zu\n", #net, sizeof(net::Trainer));                                                   \
  }
int main() {
  constexpr std::size_t steps = )" +
         std::to_string(training_steps) + ", batch = " + std::to_string(step_samples) + ";\n" + calls + "}\n";
}

void write_floats(const std::filesystem::path& path, const Tensor& numbers) {
  const std::vector<float> floats(numbers.begin(), numbers.end());
  write_text(path, {reinterpret_cast<const char*>(floats.data()), floats.size() * 4});
}

std::vector<float> floats_in(const std::filesystem::path& path) {
  std::vector<float> result(std::filesystem::file_size(path) / 4);
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(result.data()), static_cast<std::streamsize>(result.size() * 4));
  return result;
}

/// What the program should write: by the library.
std::vector<double> trained(TrainingCase& each) {
  std::vector<double> result;
  for (Index step = 0; step < training_steps; ++step) {
    const Tensor x = slice_axis(each.x, 0, step * step_samples, (step + 1) * step_samples),
                 y = slice_axis(each.y, 0, step * step_samples, (step + 1) * step_samples);
    result.push_back(each.model.train_on_batch(x, y)["loss"]);
  }
  for (const auto& [name, parameter] : each.model.parameters()) {
    if (parameter->learns()) result.insert(result.end(), parameter->value.begin(), parameter->value.end());
  }
  const Tensor y = each.model.predict(slice_axis(each.x, 0, 0, 1));
  result.insert(result.end(), y.begin(), y.end());
  return result;
}

void expect_same_training(std::vector<TrainingCase> all, const std::string& compiler) {
  SCOPED_TRACE(compiler);
  const TemporaryFolder folder;
  for (const TrainingCase& each : all) {
    each.model.export_cpp(folder / (each.name + ".h"), {.name = each.name, .trainable = true});
    write_floats(folder / (each.name + ".x"), each.x);
    write_floats(folder / (each.name + ".y"), each.y);
  }
  write_text(folder / "train.cpp", program(all));
  const std::string compile = compiler + testing::compiler_flags;
  std::string command = "cd '" + folder.path().string() + "' && " + compile + "-std=c++17 -c train.cpp && " + compiler +
                        " train.o -o train && ./train > sizes";
  if (testing::compiles_all) command += " && " + compile + "-std=c++20 -O0 -c train.cpp -o in_cpp20.o";
  ASSERT_EQ(std::system(command.c_str()), 0);
  std::ifstream sizes(folder / "sizes");
  for (TrainingCase& each : all) {
    SCOPED_TRACE(each.name);
    const std::string text = to_cpp(each.model, {.trainable = true});
    const std::vector<double> want = trained(each);
    const std::vector<float> got = floats_in(folder / (each.name + ".out"));
    ASSERT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want[i], 1e-5 * std::max(1.0, std::abs(want[i]))) << "at " << i << " of " << got.size();
    }
    std::string name, size;
    sizes >> name >> size;
    EXPECT_NE(text.find("// Trainer: " + size + " bytes"), std::string::npos) << size;
  }
}

TEST(TrainableHeader, TrainsAsTheLibraryDoes) {
  for (const std::string& compiler : testing::compilers()) expect_same_training(cases(), compiler);
}

TEST(TrainableHeader, TrainsThroughRandomGraphs) {
  std::vector<TrainingCase> all = random_cases(testing::compiles_all ? 60 : 10);
  EXPECT_GE(all.size(), testing::compiles_all ? 30U : 5U);
  expect_same_training(std::move(all), testing::compilers().back());
}

/// Counts its calls in training.
struct Counter {
  Parameter count{Tensor({1}), false};
  Var forward(Var x) const {
    x.tape().record_update(count, x.tape().parameter(count) + 1);
    return x;
  }
  NamedParameters parameters() { return {{"count", &count}}; }
};

/// A layer with a parameter that it does not use, or does not list.
struct Odd {
  bool uses, lists;
  Parameter w{Tensor({2}) + 1};
  Var forward(Var x) const { return uses ? x * w : x; }
  NamedParameters parameters() { return lists ? NamedParameters{{"w", &w}} : NamedParameters{}; }
};

TEST(TrainableHeader, ChangesNothingWithoutAFiniteLoss) {
  const TemporaryFolder folder;
  Sequential model{Input{2}, Dense{3}};
  model.compile({.optimizer = SGD{.momentum = 0.9}, .loss = SparseCategoricalCrossentropy{.from_logits = true}});
  model.export_cpp(folder / "net.h", {.trainable = true});
  write_text(folder / "main.cpp",
             "#include \"net.h\""
             R"(
#include <cstring>
static net::Trainer trainer, before;
static bool is_unchanged() {
  return std::memcmp(before.weights, trainer.weights, sizeof before.weights) == 0 &&
         std::memcmp(before.slots, trainer.slots, sizeof before.slots) == 0;
}
int main() {
  const float x[] = {1, 2}, infinite[] = {INFINITY, 1}, label = 1;
  net::reset(trainer);
  net::train_step(x, &label, trainer);
  before = trainer;
  const float labels[] = {-1.0f, 3.0f, 0.5f, 1e30f, NAN};
  for (const float& wrong : labels) {
    if (!std::isnan(net::train_step(x, &wrong, trainer)) || !is_unchanged()) return 1;
  }
  if (std::isfinite(net::train_step(infinite, &label, trainer)) || !is_unchanged()) return 2;
  if (net::train_step(x, &label, 0, trainer) != 0.0f || !is_unchanged()) return 3;
  return std::isfinite(net::train_step(x, &label, trainer)) && !is_unchanged() ? 0 : 4;
}
)");
  const std::string command = "cd '" + folder.path().string() + "' && " + testing::compilers().front() +
                              testing::compiler_flags + "-std=c++17 main.cpp -o main && ./main";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(TrainableHeader, RefusesWhatItDoesNotTrainAsTheLibraryDoes) {
  const auto refused = [](Sequential model, CompileOptions options, const std::string& error) {
    model.compile(std::move(options));
    expect_error<ValueError>([&] { to_cpp(model, {.trainable = true}); }, "export_cpp: " + error);
  };
  const auto plain = [] { return Sequential{Input{2}, Dense{2}}; };
  const CompileOptions squared{.loss = MeanSquaredError{}};
  expect_error<ValueError>([&] { to_cpp(plain(), {.trainable = true}); },
                           "export_cpp: a trainable header requires a compiled model: compile says loss and optimizer");
  expect_error<ValueError>([&] { to_cpp(plain(), {.int8_weights = true, .trainable = true}); },
                           "export_cpp: int8_weights cannot be trained");
  refused({Input{2}, Flatten{}}, squared, "there is no parameter that learns");
  refused({Input{2}, Odd{.uses = false, .lists = true}}, squared, "the output depends on no parameter that learns");
  Sequential unlisted{Input{2}, Dense{2}, Odd{.uses = true, .lists = false}};
  unlisted.compile(squared);
  expect_error<StateError>([&] { to_cpp(unlisted, {.trainable = true}); },
                           "export_cpp: forward reads a Parameter that no layer's parameters() lists; it would not be "
                           "trained");
  const std::string differs = ": it computes something else in training than in inference";
  refused({Input{2}, Sequential({Dense{2}, Dropout{0.5}}, {.name = "inner"})}, squared,
          "trainable: inner/dropout" + differs);
  refused({Input{2}, Dense{2}, BatchNormalization{}}, squared,
          "trainable: batch_normalization/moving_mean: forward updates it in training");
  refused({Input{2}, BatchNormalization{.center = false, .scale = false}, Dense{2}}, squared,
          "trainable: batch_normalization/moving_mean: forward updates it in training");
  struct Sleepy {
    AnyLayer dropout = Dropout{0.5};
    Var forward(Var x) const { return dropout(x); }
  };
  refused({Input{2}, Dense{2}, {"sleepy", Sleepy{}}}, squared, "trainable: sleepy" + differs);
  refused({Input{2}, Dense{2}, {"noise", Activation{[](Var x) { return x * (x.tape().training() ? 2 : 1); }}}}, squared,
          "trainable: multiply of noise" + differs);
  refused({Input{2}, {"counter", Counter{}}, Dense{2}}, squared,
          "trainable: counter/count: forward updates it in training");
  refused({Input{2}, Dense{2}, LayerNormalization{}}, squared,
          "layer_normalization: the op layer_normalization has no gradient in a C++ header, so it cannot be trained "
          "there");
  refused({Input{2}, Dense{.units = 2, .activity_regularizer = L2{0.1}}}, squared,
          "trainable: dense: it adds a loss of its own, such as an activity_regularizer");
  refused({Input{2, 2}, Dense{2}, {"square", Activation{[](Var x) { return matmul(x, x); }}}}, squared,
          "square: a product whose right operand is not a matrix has no gradient in a C++ header");
  refused({Input{2}, Dense{.units = 2, .kernel_regularizer = L2{0.1}}}, squared,
          "dense/kernel: a trainable header has no regularizers and no constraints");
  refused(plain(), {.loss = Huber{}},
          "a trainable header has the losses MeanSquaredError, CategoricalCrossentropy and "
          "SparseCategoricalCrossentropy");
  refused(plain(), {.loss = CategoricalCrossentropy{.from_logits = true, .label_smoothing = 0.1}},
          "a trainable header has no label_smoothing");
  refused(plain(), {.loss = CategoricalCrossentropy{}},
          "a cross-entropy in a trainable header requires a softmax over the classes as the last op, or from_logits");
  refused({Input{2}, Dense{2, softmax}}, {.loss = CategoricalCrossentropy{.from_logits = true}},
          "categorical_crossentropy: from_logits is set, but the predictions are the output of a softmax; remove "
          "from_logits or the softmax");
  const auto by = [&](AnyOptimizer optimizer, const std::string& error) {
    refused(plain(), {.optimizer = std::move(optimizer), .loss = MeanSquaredError{}}, error);
  };
  by(Nadam{}, "a trainable header has the optimizers SGD and Adam");
  by(Adam{.amsgrad = true}, "a trainable header has no amsgrad");
  by(SGD{.clipnorm = 1}, "a trainable header has no weight decay and no clipping");
  by(SGD{.learning_rate = ExponentialDecay{0.1, 5, 0.5}}, "a trainable header has no schedule of the learning rate");
  by(AnyOptimizer(SGD{}, {.use_ema = true}), "a trainable header has no averages and no learning rates of their own");
}

}  // namespace
}  // namespace cornu
