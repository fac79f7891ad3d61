#include <gtest/gtest.h>

#include <cmath>

#include "cornu/core/error.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/registered.h"

// Values that losses cannot use: predictions that are not probabilities, infinities, and targets of padding.

namespace cornu {
namespace {

using testing::differentiate;
using testing::infinity;
using testing::nan;

struct Usable {
  const char* name;
  AnyLoss loss;
  bool of_probabilities = false;
  bool of_class_logits = false;
  bool checks_truth = false;
  bool is_sparse = false;
};

std::vector<Usable> usable() {
  return {
      {.name = "MeanSquaredError", .loss = MeanSquaredError{}},
      {.name = "MeanAbsoluteError", .loss = MeanAbsoluteError{}},
      {.name = "MeanAbsolutePercentageError", .loss = MeanAbsolutePercentageError{}},
      {.name = "MeanSquaredLogarithmicError", .loss = MeanSquaredLogarithmicError{}, .checks_truth = true},
      {.name = "Huber", .loss = Huber{}},
      {.name = "LogCosh", .loss = LogCosh{}},
      {.name = "Poisson", .loss = Poisson{}, .checks_truth = true},
      {.name = "KLDivergence", .loss = KLDivergence{}, .of_probabilities = true, .checks_truth = true},
      {.name = "Hinge", .loss = Hinge{}, .checks_truth = true},
      {.name = "CosineSimilarity", .loss = CosineSimilarity{}},
      {.name = "BinaryCrossentropy", .loss = BinaryCrossentropy{}, .of_probabilities = true, .checks_truth = true},
      {.name = "BinaryCrossentropy", .loss = BinaryCrossentropy{.from_logits = true}, .checks_truth = true},
      {.name = "BinaryFocalCrossentropy",
       .loss = BinaryFocalCrossentropy{},
       .of_probabilities = true,
       .checks_truth = true},
      {.name = "BinaryFocalCrossentropy", .loss = BinaryFocalCrossentropy{.from_logits = true}, .checks_truth = true},
      {.name = "CategoricalCrossentropy",
       .loss = CategoricalCrossentropy{},
       .of_probabilities = true,
       .checks_truth = true},
      {.name = "CategoricalCrossentropy",
       .loss = CategoricalCrossentropy{.from_logits = true},
       .of_class_logits = true,
       .checks_truth = true},
      {.name = "CategoricalFocalCrossentropy",
       .loss = CategoricalFocalCrossentropy{},
       .of_probabilities = true,
       .checks_truth = true},
      {.name = "CategoricalFocalCrossentropy",
       .loss = CategoricalFocalCrossentropy{.from_logits = true},
       .of_class_logits = true,
       .checks_truth = true},
      {.name = "SparseCategoricalCrossentropy",
       .loss = SparseCategoricalCrossentropy{},
       .of_probabilities = true,
       .checks_truth = true,
       .is_sparse = true},
      {.name = "SparseCategoricalCrossentropy",
       .loss = SparseCategoricalCrossentropy{.from_logits = true},
       .of_class_logits = true,
       .checks_truth = true,
       .is_sparse = true},
  };
}

/// The loss of two samples, or infinity if it throws.
double loss_of(const AnyLoss& loss, const Tensor& prediction, const Tensor& truth, ConstView weights = {}) {
  try {
    Tape tape;
    return static_cast<double>(loss(tape.variable(prediction), truth, weights).item());
  } catch (const ValueError&) {
    return infinity;
  }
}

const Tensor fine = Tensor::matrix({{0.25, 0.75}, {0.75, 0.25}});

Tensor truth_of(const Usable& row, Index label) {
  if (row.is_sparse) return Tensor::vector({static_cast<Real>(label), 1});
  return label == 0 ? Tensor::matrix({{1, 0}, {0, 1}}) : Tensor::matrix({{0, 1}, {0, 1}});
}

TEST(UnusableValues, EveryLossIsInTheTable) {
  const std::vector<std::string>& losses = testing::registered_losses;
  EXPECT_GT(losses.size(), 10U);
  const std::vector<Usable> all = usable();
  for (const std::string& name : losses) {
    EXPECT_TRUE(std::any_of(all.begin(), all.end(), [&](const Usable& row) { return row.name == name; })) << name;
  }
}

TEST(UnusableValues, APredictionThatIsNotAProbabilityNeverGivesAFiniteLoss) {
  for (const Usable& row : usable()) {
    for (const Index label : {0, 1}) {
      const Tensor truth = truth_of(row, label);
      ASSERT_TRUE(std::isfinite(loss_of(row.loss, fine, truth))) << row.name;
      for (const Index at : {0, 1, 2, 3}) {
        for (const double value : {-HUGE_VAL, HUGE_VAL, double{NAN}, -0.1, 1.1}) {
          const bool is_finite = std::isfinite(value), masks = row.of_class_logits && value < 0;
          if ((is_finite && !row.of_probabilities) || masks) continue;
          Tensor prediction = fine;
          prediction[at] = static_cast<Real>(value);
          EXPECT_FALSE(std::isfinite(loss_of(row.loss, prediction, truth)))
              << row.name << ": " << value << " at " << at << ", label " << label;
        }
      }
    }
  }
}

TEST(UnusableValues, ATargetThatIsNotFiniteNeverGivesAFiniteLoss) {
  for (const Usable& row : usable()) {
    for (const Real value : {-infinity, infinity, nan}) {
      Tensor truth = truth_of(row, 0);
      truth[0] = value;
      EXPECT_FALSE(std::isfinite(loss_of(row.loss, fine, truth))) << row.name << ": " << value;
    }
  }
}

TEST(UnusableValues, TheTargetOfPaddingMayBeAnything) {
  for (const Usable& row : usable()) {
    if (!row.checks_truth) continue;
    SCOPED_TRACE(row.name);
    for (const Real value : {Real(-1), Real(255)}) {
      const Tensor truth = truth_of(row, 0), weights = Tensor::vector({2, 0});
      Tensor padded = truth;
      for (Index i = padded.size() / 2; i < padded.size(); ++i) padded[i] = value;
      const double expected = loss_of(row.loss, fine, truth, weights);
      ASSERT_TRUE(std::isfinite(expected));
      EXPECT_EQ(loss_of(row.loss, fine, padded, weights), expected) << value;
      const auto result = differentiate([&](Var p) { return row.loss(p, padded, weights); }, fine);
      EXPECT_NE(result.gradient[0], 0);
      EXPECT_EQ(result.gradient[2], 0);
      EXPECT_EQ(result.gradient[3], 0);
    }
    Tensor negative = truth_of(row, 0);
    negative[negative.size() - 1] = -1;
    EXPECT_FALSE(std::isfinite(loss_of(row.loss, fine, negative, Tensor::vector({2, 1}))));
  }
}

TEST(UnusableValues, TheLabelOfAPaddedStepMayBeAnything) {
  Tape tape;
  const Tensor prediction({1, 2, 2}, {Real(0.25), Real(0.75), Real(0.5), Real(0.5)}),
      weights = Tensor::matrix({{1, 0}});
  const Tensor labels = Tensor::matrix({{1, -1}});
  const AnyLoss loss = SparseCategoricalCrossentropy{};
  testing::expect_close(loss(tape.input(prediction), labels, weights).item(), -std::log(0.75L) / 2);
  EXPECT_THROW(loss(tape.input(prediction), labels), ValueError);
}

}  // namespace
}  // namespace cornu
