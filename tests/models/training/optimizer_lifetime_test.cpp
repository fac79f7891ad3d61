#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// An optimizer created by the program, after which the program changes its model.

namespace cornu {
namespace {

using testing::blobs;
using testing::error_of;

/// One step on a loss of the model.
void step(Optimizer& optimizer, const Sequential& model) {
  const TensorDataset data = blobs(8);
  Tape tape;
  optimizer.minimize(sparse_categorical_crossentropy(model.forward(tape.input(data.x())), data.y()));
}

Sequential made() { return {Input{2}, Dense{4, relu}, Dense{3, softmax}}; }

void expect_gone(Optimizer& optimizer, const Sequential& model, std::string_view how_many) {
  const std::vector<Tensor> before = model.get_weights();
  const std::string text = error_of<StateError>([&] { step(optimizer, model); });
  EXPECT_TRUE(text.starts_with(message("optimizer: {} parameters are gone or have moved", how_many))) << text;
  EXPECT_EQ(model.get_weights(), before);
}

TEST(HandMadeOptimizer, DetectsThatItsModelWasRebuilt) {
  Sequential model = made();
  Optimizer optimizer(Adam{}, model.parameters());
  step(optimizer, model);
  model.build({2});
  expect_gone(optimizer, model, "4 of its 4");
}

TEST(HandMadeOptimizer, DetectsThatLayersWereRemovedAndAdded) {
  Sequential model = made();
  Optimizer optimizer(Adam{}, model.parameters());
  model.add(Dense{3, softmax});  // the other layers keep their addresses and are trained further
  step(optimizer, model);
  model.pop();
  step(optimizer, model);
  model.pop();
  model.add(Dense{3, softmax});
  expect_gone(optimizer, model, "2 of its 4");
}

TEST(HandMadeOptimizer, DetectsThatItsModelWasAssignedToOrDestroyed) {
  Sequential model = made();
  Optimizer optimizer(Adam{}, model.parameters());
  model = made();
  expect_gone(optimizer, model, "4 of its 4");

  std::optional<Sequential> gone = made();
  Optimizer of_gone(Adam{}, gone->parameters());
  gone.reset();
  expect_gone(of_gone, model, "4 of its 4");
}

TEST(HandMadeOptimizer, FollowsAModelThatMoves) {
  Sequential model = made();
  Optimizer optimizer(Adam{}, model.parameters());
  const Sequential moved = std::move(model);
  const std::vector<Tensor> before = moved.get_weights();
  step(optimizer, moved);
  EXPECT_NE(moved.get_weights(), before);
}

TEST(HandMadeOptimizer, DetectsThatLayersInAVectorMoved) {
  std::vector<Dense> layers(1, Dense{.units = 3});
  Rng rng(1);
  layers[0].build({2}, rng);
  Optimizer optimizer(Adam{}, layers[0].parameters());
  layers.resize(layers.capacity() + 1, Dense{.units = 3});
  const TensorDataset data = blobs(8);
  Tape tape;
  const std::string text =
      error_of<StateError>([&] { optimizer.minimize(mean(layers[0].forward(tape.input(data.x())))); });
  EXPECT_TRUE(text.starts_with("optimizer: 2 of its 2 parameters are gone or have moved")) << text;
}

TEST(HandMadeOptimizer, DoesNotSilentlyTrainACopy) {
  Sequential model = made();
  Optimizer optimizer(Adam{}, model.parameters());
  const Sequential copy = model;
  const std::string text = error_of<StateError>([&] { step(optimizer, copy); });
  EXPECT_TRUE(text.starts_with("optimizer: the loss depends on none of this optimizer's 4 parameters, only on others"))
      << text;
}

TEST(HandMadeOptimizer, NeedsABuiltModel) {
  Sequential model{Dense{4, relu}, Dense{3, softmax}};
  EXPECT_EQ(error_of<StateError>([&] { Optimizer(SGD{}, model.parameters()); }),
            "optimizer: dense/kernel has no values yet; build its layer or model before creating the optimizer");
}

TEST(CompiledModel, DetectsThatALayerWasReplaced) {
  Sequential model = testing::classifier();
  const TensorDataset data = blobs(8);
  model.fit(data, {.verbose = Verbose::silent});
  AnyLayer other = model.get_layer(0);
  model.get_layer(0) = std::move(other);
  const auto expect_error = [](auto action) {
    const std::string text = error_of<StateError>(action);
    EXPECT_NE(text.find("parameters are gone or have moved"), std::string::npos) << text;
  };
  expect_error([&] { model.fit(data, {.verbose = Verbose::silent}); });
  expect_error([&] { model.train_on_batch(data.x(), data.y()); });
  Sequential copy = model;  // without the optimizer, which is created anew
  copy.fit(data, {.verbose = Verbose::silent});
  model.compile({.optimizer = SGD{}, .loss = SparseCategoricalCrossentropy{}});
  model.fit(data, {.verbose = Verbose::silent});
}

TEST(CompiledModel, MayBeCompiledAndBuiltWhileItsWeightsAreAveraged) {
  const TensorDataset data = blobs(8);
  for (const bool build : {false, true}) {
    Sequential model = testing::classifier({SGD{.learning_rate = 0.1}, {.use_ema = true}});
    model.train_on_batch(data.x(), data.y());
    model.train_on_batch(data.x(), data.y());
    const AveragedWeights averaged(model.optimizer());
    build ? model.build({2}) : model.compile({.optimizer = SGD{}, .loss = SparseCategoricalCrossentropy{}});
    model.train_on_batch(data.x(), data.y());
  }
}

}  // namespace
}  // namespace cornu
