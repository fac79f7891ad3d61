#include "cornu/onnx/model.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/layers/check_layer.h"
#include "cornu/layers/dense.h"
#include "cornu/models/sequential.h"
#include "cornu/optim/sgd.h"
#include "cornu/tests/onnx/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::expect_close;
using testing::expect_error;
using testing::normal;
using testing::Writer;

const Tensor& weight() {
  static const Tensor w = normal({4, 3}, 5);  // (out, in), as in PyTorch
  return w;
}

/// Images (batch, 1, 4, 4): a convolution, pooling and a matrix product, as PyTorch exports them.
onnx::Model network() {
  Writer writer;
  const Index images[] = {Writer::any, 1, 4, 4}, classes[] = {Writer::any, 4};
  writer.input("x", images);
  const std::string kernel = writer.initializer("conv.weight", normal({3, 1, 3, 3}, 1)),
                    bias = writer.initializer("conv.bias", normal({3}, 1)),
                    w = writer.initializer("fc.weight", weight()), b = writer.initializer("fc.bias", normal({4}, 6)),
                    half = writer.initializer("half", Tensor::scalar(0.5));
  std::string y = writer.node("Conv", {"x", kernel, bias}, {{"pads", std::vector<Index>{1, 1, 1, 1}}});
  y = writer.node("Mul", {writer.node("Tanh", {y}), half});
  y = writer.node("Flatten", {writer.node("GlobalAveragePool", {y})});
  writer.output(writer.node("Gemm", {y, w, b}, {{"transB", Index{1}}}), classes);
  writer.metadata("class_names", "[]");
  return onnx::parse(writer.finished("network"), "network");
}

TEST(OnnxModel, IsALayer) {
  const CheckReport report = check_layer(network(), {1, 4, 4});
  EXPECT_TRUE(report) << to_string(report);
}

TEST(OnnxModel, ListsWeightsUnderTheirNamesAndWithTheAxesOfCornusLayers) {
  onnx::Model model = network();
  std::vector<std::string> names;
  for (const NamedParameter& each : model.parameters()) {
    names.push_back(each.name);
    EXPECT_EQ(each.parameter->trainable, each.name != "half");
  }
  EXPECT_EQ(names, (std::vector<std::string>{"conv.weight", "conv.bias", "fc.weight", "fc.bias", "half"}));
  EXPECT_EQ(model.parameters()[0].parameter->shape(), (Shape{3, 3, 1, 3}));
  expect_close(model.parameters()[2].parameter->value, transpose(weight()));
  EXPECT_EQ(model.input_shape(), (Shape{1, 4, 4}));
  EXPECT_EQ(model.metadata().at("class_names"), "[]");
  EXPECT_EQ(model.inputs()[0].name, "x");
  EXPECT_EQ(model.outputs()[0].shape, (std::vector<Index>{-1, 4}));
}

TEST(OnnxModel, CanBeTrainedFurtherInASequential) {
  const Tensor x = normal({64, 1, 4, 4}, 7);
  Tensor y(Shape{64});
  const Tensor brightness = mean(reshape(x, {64, 16}), 1);
  for (Index i = 0; i < 64; ++i) y[i] = brightness[i] > 0 ? Real{1} : Real{0};
  Sequential model{network(), Dense{2, softmax}};
  EXPECT_EQ(model.input_shape(), (Shape{1, 4, 4}));
  expect_close(onnx::Model(*model.get_layer(Index{0}).as<onnx::Model>()).predict(x), network().predict(x), 0);
  model.compile({.optimizer = SGD{.learning_rate = 0.3}, .loss = SparseCategoricalCrossentropy{}});
  const double before = model.evaluate(x, y)["loss"];
  model.fit(x, y, {.epochs = 60, .verbose = Verbose::silent});
  EXPECT_LT(model.evaluate(x, y)["loss"], 0.8 * before);
  const auto* const trained = model.get_layer(Index{0}).as<onnx::Model>();
  EXPECT_NE(onnx::Model(*trained).parameters()[0].parameter->value, network().parameters()[0].parameter->value);
}

TEST(OnnxModel, OnlyTheWeightsOfAnImportedGraphCanBeSaved) {
  const testing::TemporaryFolder folder;
  Sequential model{network(), Dense{2}};
  for (const NamedParameter& each : model.parameters()) each.parameter->value.fill(Real(0.25));
  EXPECT_THROW(model.save(folder / "m.safetensors"), ValueError);
  model.save_weights(folder / "w.safetensors");
  Sequential again{network(), Dense{2}};
  again.load_weights(folder / "w.safetensors");
  const Tensor x = normal({2, 1, 4, 4}, 1);
  EXPECT_EQ(again.predict(x), model.predict(x));
}

TEST(OnnxModel, LearnsTheSameWhenThreadsShareABatch) {
  const Tensor x = normal({128, 1, 4, 4}, 7);
  const Tensor y = mean(reshape(x, {128, 16}), 1);
  const auto trained = [&](Index threads, Index shard_size) {
    Sequential model{network(), Dense{1}};
    model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = MeanSquaredError{}});
    model.fit(
        x, y,
        {.batch_size = 64, .epochs = 3, .verbose = Verbose::silent, .threads = threads, .shard_size = shard_size});
    return model.predict(x);
  };
  const Tensor alone = trained(1, 16);
  EXPECT_EQ(trained(2, 16), alone);
  expect_close(trained(1, 64), alone, 1e-4);
}

TEST(OnnxModel, RunsByName) {
  Writer writer;
  const Index two = 2;
  writer.input("a", {&two, 1});
  writer.input("b", {&two, 1});
  writer.output(writer.node("Add", {"a", "b"}), {&two, 1});
  writer.output(writer.node("Mul", {"a", "b"}), {&two, 1});
  const onnx::Model model = onnx::parse(writer.finished("g"), "m");
  const Tensor a = Tensor::vector({1, 2}), b = Tensor::vector({3, 4});
  const auto result = model.run({{"a", a}, {"b", b}});
  EXPECT_EQ(result.at("Add_0"), Tensor::vector({4, 6}));
  EXPECT_EQ(result.at("Mul_1"), Tensor::vector({3, 8}));
  expect_error<ValueError>([&] { model.run({{"a", a}}); }, "m: input 'b' is missing; its inputs are a, b");
  expect_error<ValueError>(
      [&] {
        model.run({{"a", a}, {"b", b}, {"c", b}});
      },
      "m: there is no input 'c'; its inputs are a, b");
  expect_error<ValueError>([&] { model.predict(a); },
                           "m: inputs a, b and outputs Add_0, Mul_1; a layer has one of each, use run");
}

TEST(OnnxModel, AGraphWithoutInputsReturnsItsConstants) {
  const onnx::Model model = testing::fixture("g_noinput_const");
  EXPECT_TRUE(model.inputs().empty());
  EXPECT_FALSE(model.input_shape());
  const auto made = model.run({});
  ASSERT_EQ(made.size(), 1U);
  expect_close(made.at("y"), Tensor::vector({Real(0.3957881), Real(0.03610154), Real(-0.13448365)}), 1e-7);
  EXPECT_THROW(model.predict(Tensor({1, 2})), ValueError);
}

TEST(OnnxModel, UnusedNodesAreNotRun) {
  Writer writer;
  const Index two = 2;
  writer.input("x", {&two, 1});
  writer.node("Gemm", {"x", "x"}, {}, "would throw");
  writer.output(writer.node("Neg", {"x"}), {&two, 1});
  EXPECT_EQ(onnx::parse(writer.finished("g")).predict(Tensor::vector({1, 2})), Tensor::vector({-1, -2}));
}

TEST(OnnxModel, CopiesShareNothing) {
  onnx::Model model = network();
  onnx::Model copy = model;
  copy.parameters()[3].parameter->value.fill(9);
  expect_close(model.predict(normal({2, 1, 4, 4}, 1)), network().predict(normal({2, 1, 4, 4}, 1)), 0);
  model = copy;
  EXPECT_EQ(model.parameters()[3].parameter->value[0], 9);
}

TEST(OnnxModel, ThrowsAfterItIsMovedFrom) {
  onnx::Model model = network();
  const onnx::Model taken = std::move(model);
  const Tensor x({1, 1, 4, 4});
  Tape tape;
  const Var input = tape.input(x);
  const std::vector<std::function<void()>> uses{[&] { model.inputs(); },
                                                [&] { model.outputs(); },
                                                [&] { model.metadata(); },
                                                [&] { model.forward(input); },
                                                [&] { model.forward(std::span(&input, 1)); },
                                                [&] { model.parameters(); },
                                                [&] { model.input_shape(); },
                                                [&] {
                                                  model.run({{"x", x}});
                                                },
                                                [&] { static_cast<void>(model.predict(x)); },
                                                [&] { const onnx::Model copy = model; }};
  for (const auto& use : uses) {
    expect_error<StateError>(use,
                             "an object was used after it was moved from; it can only be assigned to or destroyed");
  }
  model = taken;
  EXPECT_EQ(model.predict(x), taken.predict(x));
}

TEST(OnnxModel, PredictsInManyThreadsAtOnce) {
  const onnx::Model model = network();
  const Tensor x = normal({5, 1, 4, 4}, 1), expected = model.predict(x);
  std::vector<Tensor> results(4);
  {
    std::vector<std::jthread> threads;
    for (Tensor& result : results) threads.emplace_back([&] { result = model.predict(x); });
  }
  for (const Tensor& result : results) EXPECT_EQ(result, expected);
}

TEST(OnnxModel, AWarmPassAllocatesNothing) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const onnx::Model model = network();
  const Tensor x = normal({8, 1, 4, 4}, 1), g = normal({8, 4}, 1);
  Tape tape(Mode::training, 1);
  const auto pass = [&] {
    tape.clear();
    tape.backward(model.forward(tape.input(x)), g);
  };
  EXPECT_EQ(testing::allocations_of(pass, {.warm_up = 3, .counted = 5}), 0);
}

}  // namespace
}  // namespace cornu
