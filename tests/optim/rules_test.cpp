// The rules' formulas, options and errors. trajectory_double_test.cpp compares the rules with PyTorch's.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/optim/adagrad.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/lamb.h"
#include "cornu/optim/lion.h"
#include "cornu/optim/nadam.h"
#include "cornu/optim/rmsprop.h"
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

/// The value of a parameter that starts at 1, after each of several steps.
std::vector<Real> path(const AnyOptimizer& rule, const std::vector<double>& gradients) {
  Parameter x = parameter({1});
  Optimizer optimizer(rule, {{"x", &x}});
  std::vector<Real> result;
  for (const double g : gradients) {
    step(optimizer, x, Tensor::vector({static_cast<Real>(g)}));
    result.push_back(x.value[0]);
  }
  return result;
}

void expect_path(const AnyOptimizer& rule, const std::vector<double>& gradients, std::initializer_list<double> expected,
                 double tolerance = 1e-12) {
  const std::vector<Real> actual = path(rule, gradients);
  ASSERT_EQ(actual.size(), expected.size());
  const double rounding = 8 * static_cast<double>(std::numeric_limits<Real>::epsilon());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(actual[i]), expected.begin()[i], std::max(tolerance, rounding)) << "step " << i;
  }
}

const std::vector<double> three_gradients{0.5, -0.3, 0.1};

TEST(Adam, HasTheEpsilonHatFormOfKeras) {
  expect_path(Adam{.learning_rate = 0.1, .epsilon = 1e-8}, three_gradients,
              {.900000063246, .880850270112, .855453764629});
  const std::vector<Real> with_large_epsilon = path(Adam{.learning_rate = 0.1, .epsilon = 1e-3}, three_gradients);
  EXPECT_NEAR(static_cast<double>(with_large_epsilon[0]), .905948348715, 1e-6);  // the paper's form: .900199600798
  EXPECT_NEAR(static_cast<double>(with_large_epsilon[2]), .863677141392, 1e-6);
  expect_path(Adam{.learning_rate = 0.1, .epsilon = 1e-8}, {1e-8}, {.996934657}, 1e-9);
}

TEST(AdamW, DecaysWeightsIndependentlyOfTheGradient) {
  // The reference uses the paper's epsilon. With Keras's, the first step of 0.1 is shorter by a factor of 6e-8, later
  // ones by less.
  expect_path(AdamW{.learning_rate = 0.1, .epsilon = 1e-8, .weight_decay = 0.1}, three_gradients,
              {.890000002000, .861950198922, .827934178607}, 1e-7);
}

TEST(AdamW, IsAdamWithAnotherDefaultDecay) {
  EXPECT_EQ(path(AdamW{}, three_gradients), path(Adam{.weight_decay = 0.004}, three_gradients));
  EXPECT_EQ(path(AdamW{.weight_decay = 0}, three_gradients), path(Adam{}, three_gradients));
}

TEST(Adam, WithAmsgradKeepsTheLargestAverageOfSquares) {
  const Adam plain{.learning_rate = 0.1, .beta_2 = 0.5};
  Adam amsgrad = plain;
  amsgrad.amsgrad = true;
  const std::vector<double> growing{1, 2, 3, 4}, falling{4, 1, 0.1, 0.1};
  EXPECT_EQ(path(amsgrad, growing), path(plain, growing));
  EXPECT_GT(path(amsgrad, falling).back(), path(plain, falling).back());
}

TEST(Adam, CorrectsItsBiasByStepsNotByParameters) {
  Parameter x = parameter({1}), y = parameter({1});
  Optimizer optimizer(Adam{.learning_rate = 0.1}, {{"x", &x}, {"y", &y}});
  const std::vector<Real> alone = path(Adam{.learning_rate = 0.1}, three_gradients);
  for (std::size_t i = 0; i < 3; ++i) {
    const Tensor g = Tensor::vector({static_cast<Real>(three_gradients[i])});
    step(optimizer, x, g, y, g);
    EXPECT_EQ(x.value[0], alone[i]);
    EXPECT_EQ(y.value[0], alone[i]);
  }
}

TEST(Nadam, FollowsItsFormulaAsTheMomentumGrows) {
  const auto momentum = [](int t) { return 0.9 * (1 - 0.5 * std::pow(0.96, t)); };
  double m = 0, v = 0, product = 1, w = 1;
  std::vector<double> gradients;
  Parameter x = parameter({1});
  Optimizer optimizer(Nadam{.learning_rate = 0.1}, {{"x", &x}});
  for (int t = 1; t <= 2000; ++t) {
    const double g = std::sin(t) + w;
    product *= momentum(t);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    const double next = product * momentum(t + 1);
    const double m_hat = momentum(t + 1) * m / (1 - next) + (1 - momentum(t)) * g / (1 - product);
    w -= 0.1 * m_hat / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-7);
    step(optimizer, x, Tensor::vector({static_cast<Real>(g)}));
    ASSERT_NEAR(static_cast<double>(x.value[0]), w, sizeof(Real) == 4 ? 1e-4 : 1e-11) << "step " << t;
  }
}

TEST(RMSprop, AddsEpsilonInsideTheRootAsKerasDoes) {
  const double w1 = 1 - 0.1 * 0.5 / std::sqrt(0.1 * 0.25 + 0.01);
  const double w2 = w1 + 0.1 * 0.3 / std::sqrt(0.9 * 0.1 * 0.25 + 0.1 * 0.09 + 0.01);
  expect_path(RMSprop{.learning_rate = 0.1, .epsilon = 0.01}, {0.5, -0.3}, {w1, w2});
}

TEST(RMSprop, CentersAndIncludesTheRateInItsMomentum) {
  const double v1 = 0.1 * 0.25, v2 = 0.9 * v1 + 0.1 * 0.09, a1 = 0.05, a2 = 0.9 * a1 - 0.03;
  const double b1 = 0.1 * 0.5 / std::sqrt(v1 - a1 * a1 + 0.01);
  const double b2 = 0.8 * b1 - 0.02 * 0.3 / std::sqrt(v2 - a2 * a2 + 0.01);
  const PiecewiseConstantDecay rate{.boundaries = {0}, .values = {0.1, 0.02}};
  expect_path(RMSprop{.learning_rate = rate, .momentum = 0.8, .epsilon = 0.01, .centered = true}, {0.5, -0.3},
              {1 - b1, 1 - b1 - b2});
}

TEST(RMSprop, StaysFiniteIfTheVarianceRoundsBelowZero) {
  for (const double g : {1.0 / 3, 1000.1, 1e6}) {
    const std::vector<Real> x = path(RMSprop{.centered = true}, std::vector<double>(300, g));
    for (const Real value : x) ASSERT_TRUE(std::isfinite(value)) << g;
  }
}

TEST(Adagrad, StartsAtItsInitialValueAndAddsEpsilonInsideTheRoot) {
  const double w1 = 1 - 0.1 * 0.5 / std::sqrt(0.1 + 0.25 + 0.01);
  const double w2 = w1 + 0.1 * 0.3 / std::sqrt(0.1 + 0.25 + 0.09 + 0.01);
  expect_path(Adagrad{.learning_rate = 0.1, .epsilon = 0.01}, {0.5, -0.3}, {w1, w2});
}

TEST(Lion, StepsByTheRateInTheDirectionOfTheSign) {
  // The second gradient is too small to reverse the direction: .9 * .1 - .1 * .1 > 0. The third, 0, keeps it.
  expect_path(Lion{.learning_rate = 0.1, .beta_2 = 0.8}, {0.5, -0.1, 0, -9}, {0.9, 0.8, 0.7, 0.8});
  expect_path(Lion{.learning_rate = 0.1}, {0}, {1});
}

/// Three steps of two numbers, against the formula in double.
TEST(Lamb, ScalesTheStepToTheNormOfTheParameter) {
  Parameter x = parameter({3, -4});
  Optimizer optimizer(Lamb{.learning_rate = 0.1, .beta_1 = 0.8, .beta_2 = 0.9, .epsilon = 1e-3}, {{"x", &x}});
  double w[] = {3, -4}, m[] = {0, 0}, v[] = {0, 0}, u[] = {0, 0};
  int t = 0;
  for (const auto& [first, second] : {std::pair{0.5, 2.0}, {-0.3, 0.1}, {0.0, -7.0}}) {
    const double g[] = {first, second};
    ++t;
    for (int i = 0; i < 2; ++i) {
      m[i] = 0.8 * m[i] + 0.2 * g[i];
      v[i] = 0.9 * v[i] + 0.1 * g[i] * g[i];
      u[i] = m[i] / (1 - std::pow(0.8, t)) / (std::sqrt(v[i] / (1 - std::pow(0.9, t))) + 1e-3);
    }
    const double ratio = std::hypot(w[0], w[1]) / std::hypot(u[0], u[1]);
    for (int i = 0; i < 2; ++i) w[i] -= 0.1 * ratio * u[i];
    step(optimizer, x, Tensor::vector({static_cast<Real>(first), static_cast<Real>(second)}));
    for (int i = 0; i < 2; ++i) {
      EXPECT_NEAR(static_cast<double>(x.value[i]), w[i],
                  64 * static_cast<double>(std::numeric_limits<Real>::epsilon()));
    }
  }
  // The first step moves by a tenth of the norm. A parameter of 0 moves by the rate, and one with a gradient of 0
  // stays.
  expect_path(Lamb{.learning_rate = 0.1}, {7}, {0.9});
  Parameter zero = parameter({0});
  Optimizer of_zero(Lamb{.learning_rate = 0.1, .epsilon = 0}, {{"x", &zero}});
  step(of_zero, zero, Tensor::vector({-3}));
  EXPECT_NEAR(static_cast<double>(zero.value[0]), 0.1, 1e-6);
  expect_path(Lamb{.learning_rate = 0.1}, {0}, {1});
}

/// Each rule, by name, with some of its options.
std::vector<std::pair<const char*, AnyOptimizer>> rules(const LearningRate& rate) {
  return {
      {"SGD", SGD{.learning_rate = rate}},
      {"SGD, momentum", SGD{.learning_rate = rate, .momentum = 0.9}},
      {"Adam", Adam{.learning_rate = rate}},
      {"Adam, amsgrad", Adam{.learning_rate = rate, .amsgrad = true}},
      {"AdamW", AdamW{.learning_rate = rate, .weight_decay = 1e-6}},
      {"Nadam", Nadam{.learning_rate = rate}},
      {"RMSprop", RMSprop{.learning_rate = rate}},
      {"RMSprop, momentum", RMSprop{.learning_rate = rate, .momentum = 0.5}},
      {"RMSprop, centered", RMSprop{.learning_rate = rate, .centered = true}},
      {"RMSprop, both", RMSprop{.learning_rate = rate, .momentum = 0.5, .centered = true}},
      {"Adagrad", Adagrad{.learning_rate = 10}},
      {"Lamb", Lamb{.learning_rate = rate}},
      {"Lion", Lion{.learning_rate = rate}},
  };
}

TEST(EveryRule, FindsTheMinimumOfAQuadratic) {
  const Tensor minimum = Tensor::vector({1, 2}), weights = Tensor::vector({1, 0.5});
  for (const auto& [name, rule] : rules(CosineDecay{.initial_learning_rate = 0.1, .decay_steps = 1000})) {
    SCOPED_TRACE(name);
    Parameter x = parameter({5, -3});
    Optimizer optimizer(rule, {{"x", &x}});
    Tape tape;
    for (int i = 0; i < 1000; ++i) {
      tape.clear();
      optimizer.step(tape.backward(sum(square(tape.parameter(x) - tape.input(minimum)) * tape.input(weights))));
    }
    EXPECT_NEAR(x.value[0], 1, 1e-3);
    EXPECT_NEAR(x.value[1], 2, 1e-3);
  }
}

TEST(EveryRule, ResumesFromSavedState) {
  constexpr Index n = 21;
  const ExponentialDecay rate{.initial_learning_rate = 0.1, .decay_steps = 10, .decay_rate = 0.9};
  const auto train = [](Optimizer& optimizer, const Parameter& x, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t i = first; i < last; ++i) step(optimizer, x, testing::normal({n}, 100 + i));
  };
  for (const auto& [name, rule] : rules(rate)) {
    SCOPED_TRACE(name);
    Parameter x{testing::normal({n}, 1)};
    Optimizer whole(rule, {{"x", &x}});
    train(whole, x, 0, 20);

    Parameter kept = x;
    Optimizer again(rule, {{"kept", &kept}});
    ASSERT_EQ(again.state().size(), whole.state().size());
    std::copy(whole.state().begin(), whole.state().end(), again.state().begin());
    again.set_iterations(whole.iterations());

    train(whole, x, 20, 40);
    train(again, kept, 20, 40);
    EXPECT_EQ(kept.value, x.value);
  }
}

TEST(EveryRule, PropagatesNaN) {
  for (const auto& [name, rule] : rules(0.1)) {
    SCOPED_TRACE(name);
    Parameter x = parameter({1, 1});
    Optimizer optimizer(rule, {{"x", &x}});
    step(optimizer, x, Tensor::vector({testing::nan, 1}));
    EXPECT_TRUE(std::isnan(x.value[0]));
    EXPECT_TRUE(std::isfinite(x.value[1]));
  }
}

TEST(EveryRule, AllocatesNothingInAWarmStep) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const Tensor x = testing::normal({8, 5}, 1), y = testing::normal({8, 3}, 2);
  for (const auto& [name, rule] : rules(0.01)) {
    SCOPED_TRACE(name);
    Parameter kernel{testing::normal({5, 3}, 3)}, bias{Tensor({3})};
    Optimizer optimizer(rule, {{"kernel", &kernel}, {"bias", &bias}});
    Tape tape;
    const auto train = [&] {
      tape.clear();
      optimizer.step(tape.backward(mean(square(affine(tape.input(x), kernel, bias) - tape.input(y)))));
    };
    EXPECT_EQ(testing::allocations_of(train, {.warm_up = 2, .counted = 3}), 0);
  }
}

TEST(EveryRule, HasKerasDefaults) {
  EXPECT_EQ(Adam{}.learning_rate.at(0), 0.001);
  EXPECT_EQ(std::pair(Adam{}.beta_1, Adam{}.beta_2), std::pair(0.9, 0.999));
  EXPECT_EQ(std::pair(Adam{}.epsilon, Adam{}.weight_decay), std::pair(1e-7, 0.0));
  EXPECT_EQ(std::pair(AdamW{}.epsilon, AdamW{}.weight_decay), std::pair(1e-7, 0.004));
  EXPECT_EQ(std::pair(AdamW{}.beta_1, AdamW{}.beta_2), std::pair(0.9, 0.999));
  EXPECT_EQ(std::pair(Nadam{}.learning_rate.at(0), Nadam{}.epsilon), std::pair(0.001, 1e-7));
  EXPECT_EQ(std::pair(Nadam{}.beta_1, Nadam{}.beta_2), std::pair(0.9, 0.999));
  EXPECT_EQ(std::pair(RMSprop{}.learning_rate.at(0), RMSprop{}.rho), std::pair(0.001, 0.9));
  EXPECT_EQ(std::pair(RMSprop{}.momentum, RMSprop{}.epsilon), std::pair(0.0, 1e-7));
  EXPECT_EQ(std::pair(Adagrad{}.learning_rate.at(0), Adagrad{}.epsilon), std::pair(0.001, 1e-7));
  EXPECT_EQ(Adagrad{}.initial_accumulator_value, 0.1);
  EXPECT_EQ(Lamb{}.learning_rate.at(0), 0.001);
  EXPECT_EQ(std::pair(Lamb{}.beta_1, Lamb{}.beta_2), std::pair(0.9, 0.999));
  EXPECT_EQ(std::pair(Lamb{}.epsilon, Lamb{}.weight_decay), std::pair(1e-7, 0.0));
  EXPECT_EQ(Lion{}.learning_rate.at(0), 0.001);
  EXPECT_EQ(std::pair(Lion{}.beta_1, Lion{}.beta_2), std::pair(0.9, 0.99));
}

TEST(EveryRule, RejectsOptionsOutOfRange) {
  const auto expect_option_error = [](auto rule, std::string_view text) {
    expect_error<ValueError>([&] { AnyOptimizer optimizer(rule); }, text);
  };
  expect_option_error(Adam{.beta_1 = 1}, "Adam: beta_1 is 1; it must be in [0, 1)");
  expect_option_error(Adam{.beta_2 = -0.5}, "Adam: beta_2 is -0.5; it must be in [0, 1)");
  expect_option_error(Adam{.epsilon = -1}, "Adam: epsilon is -1; it must not be negative");
  expect_option_error(AdamW{.beta_2 = 1}, "AdamW: beta_2 is 1; it must be in [0, 1)");
  expect_option_error(Nadam{.beta_1 = 2}, "Nadam: beta_1 is 2; it must be in [0, 1)");
  expect_option_error(Nadam{.beta_2 = 1}, "Nadam: beta_2 is 1; it must be in [0, 1)");
  expect_option_error(Nadam{.epsilon = -1}, "Nadam: epsilon is -1; it must not be negative");
  expect_option_error(RMSprop{.rho = 1}, "RMSprop: rho is 1; it must be in [0, 1)");
  expect_option_error(RMSprop{.momentum = -1}, "RMSprop: momentum is -1; it must be in [0, 1)");
  expect_option_error(RMSprop{.epsilon = -1}, "RMSprop: epsilon is -1; it must not be negative");
  expect_option_error(Adagrad{.initial_accumulator_value = -1},
                      "Adagrad: initial_accumulator_value is -1; it must not be negative");
  expect_option_error(Adagrad{.epsilon = -1}, "Adagrad: epsilon is -1; it must not be negative");
  expect_option_error(Lamb{.beta_1 = 1}, "Lamb: beta_1 is 1; it must be in [0, 1)");
  expect_option_error(Lamb{.beta_2 = -1}, "Lamb: beta_2 is -1; it must be in [0, 1)");
  expect_option_error(Lamb{.epsilon = -1}, "Lamb: epsilon is -1; it must not be negative");
  expect_option_error(Lion{.beta_1 = 0}, "Lion: beta_1 is 0; it must be in (0, 1]");
  expect_option_error(Lion{.beta_2 = 1}, "Lion: beta_2 is 1; it must be in [0, 1)");
}

}  // namespace
}  // namespace cornu
