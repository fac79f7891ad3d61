#include "cornu/optim/sgd.h"

#include <gtest/gtest.h>

#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/optim/stepping.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_close;
using testing::expect_error;
using testing::parameter;
using testing::step;

/// The value of a parameter that starts at 1, after three steps with gradients .5, -.3, .1 and rates .1, .1, .01.
Real after_three_steps(SGD sgd) {
  sgd.learning_rate = PiecewiseConstantDecay{.boundaries = {1}, .values = {0.1, 0.01}};
  Parameter x = parameter({1});
  Optimizer optimizer(sgd, {{"x", &x}});
  for (const double g : {0.5, -0.3, 0.1}) step(optimizer, x, Tensor::vector({static_cast<Real>(g)}));
  return x.value[0];
}

TEST(SGD, WithoutMomentumSubtractsTheScaledGradient) { expect_close(after_three_steps({}), 1 - .05L + .03L - .001L); }

TEST(SGD, WithMomentumIncludesTheRateInTheVelocityAsKerasDoes) {
  expect_close(after_three_steps({.momentum = 0.9}), .9205L);  // .93265 in PyTorch, which keeps the rate out of v
}

TEST(SGD, WithNesterovLooksAheadAsKerasDoes) {
  expect_close(after_three_steps({.momentum = 0.9, .nesterov = true}), .90745L);
}

TEST(SGD, WithNesterovButNoMomentumIsPlain) {
  expect_close(after_three_steps({.nesterov = true}), 1 - .05L + .03L - .001L);
}

TEST(SGD, HasKerasDefaults) {
  const SGD sgd;
  EXPECT_EQ(sgd.learning_rate.at(0), 0.01);
  EXPECT_EQ(sgd.momentum, 0);
  EXPECT_FALSE(sgd.nesterov);
  EXPECT_EQ(sgd.weight_decay, 0);
}

TEST(SGD, TakesHyperparametersFromDoubleVariables) {
  const double rate = 0.25, momentum = 0.5, decay = 0.125;
  const SGD sgd{.learning_rate = rate, .momentum = momentum, .weight_decay = decay};
  EXPECT_EQ(sgd.learning_rate.at(0), 0.25);
}

TEST(SGD, RejectsAMomentumOutOfRange) {
  expect_error<ValueError>([] { AnyOptimizer optimizer(SGD{.momentum = 1.5}); },
                           "SGD: momentum is 1.5; it must be in [0, 1]");
  expect_error<ValueError>([] { AnyOptimizer optimizer(SGD{.momentum = -0.1}); },
                           "SGD: momentum is -0.1; it must be in [0, 1]");
}

/// Reference implementation of Keras's rule, for one element and in long double.
struct Reference {
  long double momentum, decay, limit;
  bool nesterov;
  long double w, v = 0;

  void step(long double g, long double rate) {
    if (limit > 0) g = std::clamp(g, -limit, limit);
    w -= rate * decay * w;
    v = momentum * v - rate * g;
    w += nesterov ? momentum * v - rate * g : v;
  }
};

TEST(SGD, FollowsAReferenceForAHundredSteps) {
  const ExponentialDecay rate{.initial_learning_rate = 0.1, .decay_steps = 30, .decay_rate = 0.5};
  for (const double momentum : {0.0, 0.5, 0.9}) {
    for (const bool nesterov : {false, true}) {
      for (const double decay : {0.0, 0.05}) {
        for (const double limit : {0.0, 1.0}) {
          SCOPED_TRACE(message("momentum {}, nesterov {}, decay {}, limit {}", momentum, nesterov, decay, limit));
          constexpr Index n = 13;  // one or three whole vector registers, and a remainder
          Parameter x{testing::normal({n}, 1)};
          std::vector<Reference> reference;
          for (const Real w : x.value) reference.push_back({momentum, decay, limit, nesterov, w});
          Optimizer optimizer(SGD{.learning_rate = rate,
                                  .momentum = momentum,
                                  .nesterov = nesterov,
                                  .weight_decay = decay,
                                  .clipvalue = limit},
                              {{"x", &x}});
          for (Index i = 0; i < 100; ++i) {
            const Tensor g = testing::normal({n}, 100 + static_cast<std::uint64_t>(i));
            for (Index k = 0; k < n; ++k) reference[static_cast<std::size_t>(k)].step(g[k], rate(i));
            step(optimizer, x, g);
          }
          for (Index k = 0; k < n; ++k) expect_close(x.value[k], reference[static_cast<std::size_t>(k)].w, 50);
        }
      }
    }
  }
}

TEST(SGD, FindsTheMinimumOfAQuadratic) {
  Parameter x = parameter({5, -3});
  const Tensor minimum = Tensor::vector({1, 2});
  Optimizer optimizer(SGD{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true}, {{"x", &x}});
  Tape tape;
  for (int i = 0; i < 500; ++i) {
    tape.clear();
    optimizer.step(tape.backward(sum(square(tape.parameter(x) - tape.input(minimum)))));
  }
  expect_close(x.value, {1, 2});
}

}  // namespace
}  // namespace cornu
