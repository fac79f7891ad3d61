#include "cornu/optim/gradient_sum.h"

#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/optim/sgd.h"
#include "cornu/optim/shared_step.h"
#include "cornu/tests/optim/stepping.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"

// Gradients of several passes: sums, deferred products, steps with several parts and threads.

namespace cornu {
namespace {

using testing::expect_error;
using testing::normal;
using testing::parameter;

void expect_near(const Tensor& a, const Tensor& b, double relative) {
  ASSERT_EQ(a.shape(), b.shape());
  for (Index i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], relative * (1 + std::abs(static_cast<double>(b[i]))));
}

constexpr double sum_rounding = sizeof(Real) == 4 ? 1e-5 : 1e-13;

TEST(GradientSum, SumsPassesAndStartsOverAfterClear) {
  const Parameter x = parameter({0, 0}), y = parameter({0});
  const Tensor gx = Tensor::vector({1, 2}), gy = Tensor::vector({5});
  Tape tape;
  GradientSum total;
  for (int round = 0; round < 2; ++round) {
    total.clear();
    EXPECT_TRUE(total.gradients().entries().empty());
    tape.clear();
    total.add(tape.backward(sum(tape.parameter(x) * tape.input(gx))));
    tape.clear();
    total.add(tape.backward(sum(tape.parameter(x) * tape.input(gx)) + sum(tape.parameter(y) * tape.input(gy))));
    const Gradients gradients = total.gradients();
    EXPECT_EQ(Tensor(gradients[x]), Tensor::vector({2, 4}));
    EXPECT_EQ(Tensor(gradients[y]), gy);
  }
}

TEST(GradientSum, ComputesDeferredProducts) {
  const Index rows = 70, columns = 30;
  Parameter w{.value = normal({rows, columns}, 1)};
  const Tensor x = normal({9, rows}, 2), y = normal({5, rows}, 3);
  const auto sum_of = [&](bool put_off, detail::Team* team) {
    Tape first, second;
    const auto gradients = [&](Tape& tape, const Tensor& samples) {
      return tape.backward(sum(square(matmul(tape.input(samples), tape.parameter(w)))), {.defer_products = put_off});
    };
    const std::vector<Gradients> passes{gradients(first, x), gradients(second, y)};
    GradientSum total;
    total.add(passes, team);
    return Tensor(total.gradients()[w]);
  };
  detail::Team team(3);
  const Tensor put_off = sum_of(true, nullptr);
  expect_near(put_off, sum_of(false, nullptr), sum_rounding * 100);
  EXPECT_EQ(sum_of(true, &team), put_off);
}

TEST(GradientSum, KeepsTheUpdatesOfTheLastPass) {
  const Parameter x = parameter({2, 3}), state{.value = Tensor(Shape{1}), .trainable = false};
  Tape tape;
  GradientSum total;
  for (const Real value : {Real{1}, Real{2}}) {
    tape.clear();
    tape.record_update(state, tape.constant(Tensor::vector({value})));
    total.add(tape.backward(sum(tape.parameter(x))));
  }
  ASSERT_EQ(total.gradients().updates().size(), 1u);
  EXPECT_EQ(Tensor(total.gradients().updates()[0].value), Tensor::vector({2}));
  total.clear();
  EXPECT_TRUE(total.gradients().updates().empty());
}

TEST(GradientSum, RejectsAGradientOfAnotherShape) {
  Parameter x = parameter({0, 0});
  GradientSum total;
  Tape tape;
  total.add(tape.backward(sum(tape.parameter(x) * 2)));
  x.value = Tensor({3});
  tape.clear();
  expect_error<StateError>(
      [&] { total.add(tape.backward(sum(tape.parameter(x) * 2))); },
      "GradientSum: gradient of shape (3,) for a parameter whose earlier gradients have shape (2,)");
}

/// A layer that is used twice, and a weight that has a second gradient in addition to its deferred product.
struct Net {
  Parameter w{normal({6, 6}, 1)}, b{normal({6}, 2)}, v{normal({6, 3}, 3)};

  Var loss(Tape& tape, ConstView x) const {
    Var h = tanh(affine(tape.input(x), w, b));
    h = tanh(affine(h, w, b));
    return mean(square(matmul(h, v))) + mean(square(tape.parameter(v)));
  }
  NamedParameters parameters() { return {{"w", &w}, {"b", &b}, {"v", &v}}; }
};

const std::vector<AnyOptimizer> sgd_rules{SGD{.learning_rate = 0.1},
                                          SGD{.learning_rate = 0.1, .momentum = 0.9, .nesterov = true},
                                          SGD{.learning_rate = 0.1, .weight_decay = 0.1},
                                          SGD{.learning_rate = 0.1, .clipvalue = 0.01},
                                          SGD{.learning_rate = 0.1, .clipnorm = 0.01},
                                          SGD{.learning_rate = 0.1, .global_clipnorm = 0.01}};

TEST(Minimize, EqualsABackwardPassAndAStep) {
  const Tensor x = normal({40, 6}, 4);
  for (const AnyOptimizer& rule : sgd_rules) {
    Net a, b;
    Optimizer minimizing(rule, a.parameters()), stepping(rule, b.parameters());
    for (int i = 0; i < 3; ++i) {
      Tape tape;
      minimizing.minimize(a.loss(tape, x));
      tape.clear();
      stepping.step(tape.backward(b.loss(tape, x)));
    }
    expect_near(a.w.value, b.w.value, sum_rounding);
    expect_near(a.b.value, b.b.value, sum_rounding);
    expect_near(a.v.value, b.v.value, sum_rounding);
    EXPECT_EQ(minimizing.iterations(), 3);
  }
}

TEST(Minimize, LeavesFrozenAndForeignParametersUnchanged) {
  const Tensor x = normal({5, 6}, 4);
  Net net;
  const Net before = net;
  net.w.trainable = false;
  Optimizer optimizer(SGD{.learning_rate = 0.1}, {{"w", &net.w}, {"b", &net.b}});
  Tape tape;
  optimizer.minimize(net.loss(tape, x));
  EXPECT_EQ(net.w.value, before.w.value);
  EXPECT_EQ(net.v.value, before.v.value);
  EXPECT_NE(net.b.value, before.b.value);
}

TEST(DeferredProducts, CannotBeReadAsGradients) {
  const Tensor x = normal({5, 6}, 4);
  const Net net;
  Tape tape;
  const Gradients gradients = tape.backward(net.loss(tape, x), {.defer_products = true});
  expect_error<StateError>([&] { static_cast<void>(gradients[net.w]); },
                           "Gradients: this gradient has deferred products and has not been summed");
  const Gradients again = tape.backward(net.loss(tape, x));  // a later backward pass is not affected
  EXPECT_EQ(again[net.w].shape(), net.w.shape());
}

/// The weights after three steps, each with `count` passes over a part of the rows.
Net trained_in_parts(const AnyOptimizer& rule, Index count, Index threads, bool put_off) {
  constexpr Index samples = 40;
  const Tensor x = normal({samples, 6}, 4);
  Net net;
  Optimizer optimizer(rule, net.parameters());
  detail::Team team(threads);
  std::vector<Tape> tapes(static_cast<std::size_t>(count));
  for (int i = 0; i < 3; ++i) {
    std::vector<Gradients> parts;
    for (Index part = 0; part < count; ++part) {
      const Index rows = samples / count;
      Tape& tape = tapes[static_cast<std::size_t>(part)];
      tape.clear();
      const Var loss = net.loss(tape, ConstView(x.data() + part * rows * 6, Shape{rows, 6}));
      parts.push_back(tape.backward(loss, {.gradient = Real(1) / static_cast<Real>(count), .defer_products = put_off}));
    }
    detail::step(optimizer, parts, &team);
  }
  return net;
}

TEST(OptimizerParts, GiveTheSameBitsForAnyTeam) {
  for (const AnyOptimizer& rule : sgd_rules) {
    for (const bool put_off : {false, true}) {
      for (const Index count : {2, 5, 8}) {
        const Net one = trained_in_parts(rule, count, 1, put_off);
        for (const Index threads : {2, 3}) {
          const Net several = trained_in_parts(rule, count, threads, put_off);
          EXPECT_EQ(one.w.value, several.w.value);
          EXPECT_EQ(one.b.value, several.b.value);
          EXPECT_EQ(one.v.value, several.v.value);
        }
      }
    }
  }
}

TEST(OptimizerParts, SumToTheWholeBatch) {
  for (const AnyOptimizer& rule : sgd_rules) {
    const Net whole = trained_in_parts(rule, 1, 1, false);
    for (const bool put_off : {false, true}) {
      const Net parts = trained_in_parts(rule, 4, 2, put_off);
      expect_near(parts.w.value, whole.w.value, 10 * sum_rounding);
      expect_near(parts.b.value, whole.b.value, 10 * sum_rounding);
      expect_near(parts.v.value, whole.v.value, 10 * sum_rounding);
    }
  }
}

}  // namespace
}  // namespace cornu
