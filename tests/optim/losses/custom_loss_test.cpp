#include <gtest/gtest.h>

#include <optional>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::differentiate;
using testing::expect_close;
using testing::expect_error;

Var mean_absolute_error(Var p, Var y) { return mean(abs(p - y)); }
Var absolute_errors(Var p, Var y) { return mean(abs(p - y), -1); }

const Tensor three_predictions = Tensor::matrix({{1, 2}, {3, 5}, {0, 1}});
const Tensor three_targets = Tensor::matrix({{0, 2}, {5, 4}, {0, 0}});

TEST(CustomLoss, MayReturnAScalar) {
  const AnyLoss loss = mean_absolute_error;
  const auto [value, gradient] = differentiate([&](Var p) { return loss(p, three_targets); }, three_predictions);
  expect_close(value, 5 / 6.0L);
  expect_close(gradient, {1 / 6.0L, 0, -1 / 6.0L, 1 / 6.0L, 0, 1 / 6.0L});
}

TEST(CustomLoss, MayReturnALossPerSample) {
  const AnyLoss loss = absolute_errors;
  const auto [value, gradient] = differentiate([&](Var p) { return loss(p, three_targets); }, three_predictions);
  expect_close(value, 5 / 6.0L);
  expect_close(gradient, {1 / 6.0L, 0, -1 / 6.0L, 1 / 6.0L, 0, 1 / 6.0L});
}

TEST(CustomLoss, IsWeightedIfItReturnsALossPerSample) {
  const AnyLoss loss = absolute_errors;
  for (const Tensor& weights : {Tensor({3}, {2, 0, 1}), Tensor({3, 1}, {2, 0, 1})}) {
    const auto [value, gradient] =
        differentiate([&](Var p) { return loss(p, three_targets, weights); }, three_predictions);
    expect_close(value, (2 * 0.5L + 0.5L) / 3);
    expect_close(gradient, {2 / 6.0L, 0, 0, 0, 0, 1 / 6.0L});
  }
}

TEST(CustomLoss, IsWeightedOnEveryAxisOfASample) {
  const AnyLoss loss = [](Var p, Var y) { return square(p - y); };
  const Tensor weights = Tensor::vector({2, 0, 0.5});
  Tape tape;
  expect_close(loss(tape.input(three_predictions), three_targets, weights).item(), (2 * 1 + 0.5L) / 6);
}

TEST(CustomLoss, ThatReturnsAScalarCannotBeWeighted) {
  const AnyLoss loss = mean_absolute_error;
  const Tensor weights({3});
  Tape tape;
  expect_error<ShapeError>(
      [&] { loss(tape.input(three_predictions), three_targets, weights); },
      "loss: sample weights are (3,) but the loss returns a scalar; a weighted loss must return one loss for "
      "each sample");
  const AnyLoss per_sample = absolute_errors;
  const Tensor two({2});
  expect_error<ShapeError>([&] { per_sample(tape.input(three_predictions), three_targets, two); },
                           "loss: sample weights are (2,) and losses (3,); one weight for each sample or for each loss "
                           "is required");
}

TEST(CustomLoss, GetsTheTargetInTheShapeOfThePredictions) {
  const Tensor column({3, 1}, {1, 2, 4}), flat({3}, {1, 1, 1}), weights = Tensor::vector({1, 0, 2});
  const AnyLoss loss = [](Var p, Var y) {
    EXPECT_EQ(p.shape(), y.shape());
    return square(p - y);
  };
  Tape tape;
  expect_close(loss(tape.input(column), flat).item(), 10 / 3.0L);  // broadcasting to (3, 3) would give another value
  expect_close(loss(tape.input(flat), column).item(), 10 / 3.0L);
  expect_close(loss(tape.input(column), flat, weights).item(), 18 / 3.0L);
}

TEST(CustomLoss, GetsAnyOtherTargetUnchanged) {
  const Tensor labels = Tensor::vector({0, 1, 1}), row({1, 2});
  std::optional<Shape> seen;
  const AnyLoss loss = [&seen](Var p, Var y) {
    seen = y.shape();
    return mean(p);
  };
  Tape tape;
  loss(tape.input(three_predictions), labels);
  EXPECT_EQ(seen, Shape{3});
  loss(tape.input(three_predictions), row);
  EXPECT_EQ(seen, (Shape{1, 2}));
}

struct Scaled {
  double factor = 1;
  Var operator()(Var p, ConstView y, ConstView weights) const { return mean_squared_error(p, y, {weights}) * factor; }
};

TEST(AnyLoss, HoldsALossThatAppliesTheWeightsItself) {
  const AnyLoss loss = Scaled{.factor = 3};
  const Tensor weights = Tensor::vector({2, 0, 0.5});
  Tape tape;
  expect_close(loss(tape.input(three_predictions), three_targets).item(), 3 * 7 / 6.0L);
  expect_close(loss(tape.input(three_predictions), three_targets, weights).item(), 3 * 2.5L / 6);
}

TEST(AnyLoss, HoldsEveryLoss) {
  const Tensor logits = Tensor::matrix({{3, 4, 1}}), one = Tensor::vector({1}), hot = Tensor::matrix({{0, 1, 0}});
  Tape tape;
  const Var x = tape.input(logits);
  const AnyLoss sparse = SparseCategoricalCrossentropy{.from_logits = true};
  expect_close(sparse(x, one).item(), 0.34901221676818639L);
  const AnyLoss smooth = CategoricalCrossentropy{.from_logits = true, .label_smoothing = 0.1};
  expect_close(smooth(x, hot).item(), 0.48234555010151969L);
  const AnyLoss binary = BinaryCrossentropy{.from_logits = true};
  const Tensor two = Tensor::vector({2});
  expect_close(binary(tape.input(two), one).item(), 0.12692801104297249L);
  const AnyLoss squared = MeanSquaredError{};
  expect_close(squared(x, hot).item(), 19 / 3.0L);
}

/// A user's loss that takes logits.
struct OfLogits : Scaled {
  Logits logits() const { return Logits::softmax; }
};

TEST(AnyLoss, KnowsTheActivationOfItsLogits) {
  EXPECT_EQ(AnyLoss(OfLogits{}).logits(), Logits::softmax);
  EXPECT_EQ(AnyLoss(Scaled{}).logits(), Logits::none);
  EXPECT_EQ(AnyLoss(mean_absolute_error).logits(), Logits::none);
  EXPECT_EQ(AnyLoss(BinaryCrossentropy{}).logits(), Logits::none);
  EXPECT_EQ(AnyLoss(BinaryCrossentropy{.from_logits = true}).logits(), Logits::sigmoid);
  EXPECT_EQ(AnyLoss(BinaryFocalCrossentropy{.from_logits = true}).logits(), Logits::sigmoid);
  EXPECT_EQ(AnyLoss(CategoricalCrossentropy{.from_logits = true}).logits(), Logits::softmax);
  EXPECT_EQ(AnyLoss(SparseCategoricalCrossentropy{.from_logits = true}).logits(), Logits::softmax);
  EXPECT_EQ(AnyLoss(CategoricalFocalCrossentropy{.from_logits = true}).logits(), Logits::softmax);
  EXPECT_EQ(AnyLoss(Hinge{}).logits(), Logits::margin);
}

TEST(AnyLoss, CopiesOutliveTheOriginal) {
  std::optional<AnyLoss> original = Scaled{.factor = 2};
  AnyLoss copy = *original, assigned = MeanSquaredError{};
  assigned = copy;
  original.reset();
  Tape tape;
  expect_close(copy(tape.input(three_predictions), three_targets).item(), 2 * 7 / 6.0L);
  expect_close(assigned(tape.input(three_predictions), three_targets).item(), 2 * 7 / 6.0L);
}

TEST(AnyLoss, CannotHoldOtherTypes) {
  static_assert(!std::is_constructible_v<AnyLoss, int>);
  static_assert(!std::is_constructible_v<AnyLoss, Var (*)(Var)>);
  static_assert(std::is_constructible_v<AnyLoss, Var (*)(Var, Var)>);
  static_assert(std::is_constructible_v<AnyLoss, Var (*)(Var, ConstView, ConstView)>);
}

}  // namespace
}  // namespace cornu
