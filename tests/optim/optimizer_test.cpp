#include "cornu/optim/optimizer.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/optim/losses/losses.h"
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

TEST(Optimizer, UsesAChangedRateFromTheNextStepOn) {
  Parameter x = parameter({1});
  Optimizer optimizer(SGD{.learning_rate = 0.5}, {{"x", &x}});
  const Tensor g = Tensor::vector({1});
  step(optimizer, x, g);
  EXPECT_EQ(x.value[0], Real(0.5));
  optimizer.set_learning_rate(0.25);
  EXPECT_EQ(optimizer.learning_rate(), 0.25);
  step(optimizer, x, g);
  EXPECT_EQ(x.value[0], Real(0.25));
  optimizer.set_learning_rate([](Index step) { return step == 2 ? 1.0 : 0.0; });
  step(optimizer, x, g);
  EXPECT_EQ(x.value[0], Real(-0.75));
  expect_error<ValueError>([&] { optimizer.set_learning_rate(-1); },
                           "optimizer: learning_rate is -1; it must not be negative");
  EXPECT_EQ(optimizer.learning_rate(), 0);  // unchanged
}

TEST(Optimizer, EvaluatesItsScheduleAtTheNumberOfSteps) {
  Parameter x = parameter({0});
  Optimizer optimizer(SGD{.learning_rate = [](Index step) { return static_cast<double>(step + 1); }}, {{"x", &x}});
  EXPECT_EQ(optimizer.iterations(), 0);
  EXPECT_EQ(optimizer.learning_rate(), 1);
  for (int i = 0; i < 3; ++i) step(optimizer, x, Tensor::vector({1}));
  EXPECT_EQ(x.value[0], -6);
  EXPECT_EQ(optimizer.iterations(), 3);
  EXPECT_EQ(optimizer.learning_rate(), 4);
}

TEST(Optimizer, DecaysWeightsIndependentlyOfTheGradient) {
  Parameter x = parameter({2, -4}), y = parameter({8});
  Optimizer optimizer(SGD{.learning_rate = 0.5, .weight_decay = 0.25}, {{"x", &x}, {"y", &y}});
  step(optimizer, x, Tensor::vector({1, 0}));
  expect_close(x.value, {2 * 0.875L - 0.5L, -4 * 0.875L});
  EXPECT_EQ(y.value[0], 8);  // without a gradient it does not decay
}

TEST(Optimizer, DecaysWeightsBeforeTheRule) {
  struct Square {  // w becomes w^2
    LearningRate learning_rate = 0.5;
    double weight_decay = 1;
    Index slot_count() const { return 0; }
    void update(View w, ConstView, std::span<const View>, const Step&) const { w[0] *= w[0]; }
  };
  Parameter x = parameter({4});
  Optimizer optimizer(Square{}, {{"x", &x}});
  step(optimizer, x, Tensor::vector({1}));
  EXPECT_EQ(x.value[0], 4);
}

TEST(Optimizer, DecaysWeightsByASmallRateWithoutBias) {
  // 1 - 1e-7 rounds to 1 - 1.19e-7 in float: multiplying by it would decay a fifth too fast.
  Parameter x{testing::uniform({1000}, 1, 1, 2)};
  const Tensor before = x.value;
  Optimizer optimizer(SGD{.learning_rate = 1e-3, .weight_decay = 1e-4}, {{"x", &x}});
  const Tensor zero({1000});
  for (int i = 0; i < 1000; ++i) step(optimizer, x, zero);
  double lost = 0, total = 0;
  for (Index i = 0; i < x.value.size(); ++i) {
    lost += static_cast<double>(before[i]) - static_cast<double>(x.value[i]);
    total += static_cast<double>(before[i]);
  }
  EXPECT_NEAR(lost / total, 1e-4, 1e-5);
}

TEST(Clipping, ByNormScalesEachGradientSeparately) {
  Parameter x = parameter({0, 0}), y = parameter({0});
  Optimizer optimizer(SGD{.learning_rate = 1, .clipnorm = 2.5}, {{"x", &x}, {"y", &y}});
  step(optimizer, x, Tensor::vector({3, -4}), y, Tensor::vector({2}));
  expect_close(x.value, {-1.5L, 2});
  expect_close(y.value, {-2});
}

TEST(Clipping, ByValueLimitsEachElement) {
  Parameter x = parameter({0, 0, 0, 0});
  Optimizer optimizer(SGD{.learning_rate = 1, .clipvalue = 0.5}, {{"x", &x}});
  step(optimizer, x, Tensor::vector({3, -4, 0.25, testing::nan}));
  EXPECT_EQ(x.value[0], Real(-0.5));
  EXPECT_EQ(x.value[1], Real(0.5));
  EXPECT_EQ(x.value[2], Real(-0.25));
  EXPECT_TRUE(std::isnan(x.value[3]));
}

TEST(Clipping, ByGlobalNormScalesAllGradientsTogether) {
  Parameter x = parameter({0, 0}), y = parameter({0});
  Optimizer optimizer(SGD{.learning_rate = 1, .global_clipnorm = 6.5}, {{"x", &x}, {"y", &y}});
  step(optimizer, x, Tensor::vector({3, -4}), y, Tensor::vector({12}));
  expect_close(x.value, {-1.5L, 2});
  expect_close(y.value, {-6});
  step(optimizer, x, Tensor::vector({1, 0}), y, Tensor::vector({1}));  // within the limit: unchanged
  expect_close(x.value, {-2.5L, 2});
  expect_close(y.value, {-7});
}

TEST(Clipping, UsesEveryElementForTheNorm) {
  Parameter x{Tensor({21})};
  Optimizer optimizer(SGD{.learning_rate = 1, .clipnorm = 1}, {{"x", &x}});
  step(optimizer, x, Tensor::full({21}, 3));
  for (const Real w : x.value) expect_close(w, -1 / std::sqrt(21.0L));
}

TEST(Clipping, IgnoresGradientsOfOtherParameters) {
  Parameter mine = parameter({0}), other = parameter({0});
  Optimizer optimizer(SGD{.learning_rate = 1, .global_clipnorm = 1}, {{"mine", &mine}});
  Tape tape;
  const Gradients gradients = tape.backward(sum(tape.parameter(mine) * 0.5 + tape.parameter(other) * 100));
  optimizer.step(gradients);
  EXPECT_EQ(mine.value[0], Real(-0.5));  // gradients of other parameters do not count towards the norm
  EXPECT_EQ(gradients[other][0], 100);
}

TEST(OptimizerErrors, NameTheOptionThatIsOutOfRange) {
  const auto expect_option_error = [](const SGD& sgd, std::string_view text) {
    expect_error<ValueError>([&] { AnyOptimizer optimizer(sgd); }, text);
  };
  expect_option_error({.learning_rate = -0.1}, "optimizer: learning_rate is -0.1; it must not be negative");
  expect_option_error({.learning_rate = [](Index) { return -2.0; }},
                      "optimizer: learning_rate is -2; it must not be negative");
  expect_option_error({.weight_decay = -1}, "optimizer: weight_decay is -1; it must not be negative");
  expect_option_error({.clipnorm = -1}, "optimizer: clipnorm is -1; it must not be negative");
  expect_option_error({.clipvalue = -1}, "optimizer: clipvalue is -1; it must not be negative");
  expect_option_error({.global_clipnorm = -1}, "optimizer: global_clipnorm is -1; it must not be negative");
  expect_option_error({.clipnorm = 1, .clipvalue = 0.5},
                      "optimizer: clipnorm 1, clipvalue 0.5 and global_clipnorm 0; only one can be given");
  expect_option_error({.clipvalue = 0.5, .global_clipnorm = 2},
                      "optimizer: clipnorm 0, clipvalue 0.5 and global_clipnorm 2; only one can be given");
}

TEST(Optimizer, LeavesParametersWithoutAGradientUnchanged) {
  Parameter x = parameter({1}), unused = parameter({2}), frozen = parameter({3});
  frozen.trainable = false;
  Optimizer optimizer(SGD{.learning_rate = 0.5, .momentum = 0.9, .weight_decay = 0.1},
                      {{"unused", &unused}, {"frozen", &frozen}, {"x", &x}});
  Tape tape;
  optimizer.step(tape.backward(sum(tape.parameter(x) * tape.parameter(frozen))));
  EXPECT_NE(x.value[0], 1);
  EXPECT_EQ(unused.value[0], 2);
  EXPECT_EQ(frozen.value[0], 3);
}

TEST(Optimizer, LeavesOtherParametersUnchanged) {
  Parameter mine = parameter({1}), other = parameter({1});
  Optimizer optimizer(SGD{.learning_rate = 0.5}, {{"mine", &mine}});
  Tape tape;
  const Gradients both = tape.backward(sum(tape.parameter(other) + tape.parameter(mine)));
  EXPECT_FALSE(optimizer.knows_all(both));
  optimizer.step(both);
  EXPECT_EQ(mine.value[0], Real(0.5));
  EXPECT_EQ(other.value[0], 1);
  tape.clear();
  EXPECT_TRUE(optimizer.knows_all(tape.backward(sum(tape.parameter(mine)))));
}

TEST(Optimizer, KeepsStatePerParameterForAnyOrderOfGradients) {
  Parameter a = parameter({0}), b = parameter({0, 0}), c = parameter({0});
  Optimizer optimizer(SGD{.learning_rate = 1, .momentum = 0.5}, {{"a", &a}, {"b", &b}, {"c", &c}});
  Tape tape;
  optimizer.step(tape.backward(sum(tape.parameter(c) * 4) + sum(tape.parameter(a) * 1)));
  tape.clear();
  optimizer.step(tape.backward(sum(tape.parameter(a) * 1) + sum(tape.parameter(b) * 2) + sum(tape.parameter(c) * 4)));
  EXPECT_EQ(a.value, Tensor::vector({-2.5}));
  EXPECT_EQ(b.value, Tensor::vector({-2, -2}));
  EXPECT_EQ(c.value, Tensor::vector({-10}));
  EXPECT_EQ(optimizer.state()[0], Tensor::vector({-1.5}));
  EXPECT_EQ(optimizer.state()[1], Tensor::vector({-2, -2}));
  EXPECT_EQ(optimizer.state()[2], Tensor::vector({-6}));
}

TEST(Optimizer, AppliesRecordedUpdatesInTheStep) {
  Parameter x = parameter({1}), average{Tensor::vector({5}), false}, other{Tensor::vector({5}), false};
  Optimizer optimizer(SGD{.learning_rate = 1}, {{"x", &x}, {"average", &average}});
  Tape tape;
  const Var v = tape.parameter(x);
  tape.record_update(average, v * 0.5);
  tape.record_update(other, v * 0.5);
  const Gradients gradients = tape.backward(sum(v));
  EXPECT_EQ(average.value[0], 5);
  optimizer.step(gradients);
  EXPECT_EQ(average.value[0], Real(0.5));  // from the value of x in the pass
  EXPECT_EQ(x.value[0], 0);
  EXPECT_EQ(other.value[0], 5);  // belongs to another optimizer
}

TEST(Optimizer, StartsWithZeroStateInTheShapeOfEachParameter) {
  Parameter x{Tensor::full({2, 3}, 7)}, y{Tensor::scalar(7)};
  const Optimizer plain(SGD{}, {{"x", &x}, {"y", &y}});
  EXPECT_TRUE(plain.state().empty());
  const Optimizer optimizer(SGD{.momentum = 0.9}, {{"x", &x}, {"y", &y}});
  ASSERT_EQ(optimizer.state().size(), 2U);
  EXPECT_EQ(optimizer.state()[0], Tensor({2, 3}));
  EXPECT_EQ(optimizer.state()[1], Tensor::scalar(0));
}

TEST(Optimizer, ChangesNothingIfAParameterChangedItsShape) {
  Parameter first = parameter({1}), x = parameter({1, 2});
  for (const double momentum : {0.0, 0.9}) {
    Optimizer optimizer(SGD{.learning_rate = 1, .momentum = momentum}, {{"first", &first}, {"x", &x}});
    Tape tape;
    const Gradients gradients = tape.backward(sum(tape.parameter(first)) + sum(tape.parameter(x)));
    x.value = Tensor({3});
    expect_error<StateError>([&] { optimizer.step(gradients); },
                             "optimizer: a parameter now has shape (3,); its gradient has shape (2,)");
    EXPECT_EQ(first.value[0], 1);
    EXPECT_EQ(optimizer.iterations(), 0);
    x.value = Tensor({2});
  }
  Optimizer optimizer(SGD{.learning_rate = 1, .momentum = 0.9}, {{"first", &first}, {"x", &x}});
  x.value = Tensor({3});
  expect_error<StateError>([&] { step(optimizer, first, Tensor({1}), x, Tensor({3})); },
                           "optimizer: a parameter now has shape (3,); its state has shape (2,)");

  Parameter average{Tensor({2}), false};
  Optimizer averaging(SGD{.learning_rate = 1}, {{"first", &first}, {"average", &average}});
  Tape tape;
  tape.record_update(average, tape.input(ConstView(x.value.data(), {2})));
  const Gradients gradients = tape.backward(sum(tape.parameter(first)));
  average.value = Tensor({4});
  expect_error<StateError>([&] { averaging.step(gradients); },
                           "optimizer: a parameter now has shape (4,); its update has shape (2,)");
  EXPECT_EQ(first.value[0], 1);
}

TEST(Optimizer, ContinuesWithACopyOfTheModelWhenRebound) {
  Parameter x = parameter({0});
  Optimizer optimizer(SGD{.learning_rate = 1, .momentum = 0.5}, {{"x", &x}});
  step(optimizer, x, Tensor::vector({1}));
  Parameter copy = x;
  Optimizer rebound = optimizer.rebound({{"copy", &copy}});
  EXPECT_EQ(rebound.iterations(), 1);
  step(rebound, copy, Tensor::vector({1}));
  EXPECT_EQ(copy.value[0], Real(-2.5));  // with the velocity of the first step
  EXPECT_EQ(x.value[0], -1);
  step(optimizer, x, Tensor::vector({1}));
  EXPECT_EQ(x.value[0], Real(-2.5));  // the copy has not changed the state of the original

  Parameter wide = parameter({0, 0});
  expect_error<ShapeError>([&] { optimizer.rebound({}); }, "optimizer: 0 parameters given; it was created for 1");
  expect_error<ShapeError>(
      [&] {
        optimizer.rebound({{"dense/kernel", &wide}});
      },
      "optimizer: dense/kernel is (2,); the parameter it was created for is (1,)");
}

/// A user's rule: Adagrad with its own initial sum of squares.
struct CustomAdagrad {
  LearningRate learning_rate = 0.5;
  double initial_accumulator_value = 0.1;
  Index slot_count() const { return 1; }
  void begin(std::span<const View> s) const { std::fill(s[0].begin(), s[0].end(), Real(initial_accumulator_value)); }
  void update(View w, ConstView g, std::span<const View> s, const Step& step) const {
    for (Index i = 0; i < w.size(); ++i) w[i] -= Real(step.learning_rate) * g[i] / std::sqrt(s[0][i] += g[i] * g[i]);
  }
};

TEST(CustomRule, InitializesItsSlots) {
  Parameter x = parameter({1, 1}), y = parameter({1});
  Optimizer optimizer(CustomAdagrad{}, {{"x", &x}, {"y", &y}});
  EXPECT_EQ(optimizer.state()[0], Tensor::full({2}, Real(0.1)));
  EXPECT_EQ(optimizer.state()[1], Tensor::full({1}, Real(0.1)));
  step(optimizer, x, Tensor::vector({0.5, -2}));
  expect_close(x.value, {1 - 0.25L / std::sqrt(0.35L), 1 + 1 / std::sqrt(4.1L)});
  step(optimizer, x, Tensor::vector({0.5, 0}));
  expect_close(x.value[0], 1 - 0.25L / std::sqrt(0.35L) - 0.25L / std::sqrt(0.6L));
}

TEST(CustomRule, IsGivenTheStepAndItsSlots) {
  struct Rule {
    LearningRate learning_rate = 0.5;
    Index slot_count() const { return 2; }
    void update(View w, ConstView g, std::span<const View> s, const Step& step) const {
      w[0] = static_cast<Real>(step.iteration);
      s[0][0] += g[0];
      s[1][0] += g[0] * g[0];
    }
  };
  Parameter x = parameter({0}), y = parameter({0});
  Optimizer optimizer(Rule{}, {{"x", &x}, {"y", &y}});
  step(optimizer, x, Tensor::vector({2}), y, Tensor::vector({3}));
  step(optimizer, x, Tensor::vector({2}), y, Tensor::vector({3}));
  EXPECT_EQ(x.value[0], 1);
  ASSERT_EQ(optimizer.state().size(), 4U);
  const Real expected[] = {4, 8, 6, 18};
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(optimizer.state()[i][0], expected[i]);
}

TEST(CustomRule, MayCheckItsOptionsAndHasAtMostEightSlots) {
  struct Greedy {
    LearningRate learning_rate = 0.5;
    Index wanted = 9;
    Index slot_count() const { return wanted; }
    void update(View, ConstView, std::span<const View>, const Step&) const {}
  };
  expect_error<ValueError>([] { AnyOptimizer optimizer(Greedy{}); },
                           "optimizer: 9 slots per parameter; from 0 to 8 are supported");
  EXPECT_EQ(AnyOptimizer(Greedy{.wanted = 8}).slot_count(), 8);
  static_assert(!std::is_constructible_v<AnyOptimizer, LearningRate>);
}

TEST(Optimizer, AllocatesNothingInAWarmStep) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const Tensor x = testing::normal({8, 5}, 1), labels = testing::labels({8}, 3, 2), weights = Tensor::full({8}, 2);
  Parameter kernel{testing::normal({5, 3}, 3)}, bias{Tensor({3})}, average{Tensor({3}), false};
  const ExponentialDecay rate{.initial_learning_rate = 0.1, .decay_steps = 10, .decay_rate = 0.5};
  const AnyLoss fused = SparseCategoricalCrossentropy{}, plain = [](Var p, Var y) { return mean(p, -1) * y; };
  for (const SGD& sgd : {SGD{.learning_rate = rate, .momentum = 0.9, .weight_decay = 0.1, .global_clipnorm = 1},
                         SGD{.clipnorm = 1}, SGD{.clipvalue = 1}}) {
    for (const AnyLoss& loss : {fused, plain}) {
      Optimizer optimizer(sgd, {{"kernel", &kernel}, {"bias", &bias}, {"average", &average}});
      Tape tape;
      const auto train = [&] {
        tape.clear();
        const Var p = softmax(affine(tape.input(x), kernel, bias));
        tape.record_update(average, mean(p, 0));
        optimizer.step(tape.backward(loss(p, labels, weights)));
      };
      EXPECT_EQ(testing::allocations_of(train, {.warm_up = 2, .counted = 3}), 0);
    }
  }
}

}  // namespace
}  // namespace cornu
