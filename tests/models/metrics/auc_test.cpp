#include "cornu/models/metrics/auc.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cornu/models/metrics/metric.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::error_of;

double area(const AnyMetric& metric, const Tensor& y_true, const Tensor& y_pred) {
  return testing::result_of(metric, y_true, y_pred);
}
double area(const AUC& metric, const Tensor& y_true, const Tensor& y_pred) {
  return area(AnyMetric(metric), y_true, y_pred);
}

struct ScoredLabels {
  Tensor y_true, y_pred;
};

/// Scores that are multiples of 1 / steps, higher for positives than for negatives, with many ties.
ScoredLabels random_scores(Index samples, Index steps, std::uint64_t seed) {
  ScoredLabels result{Tensor(Shape{samples}), Tensor(Shape{samples})};
  Rng rng(seed);
  for (Index i = 0; i < samples; ++i) {
    result.y_true[i] = rng.below(3) == 0 ? 1 : 0;
    const Real score = std::clamp((rng.normal() + result.y_true[i]) / 6 + Real(0.5), Real{0}, Real{1});
    result.y_pred[i] = std::round(score * static_cast<Real>(steps)) / static_cast<Real>(steps);
  }
  return result;
}

/// The probability that a positive has a higher score than a negative, over all pairs.
double by_pairs(const ScoredLabels& scores) {
  double better = 0, pairs = 0;
  for (Index i = 0; i < scores.y_true.size(); ++i) {
    for (Index j = 0; j < scores.y_true.size(); ++j) {
      if (scores.y_true[i] != 1 || scores.y_true[j] != 0) continue;
      better += scores.y_pred[i] > scores.y_pred[j] ? 1 : scores.y_pred[i] == scores.y_pred[j] ? 0.5 : 0;
      ++pairs;
    }
  }
  return better / pairs;
}

/// The curve's points by counting, for the thresholds in descending order.
std::vector<std::pair<double, double>> points(const ScoredLabels& scores, const std::vector<double>& thresholds) {
  std::vector<std::pair<double, double>> result;
  for (auto threshold = thresholds.rbegin(); threshold != thresholds.rend(); ++threshold) {
    double tp = 0, fp = 0;
    for (Index i = 0; i < scores.y_true.size(); ++i) {
      if (static_cast<double>(scores.y_pred[i]) > *threshold) (scores.y_true[i] == 1 ? tp : fp) += 1;
    }
    result.emplace_back(tp, fp);
  }
  return result;
}

/// Integrates precision over recall in small steps; between two points fp grows in proportion to tp.
double pr_by_integration(const std::vector<std::pair<double, double>>& curve) {
  const double positives = curve.back().first;
  double sum = 0;
  for (std::size_t k = 1; k < curve.size(); ++k) {
    const auto [tp, fp] = curve[k - 1];
    const double more_tp = curve[k].first - tp, more_fp = curve[k].second - fp;
    constexpr int steps = 20000;
    for (int i = 0; i < steps; ++i) {
      const double part = (i + 0.5) / steps, t = tp + part * more_tp, f = fp + part * more_fp;
      if (more_tp > 0) sum += t / (t + f) * more_tp / positives / steps;
    }
  }
  return sum;
}

double roc_by_trapezoids(const std::vector<std::pair<double, double>>& curve) {
  double sum = 0;
  for (std::size_t k = 1; k < curve.size(); ++k) {
    sum += (curve[k].second - curve[k - 1].second) * (curve[k].first + curve[k - 1].first) / 2;
  }
  return sum / curve.back().first / curve.back().second;
}

static_assert(Metric<AUC>);

TEST(AUC, MatchesKerasDocumentation) {
  // keras.metrics.AUC(num_thresholds=3), thresholds -1e-7, 0.5, 1 + 1e-7: tp 2 1 0, fp 2 0 0, ROC 0.75.
  const Tensor y_true = Tensor::vector({0, 0, 1, 1}), y_pred = Tensor::vector({0, 0.5, 0.3, 0.9});
  EXPECT_DOUBLE_EQ(area({.num_thresholds = 3}, y_true, y_pred), 0.75);
  EXPECT_DOUBLE_EQ(area({}, y_true, y_pred), 0.75);  // 3 of 4 pairs
}

TEST(AUC, MatchesValuesWorkedOutByHand) {
  const Tensor y_true = Tensor::vector({1, 0, 1, 0}), y_pred = Tensor::vector({0.9, 0.8, 0.7, 0.1});
  EXPECT_DOUBLE_EQ(area({}, y_true, y_pred), 0.75);
  // Recall 0 to 1/2 at precision 1; then a negative; then a positive, from 1 of 2 to 2 of 3: the integral of t / (t +
  // 1) from t = 1 to 2, halved.
  EXPECT_NEAR(area({.curve = AUC::PR}, y_true, y_pred), 0.5 + (1 - std::log(1.5)) / 2, 1e-15);
}

TEST(AUC, OfTheROCIsTheProbabilityOfAPositiveAboveANegative) {
  for (const Index steps : {3, 50, 1000000}) {
    for (const Index samples : {12, 40, 300}) {
      const ScoredLabels scores = random_scores(samples, steps, static_cast<std::uint64_t>(samples) + 4);
      EXPECT_NEAR(area({}, scores.y_true, scores.y_pred), by_pairs(scores), 1e-13) << samples << " by " << steps;
    }
  }
}

TEST(AUC, OfThePRIsPrecisionIntegratedOverRecall) {
  for (const Index steps : {3, 50}) {
    const ScoredLabels scores = random_scores(200, steps, 7);
    std::vector<double> thresholds;
    for (Index k = 0; k <= steps + 1; ++k) {
      thresholds.push_back((static_cast<double>(k) - 0.5) / static_cast<double>(steps));
    }
    EXPECT_NEAR(area({.curve = AUC::PR}, scores.y_true, scores.y_pred), pr_by_integration(points(scores, thresholds)),
                1e-6);
  }
}

TEST(AUC, CountsBetweenThresholdsAsKerasDoes) {
  const ScoredLabels scores = random_scores(500, 1000, 3);
  for (const Index n : {2, 3, 11, 200}) {
    std::vector<double> thresholds{-1e-7};
    for (Index i = 1; i < n - 1; ++i) thresholds.push_back(static_cast<double>(i) / static_cast<double>(n - 1));
    thresholds.push_back(1 + 1e-7);
    // Rounding decides on which side of a threshold an equal score lies, so avoid equal scores.
    ScoredLabels apart = scores;
    for (Real& score : apart.y_pred) score = std::clamp(score + Real(0.00021), Real{0}, Real{1});
    const auto curve = points(apart, thresholds);
    EXPECT_NEAR(area({.num_thresholds = n}, apart.y_true, apart.y_pred), roc_by_trapezoids(curve), 1e-13) << n;
    EXPECT_NEAR(area({.num_thresholds = n, .curve = AUC::PR}, apart.y_true, apart.y_pred), pr_by_integration(curve),
                1e-6)
        << n;
  }
}

TEST(AUC, TakesTheSigmoidOfLogits) {
  const Tensor y_true = Tensor::vector({0, 1, 0, 1, 1}), logits = Tensor::vector({-3, -1, 0.5, 2, 5});
  Tensor probabilities = logits;
  for (Real& x : probabilities) x = 1 / (1 + std::exp(-x));
  for (const Index n : {0, 11}) {
    EXPECT_EQ(area({.num_thresholds = n, .from_logits = true}, y_true, logits),
              area({.num_thresholds = n}, y_true, probabilities));
  }
}

TEST(AUC, TakesAnyShape) {
  const Tensor y_true({2, 3}, {0, 1, 1, 0, 0, 1}), y_pred({2, 3}, {0.1, 0.4, 0.3, 0.35, 0.2, 0.9});
  Tensor flat_true = y_true, flat_pred = y_pred;
  flat_true.reshape({6});
  flat_pred.reshape({6, 1});
  EXPECT_EQ(area({}, y_true, y_pred), area({}, flat_true, flat_pred));
  EXPECT_DOUBLE_EQ(area({}, y_true, y_pred), 8 / 9.0);
}

TEST(AUC, AccumulatesOverBatchesUntilReset) {
  const ScoredLabels scores = random_scores(100, 20, 9);
  for (const AnyMetric& metric :
       {AnyMetric(AUC{}), AnyMetric(AUC{.curve = AUC::PR}), AnyMetric(AUC{.num_thresholds = 20})}) {
    const double whole = area(metric, scores.y_true, scores.y_pred);
    AnyMetric parts = metric;
    for (int epoch = 0; epoch < 2; ++epoch) {
      parts.reset();
      for (const auto& [first, count] : {std::pair<Index, Index>{0, 30}, {30, 69}, {99, 1}}) {
        parts.update(ConstView(scores.y_true.data() + first, {count}),
                     ConstView(scores.y_pred.data() + first, {count}));
        parts.result();
      }
      EXPECT_EQ(parts.result(), whole);
    }
  }
}

TEST(AUC, IsZeroWithoutPositivesOrNegatives) {
  for (const AnyMetric& metric : {AnyMetric(AUC{}), AnyMetric(AUC{.num_thresholds = 5})}) {
    EXPECT_EQ(metric.result(), 0);
    EXPECT_EQ(area(metric, Tensor::vector({1, 1}), Tensor::vector({0.2, 0.3})), 0);
    EXPECT_EQ(area(metric, Tensor::vector({0, 0}), Tensor::vector({0.2, 0.3})), 0);
  }
  EXPECT_EQ(area({.curve = AUC::PR}, Tensor::vector({1, 1}), Tensor::vector({0.2, 0.3})), 1);
  EXPECT_EQ(area({.curve = AUC::PR}, Tensor::vector({0, 0}), Tensor::vector({0.2, 0.3})), 0);
}

TEST(AUC, ANaNMakesItNaN) {
  const Tensor y_true = Tensor::vector({1, 0}), y_pred = Tensor::vector({std::numeric_limits<Real>::quiet_NaN(), 1});
  for (AnyMetric metric : {AnyMetric(AUC{}), AnyMetric(AUC{.num_thresholds = 5})}) {
    metric.update(y_true, y_pred);
    EXPECT_TRUE(std::isnan(metric.result()));
    metric.reset();
    EXPECT_EQ(area(metric, y_true, Tensor::vector({1, 0})), 1);
  }
}

TEST(AUC, AllocatesNothingAfterAnEpoch) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const ScoredLabels scores = random_scores(1000, 50, 1);
  for (AnyMetric metric : {AnyMetric(AUC{}), AnyMetric(AUC{.num_thresholds = 200})}) {
    const auto epoch = [&] {
      metric.reset();
      for (int i = 0; i < 5; ++i) metric.update(scores.y_true, scores.y_pred);
      return metric.result();
    };
    const double first = epoch();
    const testing::AllocationCounter counter;
    EXPECT_EQ(epoch(), first);
    EXPECT_EQ(counter.count(), 0);
  }
}

TEST(AUC, RefusesInvalidShapesLabelsAndScores) {
  EXPECT_EQ(error_of<ShapeError>([] {
              area({}, Tensor::vector({0, 1}), Tensor({2, 2}));
            }),
            "auc: predictions are (2, 2) and labels (2,); one label of 0 or 1 for each prediction is required");
  EXPECT_EQ(error_of<ValueError>([] {
              area({}, Tensor::vector({0, 2}), Tensor(Shape{2}));
            }),
            "auc: label 2 in row 1; labels are whole numbers from 0 to 1");
  EXPECT_EQ(error_of<ValueError>([] {
              area({}, Tensor({2, 2}, {0, 1, 2, 0}), Tensor({2, 2}));
            }),
            "auc: label 2 in row 1, position 0; labels are whole numbers from 0 to 1");
  EXPECT_EQ(
      error_of<ValueError>([] { area({.num_thresholds = 9}, Tensor::vector({0}), Tensor::vector({1.5})); }),
      "auc: prediction 1.5 in row 0; with num_thresholds, predictions must be from 0 to 1 (is from_logits missing?)");
  EXPECT_EQ(error_of<ValueError>([] {
              area({.num_thresholds = 9}, Tensor({2, 2}), Tensor({2, 2}, {0, 1, 1, -1}));
            }),
            "auc: prediction -1 in row 1, position 1; with num_thresholds, predictions must be from 0 to 1 (is "
            "from_logits missing?)");
  for (const Index n : {-1, 1}) {
    EXPECT_EQ(error_of<ValueError>([&] { area({.num_thresholds = n}, Tensor::vector({0}), Tensor::vector({1})); }),
              "auc: num_thresholds is " + std::to_string(n) + "; 0 or at least 2 is required");
  }
}

// ---- In fit ----

/// Counts batches whose logs have, or lack, the area.
struct ShownAreas {
  Index with = 0, without = 0;
  void on_train_batch_end(cornu::Run&, Index, Logs& logs) { ++(logs.find("auc") == nullptr ? without : with); }
};

TEST(AUC, IsLoggedAtTheEndOfAnEpochOrWithThresholdsAfterEveryBatch) {
  const Tensor x = testing::normal({40, 2});
  Tensor y(Shape{40});
  for (Index i = 0; i < 40; ++i) y[i] = x.at({i, 0}) > 0 ? 1 : 0;
  for (const Index n : {0, 50}) {
    Sequential model{Input{2}, Dense{1, sigmoid}};
    model.compile({.optimizer = SGD{.learning_rate = 0.1},
                   .loss = BinaryCrossentropy{},
                   .metrics = {AUC{.num_thresholds = n}, Accuracy{}}});
    ShownAreas watch;
    const History history = model.fit(
        x, y,
        {.batch_size = 8, .epochs = 2, .verbose = Verbose::silent, .callbacks = {&watch}, .validation_split = 0.25});
    EXPECT_EQ(watch.with, n == 0 ? 0 : 8);
    EXPECT_EQ(watch.with + watch.without, 8);
    EXPECT_EQ(history["auc"].size(), 2u);
    EXPECT_EQ(history["val_auc"].size(), 2u);
    const Tensor p = model.predict(x);
    EXPECT_DOUBLE_EQ(model.evaluate(x, y)["auc"], area({.num_thresholds = n}, y, p));
  }
}

}  // namespace
}  // namespace cornu
