#include "cornu/optim/losses/formula_losses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/core/ops/ops.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::differentiate;
using testing::expect_close;
using testing::expect_error;
using testing::normal;
using testing::uniform;

Real value_of(const AnyLoss& loss, const Tensor& y_pred, const Tensor& y_true) {
  Tape tape;
  return loss(tape.input(y_pred), y_true).item();
}

const Tensor predicted_rows = Tensor::matrix({{0.5, 0.25}, {0.75, 0.125}}),
             target_rows = Tensor::matrix({{1, 0}, {0, 1}});
const long double log2l_ = std::log(2.0L);

TEST(FormulaLosses, HaveTheValuesOfTheirFormulas) {
  expect_close(value_of(MeanAbsoluteError{}, predicted_rows, target_rows), (0.5L + 0.25L + 0.75L + 0.875L) / 4);
  const Tensor doubled = Tensor::matrix({{2, -4}}), percent = Tensor::matrix({{2.5, -3}});
  expect_close(value_of(MeanAbsolutePercentageError{}, percent, doubled), (25 + 25) / 2.0L, 64);
  const Tensor from_three = Tensor::matrix({{3, 0}}), from_one = Tensor::matrix({{1, 0}});
  expect_close(value_of(MeanSquaredLogarithmicError{}, from_three, from_one), log2l_ * log2l_ / 2);
  const Tensor errors = Tensor::matrix({{0.5, -3}}), zeros = Tensor::matrix({{0, 0}});
  expect_close(value_of(Huber{}, errors, zeros), (0.125L + 2.5L) / 2);
  expect_close(value_of(Huber{.delta = 2}, errors, zeros), (0.125L + 4) / 2);
  expect_close(value_of(LogCosh{}, errors, zeros), (std::log(std::cosh(0.5L)) + std::log(std::cosh(3.0L))) / 2);
  expect_close(value_of(LogCosh{}, Tensor::matrix({{1000}}), Tensor::matrix({{0}})), 1000 - log2l_);
  expect_close(value_of(Poisson{}, predicted_rows, target_rows),
               (0.5L - std::log(0.5L + 1e-7L) + 0.25L + 0.75L + 0.125L - std::log(0.125L + 1e-7L)) / 4);
  const Tensor half = Tensor::matrix({{0.5, 0.5}}), quarter = Tensor::matrix({{0.25, 0.75}});
  expect_close(value_of(KLDivergence{}, quarter, half), 0.5L * log2l_ + 0.5L * std::log(0.5L / 0.75L));
  expect_close(value_of(KLDivergence{}, half, half), 0);
  expect_close(value_of(Hinge{}, predicted_rows, target_rows), (0.5L + 1.25L + 1.75L + 0.875L) / 4);
  const Tensor signs = Tensor::matrix({{1, -1}, {-1, 1}});
  EXPECT_EQ(value_of(Hinge{}, predicted_rows, signs), value_of(Hinge{}, predicted_rows, target_rows));
  EXPECT_EQ(value_of(Hinge{}, Tensor::matrix({{2, -3}}), Tensor::matrix({{1, -1}})), 0);
  const Tensor a = Tensor::matrix({{3, 4}, {0, 2}, {0, 0}}), b = Tensor::matrix({{6, 8}, {0, -1}, {1, 1}});
  expect_close(value_of(CosineSimilarity{}, a, b), (-1 + 1 + 0) / 3.0L);
}

TEST(FocalCrossentropy, DownweightsEasySamples) {
  const Tensor q = Tensor::matrix({{0.9}, {0.3}}), truth = Tensor::matrix({{1}, {0}});
  const long double easy = 0.01L * -std::log(0.9L), other = 0.09L * -std::log(0.7L);
  expect_close(value_of(BinaryFocalCrossentropy{}, q, truth), (easy + other) / 2);
  expect_close(value_of(BinaryFocalCrossentropy{.apply_class_balancing = true}, q, truth),
               (0.25L * easy + 0.75L * other) / 2);
  const Tensor three = Tensor::matrix({{0.1, 0.7, 0.2}}), second = Tensor::matrix({{0, 1, 0}});
  expect_close(value_of(CategoricalFocalCrossentropy{}, three, second), 0.25L * 0.09L * -std::log(0.7L));
}

TEST(FocalCrossentropy, WithoutGammaIsCrossEntropy) {
  const Tensor z = normal({4, 3}, 1), q = uniform({4, 3}, 2, Real(0.1), Real(0.9)), truth = uniform({4, 3}, 3, 0, 1);
  for (const double s : {0.0, 0.2}) {
    expect_close(value_of(BinaryFocalCrossentropy{.gamma = 0, .label_smoothing = s}, q, truth),
                 value_of(BinaryCrossentropy{.label_smoothing = s}, q, truth));
    expect_close(value_of(CategoricalFocalCrossentropy{.alpha = 1, .gamma = 0, .label_smoothing = s}, q, truth),
                 value_of(CategoricalCrossentropy{.label_smoothing = s}, q, truth), 16);
    expect_close(value_of(BinaryFocalCrossentropy{.gamma = 0, .from_logits = true, .label_smoothing = s}, z, truth),
                 value_of(BinaryCrossentropy{.from_logits = true, .label_smoothing = s}, z, truth));
  }
}

TEST(FocalCrossentropy, UsesTheLogitsIfTheyAreKnown) {
  // The probabilities of the targets underflow to 0 in float and double.
  const Tensor far = Tensor::matrix({{-1e4}}), one = Tensor::matrix({{1}});
  const AnyLoss binary = BinaryFocalCrossentropy{};
  const auto [value, gradient] = differentiate([&](Var x) { return binary(sigmoid(x), one); }, far);
  expect_close(value, 10000);
  expect_close(gradient, {-1});
  const Tensor rows = Tensor::matrix({{1e4, 0}}), second = Tensor::matrix({{0, 1}});
  const AnyLoss categorical = CategoricalFocalCrossentropy{.alpha = 1};
  const auto far_off = differentiate([&](Var x) { return categorical(softmax(x), second); }, rows);
  expect_close(far_off.value, 10000);
  expect_close(far_off.gradient, {1, -1});
}

TEST(FormulaLosses, HaveCorrectGradients) {
  const AnyLoss losses[] = {MeanAbsoluteError{},
                            MeanAbsolutePercentageError{},
                            MeanSquaredLogarithmicError{},
                            Huber{.delta = 0.2},
                            LogCosh{},
                            Poisson{},
                            KLDivergence{},
                            Hinge{},
                            CosineSimilarity{},
                            BinaryFocalCrossentropy{},
                            BinaryFocalCrossentropy{.apply_class_balancing = true, .gamma = 1.5, .from_logits = true},
                            CategoricalFocalCrossentropy{},
                            CategoricalFocalCrossentropy{.from_logits = true, .label_smoothing = 0.1}};
  for (const Shape& shape : {Shape{3, 4}, Shape{1, 2}, Shape{5, 1}, Shape{2, 3, 2}}) {
    const Tensor x = uniform(shape, 1, Real(0.2), Real(0.8)), truth = uniform(shape, 2, Real(0.2), Real(0.8));
    const Tensor weights = uniform({shape[0]}, 3, Real(0.5), 2);
    for (std::size_t i = 0; i < std::size(losses); ++i) {
      if (shape[-1] == 1 && losses[i].as<CategoricalFocalCrossentropy>() != nullptr) continue;  // throws
      SCOPED_TRACE(message("loss {}, shape {}", i, shape));
      const auto f = [&](std::span<const Var> inputs) { return losses[i](inputs[0], truth, weights); };
      const CheckReport report = check_gradients(f, {x});
      EXPECT_TRUE(report) << to_string(report);
    }
  }
}

TEST(FormulaLosses, AcceptATargetWithoutALastAxisOfOne) {
  const Tensor column({3, 1}, {1, 2, 4}), flat = Tensor::vector({1, 1, 1});
  expect_close(value_of(MeanAbsoluteError{}, column, flat), 4 / 3.0L);
  expect_close(value_of(MeanAbsoluteError{}, flat, column), 4 / 3.0L);
}

TEST(FormulaLosses, RejectDifferentShapesAndOptionsOutOfRange) {
  const Tensor wide({2, 3}), narrow = Tensor::vector({1, 0, 1});
  expect_error<ShapeError>([&] { value_of(MeanAbsoluteError{}, wide, narrow); },
                           "mean_absolute_error: y_pred is (2, 3) but y_true is (3,); equal shapes are required");
  expect_error<ValueError>([&] { value_of(Huber{.delta = 0}, wide, wide); }, "huber: delta is 0; it must be positive");
  expect_error<ValueError>([&] { value_of(BinaryFocalCrossentropy{.alpha = 2}, wide, wide); },
                           "binary_focal_crossentropy: alpha is 2; it must be in [0, 1]");
  expect_error<ValueError>([&] { value_of(CategoricalFocalCrossentropy{.gamma = 0.5}, wide, wide); },
                           "categorical_focal_crossentropy: gamma is 0.5; it must be 0, or at least 1");
  expect_error<ValueError>([&] { value_of(CategoricalFocalCrossentropy{.label_smoothing = -1}, wide, wide); },
                           "categorical_focal_crossentropy: label_smoothing is -1; it must be in [0, 1]");
}

}  // namespace
}  // namespace cornu
