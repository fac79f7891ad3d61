#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "cornu/cornu.h"
#include "cornu/examples/interop/networks.h"
#include "cornu/tests/models/saving/interop_support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/paths.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/temporary_folder.h"

// Weights with PyTorch's names and layouts. Networks trained in PyTorch must give the same outputs here:
// examples/interop/pytorch.py created the files.

namespace cornu {
namespace {

using namespace cornu::testing;

const std::string fixtures = source_path("tests/models/fixtures/pytorch/");

/// Tensors that PyTorch keeps but Cornu does not, or keeps as a sum of two; they are not written back.
bool is_kept_otherwise(const std::string& network, const std::string& tensor) {
  return tensor.ends_with("num_batches_tracked") || (network == "lstm" && tensor.starts_with("rnn.bias_"));
}

TEST(FromPyTorch, NetworksPredictWhatTheyPredictInPyTorch) {
  const SafetensorsFile samples(fixtures + "samples.safetensors");
  for (const auto& [name, network] : interop::networks()) {
    SCOPED_TRACE(name);
    Sequential model = network.make(1);
    EXPECT_TRUE(model.load_weights(fixtures + name + ".pytorch.safetensors",
                                   {.names = Names::pytorch, .rename = network.rename}));
    const Tensor expected = samples.tensor(name + ".y"), got = model.predict(samples.tensor(name + ".x"));
    ASSERT_EQ(got.shape(), expected.shape());
    for (Index i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5);
  }
}

TEST(ToPyTorch, NetworksAreWrittenAsTheyWereRead) {
  const TemporaryFolder folder;
  for (const auto& [name, network] : interop::networks()) {
    SCOPED_TRACE(name);
    const std::string theirs = fixtures + name + ".pytorch.safetensors";
    Sequential model = network.make(1);
    model.load_weights(theirs, {.names = Names::pytorch, .rename = network.rename});
    model.save_weights(folder / name, {.names = Names::pytorch, .rename = network.rename});
    EXPECT_EQ(listing(folder / name), listing(theirs));
    const SafetensorsFile expected(theirs), got(folder / name);
    for (const RawTensor& raw : expected.tensors()) {
      if (is_kept_otherwise(name, raw.name)) continue;
      EXPECT_EQ(got.tensor(raw.name), expected.tensor(raw.name)) << raw.name;
    }
    Sequential other = network.make(2);
    EXPECT_TRUE(other.load_weights(folder / name, {.names = Names::pytorch, .rename = network.rename}));
    EXPECT_EQ(other.get_weights(), model.get_weights());
  }
}

/// A user's layer that says what PyTorch calls its tensors.
struct Turned {
  Parameter kernel{};
  Shape build(const Shape& input, Rng&) {
    kernel.value = counted({input[-1], 3});
    return input.with(-1, 3);
  }
  Var forward(Var x) const { return matmul(x, kernel); }
  NamedParameters parameters() { return {{"kernel", &kernel}}; }
  void pytorch(PyTorchModule& module) { module.add_transposed("weight", kernel); }
  Index pytorch_modules() const { return 2; }
};

TEST(ToPyTorch, ALayerOfAUserHasTheNamesAndLayoutsThatItStates) {
  const TemporaryFolder folder;
  Sequential model{Input{2}, Turned{}, Turned{}};
  model.save_weights(folder / "w", {.names = Names::pytorch});
  EXPECT_EQ(listing(folder / "w"), (std::vector<std::string>{"0.weight (3, 2)", "2.weight (3, 3)"}));
  EXPECT_EQ(SafetensorsFile(folder / "w").tensor("0.weight"), Tensor::matrix({{0, 3}, {1, 4}, {2, 5}}));
  Sequential other{Input{2}, Turned{}, Turned{}};
  for (const NamedParameter& each : other.parameters()) each.parameter->value.fill(0);
  other.load_weights(folder / "w", {.names = Names::pytorch});
  EXPECT_EQ(other.get_weights(), model.get_weights());
}

TEST(ToPyTorch, TheSecondBiasOfAnLstmIsZero) {
  const TemporaryFolder folder;
  Sequential model{Input{2, 1}, LSTM{1}};
  const Tensor bias = Tensor::vector({1, -0.0, 3, 4});
  model.set_weights(std::vector{counted({1, 4}), counted({1, 4}), bias});
  model.save_weights(folder / "w", {.names = Names::pytorch});
  const SafetensorsFile file(folder / "w");
  EXPECT_EQ(file.tensor("0.bias_ih_l0"), bias);
  EXPECT_EQ(file.tensor("0.bias_hh_l0"), Tensor({4}));
  Sequential other{Input{2, 1}, LSTM{1}};
  other.load_weights(folder / "w", {.names = Names::pytorch});
  EXPECT_TRUE(std::signbit(parameter_of(other, "lstm/bias")[1]));  // the same bits
}

TEST(FromPyTorch, ABiasOfAnLstmIsNotReadIfTheOtherDoesNotFit) {
  const TemporaryFolder folder;
  Sequential model{Input{2, 1}, LSTM{1}};
  const Tensor before = parameter_of(model, "lstm/bias");
  write_counted(folder / "w", {{"0.bias_ih_l0", {3}}, {"0.bias_hh_l0", {4}}, {"0.weight_hh_l0", {4, 1}}});
  const WeightsReport report = model.load_weights(folder / "w", {.strict = false, .names = Names::pytorch});
  EXPECT_EQ(report.missing, Texts{"0.weight_ih_l0 of lstm"});
  EXPECT_EQ(report.mismatched, Texts{"0.bias_ih_l0 of lstm is (4,), the file has (3,)"});
  EXPECT_EQ(parameter_of(model, "lstm/bias"), before);
  EXPECT_EQ(parameter_of(model, "lstm/recurrent_kernel"), counted({1, 4}, 200));
}

// ---- Names ----

/// A layer that contains layers.
struct Two {
  AnyLayer left = Sequential{Dense{2, tanh}, Dense{1}};
  AnyLayer right = Dense{1};

  Var forward(Var x) const { return left(x) + right(x); }
  NamedLayers layers() { return {{"left", &left}, {"right", &right}}; }
};

TEST(ToPyTorch, NamesAreTheIndicesOfAnNnSequential) {
  const TemporaryFolder folder;
  Sequential model{Input{8, 8, 2},
                   Conv2D{.filters = 3, .kernel_size = 3, .activation = relu},
                   MaxPooling2D{},
                   Dropout{0.5},
                   Flatten{},
                   Dense{4, relu},
                   Residual{Dense{4, tanh}, Dense{4}},
                   Gain{},
                   Two{},
                   Dense{2, softmax},
                   Dense{.units = 1, .use_bias = false}};
  model.save_weights(folder / "w", {.names = Names::pytorch});
  EXPECT_EQ(listing(folder / "w"),
            (Texts{"0.bias (3,)", "0.weight (3, 2, 3, 3)", "10.bias (2,)", "10.weight (2, 1)", "12.weight (1, 2)",
                   "5.bias (4,)", "5.weight (4, 27)", "7.0.bias (4,)", "7.0.weight (4, 4)", "7.2.bias (4,)",
                   "7.2.weight (4, 4)", "8.gain (4,)", "9.left.0.bias (2,)", "9.left.0.weight (2, 4)",
                   "9.left.2.bias (1,)", "9.left.2.weight (1, 2)", "9.right.bias (1,)", "9.right.weight (1, 4)"}));
  const std::vector<Tensor> weights = model.get_weights();
  for (const auto& [name, parameter] : model.parameters()) parameter->value = Tensor(parameter->shape());
  EXPECT_TRUE(model.load_weights(folder / "w", {.names = Names::pytorch}));  // also left and right
  EXPECT_EQ(model.get_weights(), weights);
}

TEST(ToPyTorch, AGlobalPoolIsFollowedByAFlatten) {
  const TemporaryFolder folder;
  const auto expect_third = [&](Sequential model) {
    model.save_weights(folder / "w", {.names = Names::pytorch});
    EXPECT_EQ(listing(folder / "w"), (Texts{"2.bias (1,)", "2.weight (1, 3)"}));
  };
  expect_third({Input{2, 2, 3}, GlobalAveragePooling2D{}, Dense{1}});
  expect_third({Input{2, 2, 3}, GlobalMaxPooling2D{}, Dense{1}});
  expect_third({Input{2, 3}, GlobalAveragePooling1D{}, Dense{1}});
  expect_third({Input{2, 3}, GlobalMaxPooling1D{}, Dense{1}});
  expect_third({Input{2, 3}, GlobalMaxPooling1D{.keepdims = true}, Flatten{}, Dense{1}});
}

TEST(ToPyTorch, RenamedLayersAndTheirInnerLayersHaveTheGivenNames) {
  const TemporaryFolder folder;
  Sequential model{Input{2}, {"trunk", Sequential{Dense{3, relu}, Dense{3}}}, Dense{1}};
  model.save_weights(folder / "w", {.names = Names::pytorch, .rename = {{"trunk", "net.body"}, {"dense", "head"}}});
  EXPECT_EQ(listing(folder / "w"),
            (Texts{"head.bias (1,)", "head.weight (1, 3)", "net.body.0.bias (3,)", "net.body.0.weight (3, 2)",
                   "net.body.2.bias (3,)", "net.body.2.weight (3, 3)"}));
}

/// Three layers whose kernels cannot be distinguished by shape.
Sequential three() { return {Input{2}, Dense{2}, Dense{2}, Dense{.units = 2, .use_bias = false}}; }

class ModulesOfAFile : public ::testing::Test {
 protected:
  /// Which tensor of a file each of the layers received.
  std::vector<Real> order(const Texts& tensors, const LayerNames& rename = {}) {
    return order_of(model, path, tensors, {.names = Names::pytorch, .rename = rename});
  }

  TemporaryFolder folder;
  std::string path = (folder / "w").string();
  Sequential model = three();
};

TEST_F(ModulesOfAFile, AreMatchedInTheOrderOfTheirNumbers) {
  EXPECT_EQ(order({"10.weight", "0.weight", "0.bias", "2.weight", "2.bias"}), (std::vector<Real>{1, 2, 3, 4, 0}));
  EXPECT_EQ(
      order({"module.fc10.weight", "module.fc9.weight", "module.fc9.bias", "module.fc1.weight", "module.fc1.bias"}),
      (std::vector<Real>{3, 4, 1, 2, 0}));
  EXPECT_EQ(order({"net.1.weight", "net.0.3.weight", "net.0.3.bias", "net.0.1.weight", "net.0.1.bias"}),
            (std::vector<Real>{3, 4, 1, 2, 0}));
}

TEST_F(ModulesOfAFile, AreMatchedByNameIfALayerHasThatName) {
  model = {Input{2}, {"b", Dense{2}}, {"c", Dense{2}}, {"a", Dense{.units = 2, .use_bias = false}}};
  EXPECT_EQ(order({"a.weight", "b.weight", "b.bias", "c.weight", "c.bias"}), (std::vector<Real>{1, 2, 3, 4, 0}));
}

TEST_F(ModulesOfAFile, AreMatchedByRename) {
  const Texts names{"head.weight", "body.weight", "body.bias", "input.weight", "input.bias"};
  EXPECT_EQ(order(names, {{"dense", "input"}, {"dense_1", "body"}, {"dense_2", "head"}}),
            (std::vector<Real>{3, 4, 1, 2, 0}));
  EXPECT_EQ(order(names, {{"dense", "input"}, {"dense_1", "body"}}),  // one remains
            (std::vector<Real>{3, 4, 1, 2, 0}));
}

TEST_F(ModulesOfAFile, WithoutAClearOrderAreRefused) {
  const std::vector<Tensor> before = model.get_weights();
  expect_error<ValueError>(
      [&] {
        order({"head.weight", "body.weight", "body.bias", "input.weight", "input.bias"}, {{"dense_1", "body"}});
      },
      path +
          ": the order of the modules head and input is not clear from their names; map layers to modules: .rename = "
          "{{\"dense\", \"head\"}, ...}");
  EXPECT_EQ(model.get_weights(), before);
}

TEST_F(ModulesOfAFile, RenameMustNameExistingLayers) {
  expect_error<ValueError>(
      [&] {
        order({"0.weight"}, {{"dense_7", "0"}});
      },
      path + ": rename has \"dense_7\", which is not a layer with weights; there are: dense, dense_1, dense_2");
}

TEST_F(ModulesOfAFile, MismatchesAreReportedWithTheFilesNames) {
  const std::vector<Tensor> before = model.get_weights();
  write_counted(path, {{"0.weight", {2, 3}}, {"0.bias", {2}}, {"0.extra", {1}}, {"3.weight", {2, 2}}});
  const LoadWeightsOptions options{.names = Names::pytorch};
  expect_error<ValueError>([&] { model.load_weights(path, options); },
                           path +
                               ": the weights do not fit: missing: 3.bias of dense_1, ?.weight of dense_2\n"
                               "unexpected: 0.extra\n"
                               "mismatched: 0.weight of dense is (2, 2), the file has (2, 3)");
  EXPECT_EQ(model.get_weights(), before);
  EXPECT_FALSE(model.load_weights(path, {.strict = false, .names = Names::pytorch}));
  EXPECT_EQ(model.get_weights()[0], before[0]);
  EXPECT_EQ(model.get_weights()[1], Tensor::vector({100, 101}));
  EXPECT_EQ(model.get_weights()[2], Tensor::matrix({{300, 302}, {301, 303}}));
}

TEST(FromPyTorch, ABareModuleHasNoName) {
  const TemporaryFolder folder;
  write_counted(folder / "w", {{"weight", {1, 2}}, {"bias", {1}}});
  Sequential model{Input{2}, Dense{1}};
  EXPECT_TRUE(model.load_weights(folder / "w", {.names = Names::pytorch}));
  EXPECT_EQ(model.get_weights(), (std::vector{counted({2, 1}), counted({1}, 100)}));
}

TEST(FromPyTorch, LevelsOfAnLstmAreLayersInTheirOrder) {
  const TemporaryFolder folder;
  NamedShapes shapes;
  for (const char* level : {"1", "0"}) {
    for (const char* name : {"weight_ih_l", "weight_hh_l"}) {
      shapes.emplace_back(std::string("lstm.") + name + level, Shape{4, 1});
    }
  }
  write_counted(folder / "w", shapes);
  Sequential model{Input{2, 1}, LSTM{.units = 1, .use_bias = false, .return_sequences = true},
                   LSTM{.units = 1, .use_bias = false}};
  const LoadWeightsOptions by_rename{.names = Names::pytorch, .rename = {{"lstm", "lstm[0]"}, {"lstm_1", "lstm[1]"}}};
  EXPECT_TRUE(model.load_weights(folder / "w", by_rename));
  const std::vector<Tensor> expected{counted({1, 4}, 200), counted({1, 4}, 300), counted({1, 4}), counted({1, 4}, 100)};
  EXPECT_EQ(model.get_weights(), expected);
  Sequential nested{Input{2, 1}, {"lstm", model}};
  EXPECT_TRUE(nested.load_weights(folder / "w", {.names = Names::pytorch}));
  EXPECT_EQ(nested.get_weights(), expected);
}

TEST(FromPyTorch, ABidirectionalModuleIsOneLayer) {
  const TemporaryFolder folder;
  const std::string path = folder / "w";
  NamedShapes shapes;
  for (const char* const level : {"l0", "l0_reverse", "l1", "l1_reverse"}) {
    const Index in = level[1] == '0' ? 1 : 2;
    shapes.emplace_back(message("rnn.weight_ih_{}", level), Shape{4, in});
    shapes.emplace_back(message("rnn.weight_hh_{}", level), Shape{4, 1});
  }
  write_counted(path, shapes);
  const LSTM lstm{.units = 1, .use_bias = false, .return_sequences = true};
  Sequential model{Input{2, 1}, Bidirectional{lstm}, Bidirectional{lstm}};
  EXPECT_TRUE(model.load_weights(path, {.names = Names::pytorch}));
  EXPECT_EQ(parameter_of(model, "bidirectional/forward_lstm/recurrent_kernel"), counted({1, 4}, 100));
  EXPECT_EQ(parameter_of(model, "bidirectional/backward_lstm/kernel"), counted({1, 4}, 200));
  EXPECT_EQ(parameter_of(model, "bidirectional_1/backward_lstm/recurrent_kernel"), counted({1, 4}, 700));
  model.save_weights(path,
                     {.names = Names::pytorch, .rename = {{"bidirectional", "rnn[0]"}, {"bidirectional_1", "rnn[1]"}}});
  Sequential again{Input{2, 1}, Bidirectional{lstm}, Bidirectional{lstm}};
  EXPECT_TRUE(again.load_weights(path, {.names = Names::pytorch}));
  EXPECT_EQ(again.get_weights(), model.get_weights());
  Sequential summed{Input{2, 1}, Bidirectional{lstm, MergeMode::sum}};
  expect_error<ValueError>([&] { summed.save_weights(path, {.names = Names::pytorch}); },
                           path + ": bidirectional: merge_mode is sum; PyTorch's modules concatenate");
}

TEST(FromPyTorch, AFileOfManyModulesTakesNoMoreThanFourTimesItsSizeAndAConstant) {
  const TemporaryFolder folder;
  const auto file_of = [&](Index tensors) {
    std::vector<RawTensor> raw;
    for (Index i = 0; i < tensors; ++i) raw.push_back({std::to_string(i) + ".weight", Dtype::u8, {0}, {}});
    write_safetensors(folder / "w", raw);
    return static_cast<Index>(std::filesystem::file_size(folder / "w"));
  };
  Sequential model{Input{2}, Dense{1}};
  const LoadWeightsOptions options{.strict = false, .names = Names::pytorch};
  const Index size = file_of(10'000);
  const PeakMemory memory;
  EXPECT_EQ(model.load_weights(folder / "w", options).unexpected.size(), 9'999U);
  EXPECT_LT(memory.bytes(), 4 * size + (Index{4} << 20));
  file_of(10'001);
  expect_error<FormatError>(
      [&] { model.load_weights(folder / "w", options); },
      (folder / "w").string() + ": 10001 tensors; at most 10000 are matched with PyTorch's modules");
}

}  // namespace
}  // namespace cornu
