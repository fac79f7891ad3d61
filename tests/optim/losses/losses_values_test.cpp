#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"

namespace cornu {
namespace {

using testing::differentiate;
using testing::Differentiated;
using testing::expect_close;
using testing::infinity;
using testing::labels;
using testing::nan;
using testing::normal;
using testing::one_hot;
using testing::uniform;

Differentiated from_logits(const Tensor& logits, const Tensor& truth, double smoothing = 0) {
  const CategoricalOptions options{.from_logits = true, .label_smoothing = smoothing};
  return differentiate([&](Var x) { return sparse_categorical_crossentropy(x, truth, options); }, logits);
}

Differentiated binary_from_logits(Real z, Real y) {
  const Tensor truth = Tensor::vector({y});
  return differentiate([&](Var x) { return binary_crossentropy(x, truth, {.from_logits = true}); },
                       Tensor::vector({z}));
}

TEST(CrossEntropy, HasTheKnownValuesAndGradients) {
  const auto far = from_logits(Tensor::matrix({{1e4, 0, -1e4}}), Tensor::vector({2}));
  EXPECT_EQ(far.value, 20000);
  EXPECT_EQ(far.gradient, Tensor::matrix({{1, 0, -1}}));
  const auto sure = from_logits(Tensor::matrix({{1e4, 0, -1e4}}), Tensor::vector({0}));
  EXPECT_EQ(sure.value, 0);
  EXPECT_EQ(sure.gradient, Tensor::matrix({{0, 0, 0}}));

  expect_close(from_logits(Tensor::matrix({{-1e4, -1e4}}), Tensor::vector({1})).value, 0.69314718055994529L);
  const auto even = from_logits(Tensor({1, 10}), Tensor::vector({3}));
  expect_close(even.value, 2.3025850929940459L);
  expect_close(even.gradient, {.1L, .1L, .1L, -.9L, .1L, .1L, .1L, .1L, .1L, .1L});
}

TEST(CrossEntropy, IsAccurateForAConfidentPrediction) {
  // log(1 + e^-20): in float, 1 + e^-20 is exactly 1.
  expect_close(from_logits(Tensor::matrix({{20, 0}}), Tensor::vector({0})).value * Real(1e9),
               std::log1p(std::exp(-20.0L)) * 1e9L, 16);
}

TEST(CrossEntropy, SmoothsLabelsOverTheClasses) {
  const Tensor logits = Tensor::matrix({{3, 4, 1}}), truth = Tensor::vector({1}), hot = one_hot(truth, 3);
  const auto sparse = from_logits(logits, truth, 0.1);
  expect_close(sparse.value, 0.48234555010151969L);
  expect_close(sparse.gradient, {0.22616312700908578L, -0.22794882063509217L, 0.0017856936260063909L});
  const auto plain = differentiate(
      [&](Var x) { return categorical_crossentropy(x, hot, {.from_logits = true, .label_smoothing = 0.1}); }, logits);
  expect_close(plain.value, 0.48234555010151969L);
  expect_close(plain.gradient, {0.22616312700908578L, -0.22794882063509217L, 0.0017856936260063909L});
}

TEST(CrossEntropy, IsTheSameForIndicesAndOneHotRows) {
  const Tensor logits = normal({5, 4}, 1), truth = labels({5}, 4, 2), hot = one_hot(truth, 4),
               probabilities = softmax(logits), weights = uniform({5}, 3, 0, 2);
  for (const bool logits_given : {true, false}) {
    for (const double smoothing : {0.0, 0.2}) {
      const CategoricalOptions options{logits_given, smoothing, weights};
      const Tensor& x = logits_given ? logits : probabilities;
      const auto a = differentiate([&](Var v) { return sparse_categorical_crossentropy(v, truth, options); }, x);
      const auto b = differentiate([&](Var v) { return categorical_crossentropy(v, hot, options); }, x);
      expect_close(a.value, static_cast<long double>(b.value));
      for (Index i = 0; i < x.size(); ++i) expect_close(a.gradient[i], static_cast<long double>(b.gradient[i]));
    }
  }
}

TEST(CrossEntropy, IsAlmostTheSameFromLogitsAndProbabilities) {
  const Tensor logits = normal({5, 4}, 1), truth = labels({5}, 4, 2), probabilities = softmax(logits);
  Tape tape;
  expect_close(sparse_categorical_crossentropy(tape.input(probabilities), truth).item(),
               static_cast<long double>(from_logits(logits, truth).value));
}

TEST(CrossEntropy, AcceptsLabelsWithALastAxisOfOne) {
  const Tensor logits = normal({3, 2, 4}, 1), flat = labels({3, 2}, 4, 2), column = reshape(flat, {3, 2, 1});
  EXPECT_EQ(from_logits(logits, column).value, from_logits(logits, flat).value);
}

TEST(CrossEntropy, GivesALogitOfMinusInfinityProbabilityZero) {
  const Tensor logits = Tensor::matrix({{-infinity, 0, 0}});
  const auto possible = from_logits(logits, Tensor::vector({1}));
  expect_close(possible.value, 0.69314718055994529L);
  EXPECT_EQ(possible.gradient, Tensor::matrix({{0, -0.5, 0.5}}));
  EXPECT_EQ(from_logits(logits, Tensor::vector({0})).value, infinity);
}

TEST(CrossEntropy, OfARowWithoutASoftmaxIsNaN) {
  for (const Tensor& row : {Tensor::matrix({{-infinity, -infinity, -infinity}}), Tensor::matrix({{0, infinity, 0}}),
                            Tensor::matrix({{nan, 0, 0}}), Tensor::matrix({{0, 1, nan}})}) {
    SCOPED_TRACE(to_string(row));
    const auto [value, gradient] = from_logits(row, Tensor::vector({1}));
    EXPECT_TRUE(std::isnan(value));
    for (const Real slope : gradient) EXPECT_TRUE(std::isnan(slope));
  }
}

TEST(CrossEntropy, OfProbabilitiesWithNaNIsNaN) {
  const Tensor p = Tensor::matrix({{0.5, nan, 0.5}}), truth = Tensor::vector({0});
  Tape tape;
  EXPECT_TRUE(std::isnan(sparse_categorical_crossentropy(tape.input(p), truth).item()));
  const Tensor zeros({1, 3});
  EXPECT_TRUE(std::isnan(sparse_categorical_crossentropy(tape.input(zeros), truth).item()));
}

TEST(CrossEntropy, OfAnInvalidRowKeepsTheGradientsOfOtherRows) {
  const auto [value, gradient] = from_logits(Tensor::matrix({{nan, 0}, {0, 0}}), Tensor::vector({0, 1}));
  EXPECT_TRUE(std::isnan(value));
  EXPECT_TRUE(std::isnan(gradient[0]));
  EXPECT_EQ(gradient[2], Real(0.25));
  EXPECT_EQ(gradient[3], Real(-0.25));
}

TEST(CrossEntropy, OfNoSamplesIsZero) {
  const auto [value, gradient] = from_logits(Tensor({0, 3}), Tensor({0}));
  EXPECT_EQ(value, 0);
  EXPECT_EQ(gradient.shape(), (Shape{0, 3}));
}

TEST(BinaryCrossEntropy, HasTheKnownValuesAndGradients) {
  struct Row {
    Real z, y;
    long double loss, gradient;
  };
  const Row table[] = {{0, 0, 0.69314718055994529L, 0.5L},
                       {0, 1, 0.69314718055994529L, -0.5L},
                       {2, 1, 0.12692801104297249L, -0.11920292202211756L},
                       {-2, 1, 2.1269280110429727L, -0.88079707797788244L},
                       {100, 0, 100, 1},
                       {-1e4, 1, 10000, -1},
                       {1e4, 1, 0, 0},
                       {-1e4, 0, 0, 0},
                       {0.5, Real(0.3), 0.82407698418010666L, 0.32245933120185457L}};
  for (const Row& row : table) {
    SCOPED_TRACE(message("z {}, y {}", row.z, row.y));
    const auto [value, gradient] = binary_from_logits(row.z, row.y);
    expect_close(value, row.loss);
    expect_close(gradient[0], row.gradient);
  }
}

TEST(BinaryCrossEntropy, OfNaNIsNaN) {
  EXPECT_TRUE(std::isnan(binary_from_logits(nan, 1).value));
  EXPECT_TRUE(std::isnan(binary_from_logits(nan, 1).gradient[0]));
  const Tensor p = Tensor::vector({nan}), yes = Tensor::vector({1});
  Tape tape;
  EXPECT_TRUE(std::isnan(binary_crossentropy(tape.input(p), yes).item()));
}

TEST(BinaryCrossEntropy, OfProbabilitiesFollowsTheFormula) {
  const Tensor p = Tensor::matrix({{0.25, 0.5}, {0.75, 0.125}}), truth = Tensor::matrix({{0, 1}, {1, 0}});
  const auto [value, gradient] = differentiate([&](Var x) { return binary_crossentropy(x, truth); }, p);
  expect_close(value, -(std::log(.75L) + std::log(.5L) + std::log(.75L) + std::log(.875L)) / 4);
  expect_close(gradient, {1 / .75L / 4, -1 / .5L / 4, -1 / .75L / 4, 1 / .875L / 4});
}

TEST(BinaryCrossEntropy, SmoothsLabelsTowardsOneHalf) {
  const Tensor z = Tensor::vector({2}), yes = Tensor::vector({1});
  const auto [value, gradient] = differentiate(
      [&](Var x) { return binary_crossentropy(x, yes, {.from_logits = true, .label_smoothing = 0.2}); }, z);
  expect_close(value, .9L * 0.12692801104297249L + .1L * 2.1269280110429727L);
  expect_close(gradient[0], 0.88079707797788244L - .9L);
}

TEST(MeanSquaredError, IsTheMeanOverAllElements) {
  const Tensor x = Tensor::matrix({{1, 2}, {3, 5}}), truth = Tensor::matrix({{0, 2}, {5, 4}});
  const auto [value, gradient] = differentiate([&](Var v) { return mean_squared_error(v, truth); }, x);
  EXPECT_EQ(value, Real(1.5));
  EXPECT_EQ(gradient, Tensor::matrix({{0.5, 0}, {-1, 0.5}}));
}

TEST(MeanSquaredError, AcceptsATargetWithoutALastAxisOfOne) {
  const Tensor column({3, 1}, {1, 2, 3}), flat = Tensor::vector({0, 0, 0}), column_of_zeros({3, 1});
  Tape tape;
  expect_close(mean_squared_error(tape.input(column), flat).item(), 14 / 3.0L);
  const Tensor row = Tensor::vector({1, 2, 3});
  expect_close(mean_squared_error(tape.input(row), column_of_zeros).item(), 14 / 3.0L);
}

TEST(SampleWeights, ScaleTheLossesButNotTheirNumber) {
  const Tensor x = Tensor::matrix({{1, 2}, {3, 5}, {1, 1}}), truth({3, 2}), weights = Tensor::vector({2, 0, 0.5});
  const auto [value, gradient] = differentiate([&](Var v) { return mean_squared_error(v, truth, {weights}); }, x);
  expect_close(value,
               (2 * (1 + 4) + 0.5L * 2) / 6);  // divided by the number of elements, not by the sum of the weights
  expect_close(gradient, {4 / 6.0L, 8 / 6.0L, 0, 0, 1 / 6.0L, 1 / 6.0L});
}

TEST(SampleWeights, ApplyToEveryLoss) {
  const Tensor logits = normal({3, 2, 4}, 1), truth = labels({3, 2}, 4, 2), hot = one_hot(truth, 4),
               weights = Tensor::vector({2, 0, 0.5});
  Tape tape;
  // The weighted mean, computed from the losses of single samples.
  const auto expect_weighted = [&](auto loss_of_slice, Real weighted) {
    long double expected = 0;
    for (Index i = 0; i < 3; ++i) {
      expected += static_cast<long double>(weights[i]) * static_cast<long double>(loss_of_slice(i)) / 3;
    }
    expect_close(weighted, expected);
  };
  const auto part = [](const Tensor& t, Index i) { return slice_axis(t, 0, i, i + 1); };
  const Var x = tape.input(logits);
  expect_weighted([&](Index i) { return from_logits(part(logits, i), part(truth, i)).value; },
                  sparse_categorical_crossentropy(x, truth, {true, 0, weights}).item());
  expect_weighted(
      [&](Index i) {
        const Tensor y = part(hot, i);
        return differentiate([&](Var v) { return categorical_crossentropy(v, y, {true}); }, part(logits, i)).value;
      },
      categorical_crossentropy(x, hot, {true, 0, weights}).item());
  expect_weighted(
      [&](Index i) {
        const Tensor y = part(hot, i);
        return differentiate([&](Var v) { return binary_crossentropy(v, y, {true}); }, part(logits, i)).value;
      },
      binary_crossentropy(x, hot, {true, 0, weights}).item());
}

TEST(SampleWeights, MayBeOneWeightForARowWithoutABatch) {
  const Tensor logits = Tensor::vector({3, 4, 1}), truth = Tensor::scalar(1), weight = Tensor::vector({2});
  Tape tape;
  expect_close(sparse_categorical_crossentropy(tape.input(logits), truth, {true, 0, weight}).item(),
               2 * 0.34901221676818639L);
}

}  // namespace
}  // namespace cornu
