#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "cornu/core/constraint.h"
#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/core/regularizer.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/registered.h"

// Every loss, and every op that divides by a norm or takes a logarithm or a root, at values where the division,
// logarithm or root is undefined or has an infinite slope: results are finite, and gradients no larger than nearby.

namespace cornu {
namespace {

using testing::differentiate;
using testing::expect_close;
using testing::normal;

struct Edge {
  const char* name;
  AnyLoss loss;
  std::vector<Real> predictions, truths;  // tested in all pairs
  double most;                            // limit of the loss and of its gradient
};

/// The limit for losses of probabilities: clipping at 1e-7 allows slopes of 1e7.
constexpr double clipped = 2e7;

std::vector<Edge> edges() {
  const std::vector<Real> numbers{-1, 0, Real(1e-30), Real(-1e-30), Real(1e-7), 1, 100};
  const std::vector<Real> shares{0, Real(1e-30), Real(1e-7), Real(0.5), Real(1 - 1e-7), 1};
  const std::vector<Real> logits{-1000, -100, -1, 0, Real(1e-30), 1, 100, 1000};
  const std::vector<Real> bits{0, 1};
  const std::vector<Real> counts{0, Real(1e-30), 1, 100};
  return {{"MeanSquaredError", MeanSquaredError{}, numbers, numbers, 2e4},
          {"MeanAbsoluteError", MeanAbsoluteError{}, numbers, numbers, 200},
          {"MeanAbsolutePercentageError", MeanAbsolutePercentageError{}, numbers, numbers, 2e11},
          {"MeanSquaredLogarithmicError", MeanSquaredLogarithmicError{}, numbers, counts, 100},
          {"Huber", Huber{}, numbers, numbers, 200},
          {"LogCosh", LogCosh{}, numbers, numbers, 200},
          {"Poisson", Poisson{}, counts, counts, 2e9},
          {"KLDivergence", KLDivergence{}, shares, shares, clipped},
          {"Hinge", Hinge{}, numbers, bits, 200},
          {"CosineSimilarity", CosineSimilarity{}, numbers, numbers, clipped},
          {"BinaryCrossentropy", BinaryCrossentropy{}, shares, bits, clipped},
          {"BinaryCrossentropy", BinaryCrossentropy{.from_logits = true}, logits, shares, 2000},
          {"BinaryFocalCrossentropy", BinaryFocalCrossentropy{}, shares, bits, clipped},
          {"BinaryFocalCrossentropy", BinaryFocalCrossentropy{.from_logits = true}, logits, shares, 5000},
          {"CategoricalCrossentropy", CategoricalCrossentropy{.from_logits = true}, logits, shares, 4000},
          {"CategoricalFocalCrossentropy", CategoricalFocalCrossentropy{.from_logits = true}, logits, shares, 20000}};
}

TEST(EdgeValues, OfEveryLossAreFiniteWithABoundedGradient) {
  for (const Edge& edge : edges()) {
    for (const Real a : edge.predictions) {
      for (const Real b : edge.predictions) {
        for (const Real y : edge.truths) {
          const Tensor x = Tensor::matrix({{a, b}}), truth = Tensor::matrix({{y, edge.truths.front()}});
          SCOPED_TRACE(message("{} of {} and {}, truth {}", edge.name, a, b, y));
          const auto [value, gradient] = differentiate([&](Var p) { return edge.loss(p, truth); }, x);
          ASSERT_LE(std::abs(static_cast<double>(value)), edge.most);
          for (const Real slope : gradient) ASSERT_LE(std::abs(static_cast<double>(slope)), edge.most);
        }
      }
    }
  }
}

TEST(EdgeValues, EveryLossIsIncluded) {
  const std::vector<std::string>& losses = testing::registered_losses;
  EXPECT_GT(losses.size(), 10U);
  const std::vector<Edge> all = edges();
  for (const std::string& name : losses) {
    // The sparse loss equals the categorical one with other targets: see losses_values_test.cpp.
    if (name == "SparseCategoricalCrossentropy") continue;
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Edge& edge) { return edge.name == name; })) << name;
  }
}

TEST(EdgeValues, CosineSimilarityOfAZeroVectorHasZeroLossAndGradient) {
  const Tensor y = Tensor::matrix({{1, 2}}), zero({1, 2});
  for (const Real tiny : {Real(0), Real(1e-30), Real(-1e-13)}) {
    const Tensor p = Tensor::matrix({{tiny, 0}});
    const auto [value, gradient] = differentiate([&](Var v) { return AnyLoss(CosineSimilarity{})(v, y); }, p);
    EXPECT_EQ(value, 0) << tiny;
    EXPECT_EQ(gradient, zero) << tiny;
  }
  const Tensor p = Tensor::matrix({{3, -4}});
  const auto of_no_truth = differentiate([&](Var v) { return AnyLoss(CosineSimilarity{})(v, zero); }, p);
  EXPECT_EQ(of_no_truth.value, 0);
  EXPECT_EQ(of_no_truth.gradient, zero);
  // Other samples keep their gradient: d cos / dp = (y / |y| - cos p / |p|) / |p|, averaged over two samples.
  const Tensor two = Tensor::matrix({{0, 0}, {3, -4}}), truths = Tensor::matrix({{1, 1}, {1, 0}});
  const auto both = differentiate([&](Var v) { return AnyLoss(CosineSimilarity{})(v, truths); }, two);
  expect_close(both.value, -0.6L / 2);
  expect_close(both.gradient, {0, 0, -(1 - 0.6L * 0.6L) / 5 / 2, -(0.6L * 0.8L) / 5 / 2});
}

TEST(EdgeValues, ATrainedCosineModelSurvivesADeadPrediction) {
  // Predictions of all zeros: the gradient is 0, not of the order of 1e11.
  Tape tape;
  const Tensor x({4, 3}), y = normal({4, 3}, 1);
  const Var p = tape.variable(x);
  const Gradients gradients = tape.backward(AnyLoss(CosineSimilarity{})(p, y));
  for (const Real slope : ConstView(gradients[p])) EXPECT_EQ(slope, 0);
}

TEST(EdgeValues, OpsThatDivideByANormOrTakeARootHaveFiniteResults) {
  const Tensor constant = Tensor::full({3, 4}, 2), zero({3, 4}), scale = Tensor::full({4}, 1), offset({4});
  const auto finite = [](const char* name, const std::function<Var(Var)>& f, const Tensor& x, double most) {
    const auto [value, gradient] = differentiate([&](Var v) { return sum(f(v)); }, x);
    EXPECT_LE(std::abs(static_cast<double>(value)), most) << name;
    for (const Real slope : gradient) EXPECT_LE(std::abs(static_cast<double>(slope)), most) << name;
  };
  for (const Tensor& x : {constant, zero}) {
    finite(
        "layer_normalization",
        [&](Var v) { return layer_normalization(v, v.tape().input(scale), v.tape().input(offset)) * 3; }, x, 100);
    finite(
        "softmax", [](Var v) { return softmax(v * 1000) * v; }, x, 1e4);
    finite(
        "log_softmax", [](Var v) { return log_softmax(v * 1000); }, x, 1e4);
    finite(
        "abs", [](Var v) { return abs(v); }, x, 100);
    finite(
        "pow", [](Var v) { return pow(v, 1.0); }, x, 100);
    finite(
        "l1 and l2",
        [](Var v) {
          return Regularizer(L1L2{0.1, 0.1})(v);
        },
        x, 100);
    finite(
        "softplus", [](Var v) { return softplus(v * -1000); }, x, 1e4);
    for (const Constraint& constraint : {Constraint(UnitNorm{}), Constraint(MaxNorm{})}) {
      Tensor w = x;
      constraint(w);
      for (const Real value : w) EXPECT_LE(std::abs(value), 2);
    }
  }
  Tensor tiny = Tensor::full({3, 4}, Real(1e-30));
  Constraint(UnitNorm{})(tiny);
  for (const Real value : tiny) EXPECT_LE(std::abs(value), 1);
}

}  // namespace
}  // namespace cornu
