#include "cornu/models/metrics/metric.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cornu/core/error.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

/// A user's metric: the largest absolute error.
struct MaxError {
  double worst = 0;

  void reset() { worst = 0; }
  void update(ConstView y_true, ConstView y_pred) {
    for (Index i = 0; i < y_pred.size(); ++i) {
      worst = std::max(worst, static_cast<double>(std::abs(y_true[i] - y_pred[i])));
    }
  }
  double result() const { return worst; }
};

struct Renamed : MaxError {
  std::string name() const { return "linf"; }
};

TEST(AnyMetric, TakesAUsersStructAndNamesItAfterItsType) {
  AnyMetric metric = MaxError{};
  EXPECT_EQ(metric.name(), "max_error");
  EXPECT_EQ(AnyMetric(Renamed{}).name(), "linf");
  metric.update(Tensor::vector({1, 2}), Tensor::vector({1.5, -1}));
  metric.update(Tensor::vector({0}), Tensor::vector({1}));
  EXPECT_EQ(metric.result(), 3);
  metric.reset();
  EXPECT_EQ(metric.result(), 0);
}

TEST(AnyMetric, IsIndependentOfItsCopies) {
  AnyMetric metric = MaxError{};
  metric.update(Tensor::vector({0}), Tensor::vector({2}));
  AnyMetric copy = metric;
  copy.update(Tensor::vector({0}), Tensor::vector({5}));
  EXPECT_EQ(metric.result(), 2);
  EXPECT_EQ(copy.result(), 5);
  metric = copy;
  copy.reset();
  EXPECT_EQ(metric.result(), 5);
}

TEST(LossMetric, IsTheMeanOfTheLossOverTheSamples) {
  AnyMetric metric = MeanSquaredError{};
  EXPECT_EQ(metric.name(), "mean_squared_error");
  EXPECT_EQ(metric.result(), 0) << "nothing seen yet";
  metric.update(Tensor::matrix({{0}, {0}, {0}}), Tensor::matrix({{1}, {2}, {4}}));  // 1 + 4 + 16
  EXPECT_NEAR(metric.result(), 7, 1e-6);
  metric.update(Tensor::matrix({{1}}), Tensor::matrix({{4}}));  // 9, weighted as one sample, not one batch
  EXPECT_NEAR(metric.result(), 30 / 4.0, 1e-6);
  metric.reset();
  EXPECT_EQ(metric.result(), 0);
}

TEST(LossMetric, KeepsTheLossesOptionsAndCopiesItsTotals) {
  const Tensor label = Tensor::vector({0}), logits = Tensor::matrix({{0, 0}});
  AnyMetric metric = SparseCategoricalCrossentropy{.from_logits = true};
  EXPECT_EQ(metric.name(), "sparse_categorical_crossentropy");
  metric.update(label, logits);
  AnyMetric copy = metric;
  EXPECT_NEAR(copy.result(), std::log(2.0), 1e-6);
  copy.update(label, Tensor::matrix({{100, 0}}));
  EXPECT_NEAR(copy.result(), std::log(2.0) / 2, 1e-6);
  EXPECT_NEAR(metric.result(), std::log(2.0), 1e-6);
}

TEST(LossMetric, OfACosineSimilarityHasTheOppositeSignAsInKeras) {
  AnyMetric metric = CosineSimilarity{};
  EXPECT_EQ(metric.name(), "cosine_similarity");
  EXPECT_EQ(metric.result(), 0);
  EXPECT_FALSE(std::signbit(metric.result()));
  const Tensor y = Tensor::matrix({{3, 4}});
  metric.update(y, y);
  EXPECT_NEAR(metric.result(), 1, 1e-6);
  metric.update(y, Tensor::matrix({{-6, -8}}));
  EXPECT_NEAR(metric.result(), 0, 1e-6);
  metric.reset();
  metric.update(y, Tensor({1, 2}));
  EXPECT_EQ(metric.result(), 0) << "a zero vector has no direction";
  Tape tape;
  EXPECT_NEAR(static_cast<double>(AnyLoss(CosineSimilarity{})(tape.input(y), y).item()), -1, 1e-6)
      << "smaller losses are better";
}

TEST(LossMetric, RefusesWhatTheLossRefuses) {
  AnyMetric metric = MeanSquaredError{};
  EXPECT_EQ(testing::error_of<ShapeError>([&] { metric.update(Tensor({2}), Tensor({3})); }),
            "mean_squared_error: predictions are (3,) and targets (2,); equal shapes are required");
}

}  // namespace
}  // namespace cornu
