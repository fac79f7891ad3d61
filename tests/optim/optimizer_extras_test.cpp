#include "cornu/optim/optimizer_extras.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/sgd.h"
#include "cornu/tests/optim/stepping.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_close;
using testing::expect_error;
using testing::parameter;
using testing::step;

/// Two layers with a kernel and a bias of one element each.
struct TwoLayers {
  Parameter kernel = parameter({1}), bias = parameter({1}), kernel_1 = parameter({1}), bias_1 = parameter({1});

  NamedParameters parameters() {
    return {{"dense/kernel", &kernel}, {"dense/bias", &bias}, {"dense_1/kernel", &kernel_1}, {"dense_1/bias", &bias_1}};
  }
  void step(Optimizer& optimizer, Real gradient) const {
    Tape tape;
    const Var total = tape.parameter(kernel) + tape.parameter(bias) + tape.parameter(kernel_1) + tape.parameter(bias_1);
    optimizer.step(tape.backward(sum(total * gradient)));
  }
  void expect(std::initializer_list<long double> values) const {
    const Parameter* const all[] = {&kernel, &bias, &kernel_1, &bias_1};
    for (std::size_t i = 0; i < 4; ++i) expect_close(all[i]->value[0], values.begin()[i]);
  }
};

TEST(Names, ExcludeLayersAndParametersFromWeightDecay) {
  const auto decayed = [](std::vector<std::string> names, std::initializer_list<long double> values) {
    TwoLayers layers;
    Optimizer optimizer(
        {SGD{.learning_rate = 0.5, .weight_decay = 0.5}, {.exclude_from_weight_decay = std::move(names)}},
        layers.parameters());
    layers.step(optimizer, 0);
    layers.expect(values);
  };
  decayed({}, {.75L, .75L, .75L, .75L});
  decayed({"bias"}, {.75L, 1, .75L, 1});
  decayed({"dense"}, {1, 1, .75L, .75L});  // not dense_1
  decayed({"dense_1/bias", "dense/kernel"}, {1, .75L, .75L, 1});
}

TEST(Names, MultiplyTheLearningRateOfPlainGradientDescent) {
  TwoLayers layers;
  Optimizer optimizer({SGD{.learning_rate = 0.5}, {.learning_rate_multipliers = {{"dense", 0.5}, {"bias", 2}}}},
                      layers.parameters());
  layers.step(optimizer, 1);
  layers.expect({.75L, .5L, .5L, 0});
}

TEST(Names, MultiplyTheRateOfTheRuleAndOfTheDecay) {
  TwoLayers layers;
  Optimizer optimizer({SGD{.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.5},
                       {.learning_rate_multipliers = {{"dense_1", 0}, {"dense", 0.5}}}},
                      layers.parameters());
  layers.step(optimizer, 1);
  layers.expect({.875L - .25L, .875L - .25L, 1, 1});
  EXPECT_EQ(optimizer.learning_rate(), 0.5);
}

TEST(Names, ApplyToACopyOfTheModel) {
  TwoLayers layers, copy;
  const Optimizer optimizer({SGD{.learning_rate = 1}, {.learning_rate_multipliers = {{"dense", 0.5}}}},
                            layers.parameters());
  Optimizer rebound = optimizer.rebound(copy.parameters());
  copy.step(rebound, 1);
  copy.expect({.5L, .5L, 0, 0});
}

TEST(Averages, FollowTheWeightsAndAreSwappedWithThem) {
  Parameter x = parameter({0});
  Optimizer optimizer({SGD{.learning_rate = 1}, {.use_ema = true, .ema_momentum = 0.75}}, {{"x", &x}});
  const auto averaged = [&] {
    const AveragedWeights weights(optimizer);
    return x.value[0];
  };
  EXPECT_EQ(averaged(), 0);  // before the first step: the weights
  step(optimizer, x, Tensor::vector({-8}));
  EXPECT_EQ(averaged(), 8);
  step(optimizer, x, Tensor::vector({-8}));
  EXPECT_EQ(averaged(), 10);  // 3/4 * 8 + 1/4 * 16
  EXPECT_EQ(x.value[0], 16);
  step(optimizer, x, Tensor::vector({2}));
  EXPECT_EQ(averaged(), 11);
  EXPECT_EQ(x.value[0], 14);
  optimizer.overwrite_with_averages();
  EXPECT_EQ(x.value[0], 11);
}

TEST(Averages, ArePartOfTheState) {
  Parameter x = parameter({1, 2});
  Optimizer optimizer({Adam{}, {.use_ema = true}}, {{"x", &x}});
  EXPECT_EQ(optimizer.rule().slot_count(), 3);
  step(optimizer, x, Tensor::vector({1, 1}));
  EXPECT_EQ(optimizer.state()[2], x.value);
  Parameter copy = x;
  Optimizer rebound = optimizer.rebound({{"copy", &copy}});
  step(optimizer, x, Tensor::vector({1, 1}));
  step(rebound, copy, Tensor::vector({1, 1}));
  EXPECT_EQ(rebound.state()[2], optimizer.state()[2]);
}

TEST(Averages, OverwriteTheWeightsPeriodically) {
  Parameter x = parameter({0});
  Optimizer optimizer({SGD{.learning_rate = 1}, {.use_ema = true, .ema_momentum = 0.5, .ema_overwrite_frequency = 2}},
                      {{"x", &x}});
  const Tensor g = Tensor::vector({-4});
  step(optimizer, x, g);
  EXPECT_EQ(x.value[0], 4);
  step(optimizer, x, g);
  EXPECT_EQ(x.value[0], 6);  // the weight was 8; the average of 4 and 8 is 6
  step(optimizer, x, g);
  EXPECT_EQ(x.value[0], 10);
  step(optimizer, x, g);
  EXPECT_EQ(x.value[0], 11);  // the weight was 14; the average of 8 and 14 is 11
}

TEST(Averages, IncludeParametersWithoutAGradientInAStep) {
  Parameter x = parameter({0}), y = parameter({8}), fixed = parameter({3});
  fixed.trainable = false;
  Optimizer optimizer({SGD{.learning_rate = 1}, {.use_ema = true, .ema_momentum = 0.5}},
                      {{"x", &x}, {"y", &y}, {"fixed", &fixed}});
  step(optimizer, x, Tensor::vector({-1}));
  step(optimizer, y, Tensor::vector({4}));
  step(optimizer, x, Tensor::vector({-1}));
  fixed.value[0] = 5;  // changed outside of a step
  optimizer.overwrite_with_averages();
  EXPECT_EQ(x.value[0], Real(1.5));  // the average of 1, 1 and 2
  EXPECT_EQ(y.value[0], 5);          // the average of 8, 4 and 4
  EXPECT_EQ(fixed.value[0], 5);
}

TEST(Averages, RestartAfterALayerWasFrozen) {
  Parameter x = parameter({0});
  x.trainable = false;
  Parameter y = parameter({0});
  Optimizer optimizer({SGD{.learning_rate = 1}, {.use_ema = true, .ema_momentum = 0.5}}, {{"x", &x}, {"y", &y}});
  step(optimizer, y, Tensor::vector({1}));
  x.value[0] = 8;  // as if weights were loaded
  step(optimizer, y, Tensor::vector({1}));
  x.trainable = true;
  step(optimizer, x, Tensor::vector({4}));
  EXPECT_EQ(x.value[0], 4);
  optimizer.swap_averages();
  EXPECT_EQ(x.value[0], 6);
}

TEST(Averages, AllocateNothingInAWarmStep) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  Parameter x{testing::normal({5, 3}, 3)};
  Optimizer optimizer({Adam{.weight_decay = 0.1},
                       {.exclude_from_weight_decay = {"x"},
                        .learning_rate_multipliers = {{"x", 0.5}},
                        .use_ema = true,
                        .ema_overwrite_frequency = 2}},
                      {{"x", &x}});
  Tape tape;
  const auto train = [&] {
    tape.clear();
    optimizer.step(tape.backward(sum(square(tape.parameter(x)))));
    const AveragedWeights averaged(optimizer);
  };
  EXPECT_EQ(testing::allocations_of(train, {.warm_up = 2, .counted = 4}), 0);
}

TEST(OptimizerExtrasErrors, NameTheOptionAndTheProblem) {
  const auto expect_extras_error = [](const OptimizerExtras& extras, std::string_view text) {
    expect_error<ValueError>(
        [&] {
          TwoLayers layers;
          Optimizer optimizer({SGD{}, extras}, layers.parameters());
        },
        text);
  };
  expect_extras_error({.exclude_from_weight_decay = {"bias", "batch"}},
                      "optimizer: exclude_from_weight_decay names \"batch\", but no layer or parameter has this name; "
                      "the parameters are dense/kernel, dense/bias, dense_1/kernel, dense_1/bias");
  expect_extras_error({.learning_rate_multipliers = {{"kern", 2}}},
                      "optimizer: learning_rate_multipliers names \"kern\", but no layer or parameter has this name; "
                      "the parameters are dense/kernel, dense/bias, dense_1/kernel, dense_1/bias");
  expect_extras_error({.learning_rate_multipliers = {{"kernel", -2}}},
                      "optimizer: learning_rate_multipliers gives -2 for kernel; it must not be negative");
  expect_extras_error({.use_ema = true, .ema_momentum = 1.5}, "optimizer: ema_momentum is 1.5; it must be in [0, 1]");
  expect_extras_error({.use_ema = true, .ema_overwrite_frequency = -1},
                      "optimizer: ema_overwrite_frequency is -1; it must not be negative");
  expect_extras_error({.ema_overwrite_frequency = 10},
                      "optimizer: ema_overwrite_frequency is 10, but use_ema is not set");
}

TEST(OptimizerExtrasErrors, AreThrownForMissingOrOutdatedAverages) {
  Parameter x = parameter({0}), y = parameter({0});
  Optimizer plain(SGD{}, {{"x", &x}});
  for (const auto& use : {+[](Optimizer& o) { o.swap_averages(); }, +[](Optimizer& o) { o.overwrite_with_averages(); },
                          +[](Optimizer& o) { const AveragedWeights averaged(o); }}) {
    expect_error<StateError>([&] { use(plain); }, "optimizer: there are no averages of the weights; set use_ema");
  }
  expect_error<ValueError>([&] { plain.set_iterations(-1); }, "optimizer: iterations is -1; it must not be negative");

  Optimizer averaging({SGD{}, {.use_ema = true}}, {{"x", &x}, {"y", &y}});
  x.value = Tensor({3});
  const std::string_view text = "optimizer: a parameter now has shape (3,); its state has shape (1,)";
  expect_error<StateError>([&] { step(averaging, y, Tensor::vector({1})); }, text);
  EXPECT_EQ(y.value[0], 0);
  expect_error<StateError>([&] { averaging.swap_averages(); }, text);
}

}  // namespace
}  // namespace cornu
