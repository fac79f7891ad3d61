#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/ops/sequences.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/gradient_sum.h"
#include "cornu/optim/sgd.h"
#include "cornu/optim/shared_step.h"
#include "cornu/tests/optim/stepping.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/expect_error.h"

// Deferred products whose operands are changed by the step: minimize gives the same weights as step(backward(loss)).

namespace cornu {
namespace {

using testing::expect_close;
using testing::expect_error;
using testing::normal;

TEST(DeferredProducts, OfTwoParametersUseTheValuesBeforeTheStep) {
  Parameter a{Tensor::matrix({{2}})}, b{Tensor::matrix({{3}})};
  Optimizer optimizer(SGD{.learning_rate = 0.1}, {{"a", &a}, {"b", &b}});
  Tape tape;
  optimizer.minimize(sum(matmul(tape.parameter(a), b)));
  expect_close(a.value, {1.7L});
  expect_close(b.value, {2.8L});  // 3 - 0.1 * 2, with the value of a before the step
}

TEST(DeferredProducts, OfAParameterWithItselfAreCorrect) {
  const Tensor w0 = Tensor::matrix({{1, 2}, {3, 4}});
  const std::vector<std::pair<std::function<Var(Tape&, const Parameter&)>, Tensor>> cases{
      // The gradient of sum(w w) is c 1^T + 1 r^T, with the row sums r and the column sums c of w.
      {[](Tape& tape, const Parameter& w) { return matmul(tape.parameter(w), w); },
       Tensor::matrix({{0.3, 0.9}, {2.1, 2.7}})},
      // The gradient of sum(w^T w) is 2 r 1^T, that of sum(w w^T) is 2 1 c^T.
      {[](Tape& tape, const Parameter& w) { return matmul(tape.parameter(w), w, {.transpose_a = true}); },
       Tensor::matrix({{0.4, 1.4}, {1.6, 2.6}})},
      {[](Tape& tape, const Parameter& w) { return matmul(transpose(tape.parameter(w)), w); },
       Tensor::matrix({{0.4, 1.4}, {1.6, 2.6}})},
      {[](Tape& tape, const Parameter& w) {
         return matmul(reshape(tape.parameter(w), {2, 2}), w);
       },
       Tensor::matrix({{0.3, 0.9}, {2.1, 2.7}})},
      // The first factor is data, so only the second has a gradient: c 1^T.
      {[](Tape& tape, const Parameter& w) { return matmul(tape.input(w.value), w); },
       Tensor::matrix({{0.6, 1.6}, {2.4, 3.4}})},
      // The first factor is data that shares a part of the parameter's memory.
      {[](Tape& tape, const Parameter& w) {
         return matmul(tape.input({w.value.data() + 1, Shape{1, 2}}), w);
       },
       Tensor::matrix({{0.8, 1.8}, {2.7, 3.7}})},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    Parameter w{w0};
    Optimizer optimizer(SGD{.learning_rate = 0.1}, {{"w", &w}});
    Tape tape;
    optimizer.minimize(sum(cases[i].first(tape, w)));
    for (Index k = 0; k < 4; ++k) expect_close(w.value[k], static_cast<long double>(cases[i].second[k]));
  }
}

/// Expects the same weights after `minimize` as after step(backward(loss)).
template <class Loss>
void expect_same_step(const AnyOptimizer& rule, const std::vector<Tensor>& weights, Loss loss) {
  std::vector<Parameter> a, b;
  NamedParameters of_a, of_b;
  for (const Tensor& w : weights) {
    a.push_back({w});
    b.push_back({w});
  }
  for (std::size_t i = 0; i < weights.size(); ++i) {
    of_a.push_back({"p", &a[i]});
    of_b.push_back({"p", &b[i]});
  }
  Optimizer minimizing(rule, of_a), stepping(rule, of_b);
  Tape tape, other;
  minimizing.minimize(loss(tape, a));
  stepping.step(other.backward(loss(other, b)));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    for (Index k = 0; k < weights[i].size(); ++k) {
      ASSERT_NEAR(a[i].value[k], b[i].value[k], sizeof(Real) == 4 ? 1e-4 : 1e-12) << "parameter " << i;
    }
  }
}

TEST(DeferredProducts, AreCorrectInGraphsThatReadWeightsTwice) {
  const std::vector<AnyOptimizer> rules{SGD{.learning_rate = 0.1}, SGD{.learning_rate = 0.1, .momentum = 0.9},
                                        Adam{.learning_rate = 0.1, .epsilon = 0.1}};
  const Tensor x = normal({8, 6}, 1);
  for (const AnyOptimizer& rule : rules) {
    // W^T W of a large matrix, whose rows are updated in blocks.
    expect_same_step(rule, {normal({256, 256}, 2)}, [](Tape& tape, const std::vector<Parameter>& p) {
      return mean(square(matmul(tape.parameter(p[0]), p[0], {.transpose_a = true}))) * Real(0.01);
    });
    // A low-rank layer.
    expect_same_step(rule, {normal({6, 2}, 3), normal({2, 6}, 4)}, [&](Tape& tape, const std::vector<Parameter>& p) {
      return mean(square(matmul(tape.input(x), matmul(tape.parameter(p[0]), p[1]))));
    });
    // A trainable input of a dense layer, and of a recurrent layer whose two kernels are one parameter.
    expect_same_step(rule, {normal({5, 6}, 5), normal({6, 3}, 6), normal({3}, 7)},
                     [](Tape& tape, const std::vector<Parameter>& p) {
                       return mean(square(affine(tape.parameter(p[0]), p[1], p[2])));
                     });
    expect_same_step(rule, {normal({2, 4, 3}, 8), normal({3, 12}, 9)}, [](Tape& tape, const std::vector<Parameter>& p) {
      return mean(square(lstm(tape.parameter(p[0]), p[1], p[1])));
    });
  }
}

TEST(DeferredProducts, AreCorrectIfAnotherShardChangesTheirFactor) {
  for (const Index threads : {1, 2}) {
    Parameter a{Tensor::matrix({{2}})}, b{Tensor::matrix({{3}})};
    Optimizer optimizer(SGD{.learning_rate = 0.1}, {{"a", &a}, {"b", &b}});
    Tape first, second;
    // The second tape does not know that its input is a parameter.
    const Gradients parts[] = {
        first.backward(sum(first.parameter(a) * 5), {.defer_products = true, .parameters = optimizer.parameters()}),
        second.backward(sum(matmul(second.input(a.value), b)),
                        {.defer_products = true, .parameters = optimizer.parameters()})};
    detail::Team team(threads);
    detail::step(optimizer, parts, &team);
    expect_close(a.value, {1.5L});
    expect_close(b.value, {2.8L});
  }
}

TEST(DeferredProducts, OfAParameterWithItselfAreCorrectWithThreads) {
  const Tensor w0 = normal({64, 64}, 1);
  for (const AnyOptimizer& rule : {AnyOptimizer(SGD{.learning_rate = 0.01}), AnyOptimizer(Adam{.epsilon = 0.1})}) {
    Parameter whole{w0}, shared{w0};
    Optimizer by_one(rule, {{"w", &whole}}), by_parts(rule, {{"w", &shared}});
    const auto loss = [](Tape& tape, const Parameter& w) {
      return mean(square(matmul(matmul(tape.parameter(w), w, {.transpose_a = true}), w)));
    };
    Tape tape;
    by_one.step(tape.backward(loss(tape, whole)));
    std::vector<Tape> tapes(3);
    std::vector<Gradients> parts;
    for (Tape& each : tapes) {
      parts.push_back(each.backward(loss(each, shared), {.gradient = Real(1) / 3, .defer_products = true}));
    }
    detail::Team team(2);
    detail::step(by_parts, parts, &team);
    for (Index k = 0; k < w0.size(); ++k) {
      ASSERT_NEAR(shared.value[k], whole.value[k], sizeof(Real) == 4 ? 1e-4 : 1e-12);
    }
  }
}

/// x times w, where w is viewed as a matrix with the given number of columns: an op as a user may write it.
Var product_with(Var x, Var w, Index columns) {
  const Index rows = w.size() / columns, batch = x.shape()[0];
  const MatrixView factor(w.value().data(), rows, columns);
  Var y = x.tape().output({batch, columns}, {x, w});
  gemm(x.value(), factor, overwrite(y.out()));
  return y.backward([=] { w.add_product(transposed(MatrixView(x.value())), y.grad()); });
}

TEST(DeferredProducts, MayHaveAnotherNumberOfRowsThanTheirParameter) {
  const Tensor of_rows = normal({3, 2}, 1), of_pairs = normal({3, 6}, 2);
  for (const AnyOptimizer& rule : {AnyOptimizer(SGD{.learning_rate = 0.1}), AnyOptimizer(Adam{.epsilon = 0.1})}) {
    expect_same_step(rule, {normal({2, 3, 4}, 3)}, [&](Tape& tape, const std::vector<Parameter>& p) {
      const Var w = tape.parameter(p[0]);
      return mean(square(product_with(tape.input(of_rows), w, 12))) +
             mean(square(product_with(tape.input(of_pairs), w, 4)));
    });
  }
}

TEST(DeferredProducts, AreRejectedIfTheirSizeIsWrong) {
  const Parameter w{normal({2, 3}, 1)};
  const Tensor a = normal({2, 4}, 2), b = normal({4, 2}, 3);
  Tape tape;
  const Var x = tape.parameter(w);
  const Var y = tape.output({}, {x}).backward([=, av = a.view(), bv = b.view()] { x.add_product(av, bv); });
  expect_error<ShapeError>([&] { tape.backward(y); },
                           "add_product: (2, 4) times (4, 2) for a gradient of shape (2, 3)");
}

TEST(DeferredProducts, AreSummedLikeGradients) {
  const Parameter w{normal({2, 3}, 1)};
  const Tensor x = normal({4, 2}, 2);
  GradientSum total, expected;
  for (const bool put_off : {true, false}) {
    Tape tape;
    const Gradients gradients = tape.backward(sum(matmul(tape.input(x), w)), {.defer_products = put_off});
    (put_off ? total : expected).add(gradients);
  }
  const Gradients sums = total.gradients(), made = expected.gradients();
  for (Index i = 0; i < w.value.size(); ++i) expect_close(sums[w][i], made[w][i]);
}

TEST(RecordedUpdates, UseTheValueThatAParameterHadInThePass) {
  Parameter online = testing::parameter({1, 2}), target{Tensor::vector({5, 6}), false},
            other{Tensor::vector({7, 8}), false};
  for (const bool put_off : {false, true}) {
    online.value = Tensor::vector({1, 2});
    target.value = Tensor::vector({5, 6});
    other.value = Tensor::vector({7, 8});
    Optimizer optimizer(SGD{.learning_rate = 0.1}, {{"online", &online}, {"target", &target}, {"other", &other}});
    Tape tape;
    const Var w = tape.parameter(online);
    tape.record_update(target, w);                        // w is changed by its gradient
    tape.record_update(other, tape.input(target.value));  // target is changed by the other update
    put_off ? optimizer.minimize(sum(w)) : optimizer.step(tape.backward(sum(w)));
    expect_close(online.value, {0.9L, 1.9L});
    EXPECT_EQ(target.value, Tensor::vector({1, 2}));
    EXPECT_EQ(other.value, Tensor::vector({5, 6}));
  }
}

TEST(RecordedUpdates, CanSwapTwoParameters) {
  Parameter p = testing::parameter({1, 2}), q = testing::parameter({3, 4});
  Optimizer optimizer(SGD{.learning_rate = 0.1}, {{"p", &p}, {"q", &q}});
  Tape tape;
  tape.record_update(p, tape.parameter(q));
  tape.record_update(q, reshape(tape.parameter(p), {2}));
  optimizer.minimize(sum(tape.parameter(p) * tape.parameter(q)));
  EXPECT_EQ(p.value, Tensor::vector({3, 4}));
  EXPECT_EQ(q.value, Tensor::vector({1, 2}));
}

TEST(RecordedUpdates, OfSummedPassesAreApplied) {
  Parameter w = testing::parameter({1}), steps{Tensor::vector({5}), false};
  Optimizer optimizer(SGD{.learning_rate = 1}, {{"w", &w}, {"steps", &steps}});
  GradientSum total;
  Tape tape;
  for (int step = 0; step < 2; ++step) {
    total.clear();
    for (int pass = 0; pass < 3; ++pass) {
      tape.clear();
      tape.record_update(steps, tape.parameter(steps) + 1);
      total.add(tape.backward(sum(tape.parameter(w))));
    }
    optimizer.step(total.gradients());
  }
  EXPECT_EQ(w.value, Tensor::vector({-5}));
  EXPECT_EQ(steps.value, Tensor::vector({7}));
}

}  // namespace
}  // namespace cornu
