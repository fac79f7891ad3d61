#include <gtest/gtest.h>

#include <optional>

#include "cornu/core/error.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/sgd.h"
#include "cornu/tests/optim/stepping.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"

// Optimizers keep the addresses of parameters. They detect that a parameter is gone before they read its memory.

namespace cornu {
namespace {

using testing::error_of;
using testing::expect_error;
using testing::parameter;

static_assert(std::is_aggregate_v<Parameter>);
static_assert(std::is_nothrow_move_constructible_v<Parameter>);
static_assert(std::is_nothrow_move_assignable_v<Parameter>);

const AnyOptimizer averaging_sgd{SGD{.learning_rate = 0.5}, {.use_ema = true}};

constexpr std::string_view one_gone =
    "optimizer: 1 of its 1 parameters are gone or have moved, because their model was rebuilt, changed or assigned "
    "to; compile the model again, or create a new optimizer for its parameters";

TEST(OptimizerLifetime, EveryUseOfADestroyedParameterThrows) {
  Parameter other = parameter({1});
  std::optional<Parameter> x = parameter({1});
  Optimizer optimizer(averaging_sgd, {{"x", &*x}});
  testing::step(optimizer, *x, Tensor::vector({1}));
  x.emplace(parameter({1}));  // at the same address
  expect_error<StateError>([&] { testing::step(optimizer, *x, Tensor::vector({1})); }, one_gone);
  Tape tape;
  expect_error<StateError>([&] { optimizer.minimize(sum(tape.parameter(*x))); }, one_gone);
  expect_error<StateError>([&] { optimizer.step(Gradients()); }, one_gone);
  expect_error<StateError>([&] { optimizer.parameters(); }, one_gone);
  expect_error<StateError>([&] { optimizer.swap_averages(); }, one_gone);
  expect_error<StateError>([&] { optimizer.overwrite_with_averages(); }, one_gone);
  expect_error<StateError>([&] { AveragedWeights averaged(optimizer); }, one_gone);
  expect_error<StateError>([&] { optimizer.rebound({{"other", &other}}); }, one_gone);
  EXPECT_EQ(x->value[0], 1);
  EXPECT_EQ(optimizer.iterations(), 1);  // the optimizer's own state stays accessible
  EXPECT_EQ(optimizer.state().size(), 1U);
}

TEST(OptimizerLifetime, MovedParametersAreDetected) {
  std::vector<Parameter> layers{parameter({1})};
  Optimizer optimizer(SGD{}, {{"x", layers.data()}});
  layers.reserve(layers.capacity() + 1);
  expect_error<StateError>([&] { testing::step(optimizer, layers[0], Tensor::vector({1})); }, one_gone);

  Parameter from = parameter({1});
  Optimizer of_from(SGD{}, {{"from", &from}});
  const Parameter to = std::move(from);
  expect_error<StateError>(
      [&] { testing::step(of_from, to, Tensor::vector({1})); },
      "optimizer: the loss depends on none of this optimizer's 1 parameters, only on others (is it the loss of "
      "another model, such as a copy?)");
}

TEST(OptimizerLifetime, AssigningAndCopyingAParameterKeepItUsable) {
  Parameter x = parameter({1});
  Optimizer optimizer(SGD{.learning_rate = 0.5}, {{"x", &x}});
  {
    const Parameter copy = x;
    x = parameter({3});
    x = copy;
    x = parameter({5});
  }
  testing::step(optimizer, x, Tensor::vector({1}));
  EXPECT_EQ(x.value[0], Real(4.5));
  const Optimizer second = optimizer;  // two optimizers may have the same parameter
  EXPECT_EQ(second.parameters()[0], &x);
}

TEST(OptimizerLifetime, AParameterWithoutValuesIsRejected) {
  Parameter kernel = parameter({1}), bias;
  expect_error<StateError>(
      [&] {
        Optimizer(SGD{}, {{"dense/kernel", &kernel}, {"dense/bias", &bias}});
      },
      "optimizer: dense/bias has no values yet; build its layer or model before creating the "
      "optimizer");
}

TEST(OptimizerLifetime, AStepNeedsAGradientOfOneOfItsParameters) {
  Parameter x = parameter({1}), state{Tensor::vector({1}), false}, other = parameter({1});
  Optimizer optimizer(SGD{.learning_rate = 0.5}, {{"x", &x}, {"state", &state}});
  Tape tape;
  const std::string text = error_of<StateError>([&] { optimizer.minimize(sum(tape.parameter(other))); });
  EXPECT_TRUE(text.starts_with("optimizer: the loss depends on none of this optimizer's 2 parameters")) << text;
  EXPECT_EQ(optimizer.iterations(), 0);

  tape.clear();
  optimizer.minimize(sum(tape.parameter(other) * tape.parameter(x)));  // `other` belongs to another optimizer
  EXPECT_EQ(x.value[0], Real(0.5));
  tape.clear();
  tape.record_update(state, tape.constant(Tensor::vector({7})));
  optimizer.minimize(sum(tape.parameter(other)));  // a recorded update alone is enough for a step
  EXPECT_EQ(state.value[0], 7);
  x.frozen = true;
  tape.clear();
  optimizer.minimize(sum(tape.parameter(x)));  // no parameter is trainable, which is not an error
  EXPECT_EQ(optimizer.iterations(), 3);
  tape.clear();
  optimizer.minimize(tape.constant(1));
  EXPECT_EQ(x.value[0], Real(0.5));
}

TEST(AveragedWeights, IgnoreDestroyedParametersAndOptimizers) {
  std::optional<Parameter> x = parameter({1});
  std::optional<Optimizer> optimizer;
  const auto begin = [&] {
    x.emplace(parameter({1}));
    optimizer.emplace(averaging_sgd, NamedParameters{{"x", &*x}});
    testing::step(*optimizer, *x, Tensor::vector({1}));
    testing::step(*optimizer, *x, Tensor::vector({1}));
  };
  begin();
  {
    const AveragedWeights averaged(*optimizer);
    EXPECT_NE(x->value[0], 0);
  }
  EXPECT_EQ(x->value[0], 0);
  {
    const AveragedWeights averaged(*optimizer);
    x.reset();
  }
  begin();
  {
    const AveragedWeights averaged(*optimizer);
    optimizer.reset();
  }
  begin();
  {
    const AveragedWeights averaged(*optimizer);
    x->value = Tensor({3});
  }
  EXPECT_EQ(x->value, Tensor({3}));
}

}  // namespace
}  // namespace cornu
