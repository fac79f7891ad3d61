#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

// Precision, Recall and F1Score with several outputs, against plain loops; and the options of all metrics.

namespace cornu {
namespace {

using testing::error_of;
using testing::nan;
using testing::result_of;

struct Counts {
  double tp = 0, fp = 0, fn = 0;
};
double precision(const Counts& c) { return c.tp + c.fp == 0 ? 0 : c.tp / (c.tp + c.fp); }
double recall(const Counts& c) { return c.tp + c.fn == 0 ? 0 : c.tp / (c.tp + c.fn); }
double f1(const Counts& c) {
  const double p = precision(c), r = recall(c);
  return p + r == 0 ? 0 : 2 * p * r / (p + r);
}

/// Keras's definition: counts per output, then sums over the outputs.
std::vector<Counts> count(const Tensor& y_true, const Tensor& y_pred, double threshold, Index top_k) {
  const Index rows = y_pred.shape()[0], outputs = y_pred.shape()[1];
  std::vector<Counts> result(static_cast<std::size_t>(outputs));
  for (Index row = 0; row < rows; ++row) {
    std::vector<Index> order(static_cast<std::size_t>(outputs));
    std::iota(order.begin(), order.end(), Index{0});
    std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
      return y_pred.at({row, a}) > y_pred.at({row, b});
    });
    for (Index rank = 0; rank < outputs; ++rank) {
      const Index c = order[static_cast<std::size_t>(rank)];
      const bool predicted =
          (top_k == 0 || rank < top_k) && (threshold < 0 || static_cast<double>(y_pred.at({row, c})) > threshold);
      const bool is = y_true.at({row, c}) == 1;
      Counts& counts = result[static_cast<std::size_t>(c)];
      counts.tp += is && predicted;
      counts.fp += !is && predicted;
      counts.fn += is && !predicted;
    }
  }
  return result;
}

double average(const std::vector<Counts>& counts, double (*figure)(const Counts&), Averaging averaging) {
  Counts all;
  double macro = 0, weighted = 0;
  for (const Counts& c : counts) {
    all = {all.tp + c.tp, all.fp + c.fp, all.fn + c.fn};
    macro += figure(c) / static_cast<double>(counts.size());
    weighted += figure(c) * (c.tp + c.fn);
  }
  if (averaging == Averaging::micro) return figure(all);
  return averaging == Averaging::macro ? macro : weighted / (all.tp + all.fn);
}

struct Predictions {
  Tensor y_true, y_pred;
};

/// Outputs that are right more often than not; targets with several ones per row, or one.
Predictions predictions(Index rows, Index outputs, bool one_hot, Rng& rng) {
  Predictions result{Tensor({rows, outputs}), Tensor({rows, outputs})};
  for (Index row = 0; row < rows; ++row) {
    const Index label = rng.below(outputs);
    for (Index c = 0; c < outputs; ++c) {
      const bool is = one_hot ? c == label : rng.below(3) == 0;
      result.y_true.at({row, c}) = is ? 1 : 0;
      result.y_pred.at({row, c}) = is ? rng.uniform(Real(0.2), 1) : rng.uniform(0, Real(0.7));
    }
  }
  return result;
}

TEST(ClassMetrics, OfSeveralOutputsMatchKeras) {
  Rng rng(5);
  for (int trial = 0; trial < 40; ++trial) {
    const Index outputs = 2 + rng.below(4);
    const auto [y_true, y_pred] = predictions(30, outputs, trial % 2 == 0, rng);
    const double threshold = trial % 3 == 0 ? 0.5 : static_cast<double>(rng.uniform(Real(0.1), Real(0.9)));
    const Index k = 1 + rng.below(outputs);
    for (const bool with_threshold : {true, false}) {
      for (const bool with_top_k : {true, false}) {
        if (!with_threshold && !with_top_k) continue;
        SCOPED_TRACE(message("trial {}, threshold {}, top_k {}", trial, with_threshold, with_top_k));
        const std::optional<double> limit = with_threshold ? std::optional(threshold) : std::nullopt;
        const std::optional<Index> top = with_top_k ? std::optional(k) : std::nullopt;
        const std::vector<Counts> counts = count(y_true, y_pred, with_threshold ? threshold : -1, with_top_k ? k : 0);
        for (const Averaging averaging : {Averaging::micro, Averaging::macro, Averaging::weighted}) {
          EXPECT_NEAR(result_of(Precision{.threshold = limit, .top_k = top, .average = averaging}, y_true, y_pred),
                      average(counts, precision, averaging), 1e-12);
          EXPECT_NEAR(result_of(Recall{.threshold = limit, .top_k = top, .average = averaging}, y_true, y_pred),
                      average(counts, recall, averaging), 1e-12);
          EXPECT_NEAR(result_of(F1Score{.threshold = limit, .top_k = top, .average = averaging}, y_true, y_pred),
                      average(counts, f1, averaging), 1e-12);
        }
        for (Index c = 0; c < outputs; ++c) {
          const Counts& of_class = counts[static_cast<std::size_t>(c)];
          EXPECT_NEAR(result_of(Precision{.class_id = c, .threshold = limit, .top_k = top}, y_true, y_pred),
                      precision(of_class), 1e-12);
          EXPECT_NEAR(result_of(F1Score{.class_id = c, .threshold = limit, .top_k = top}, y_true, y_pred), f1(of_class),
                      1e-12);
        }
        F1Score each{.threshold = limit, .top_k = top, .average = F1Score::none};
        each.update(y_true, y_pred);
        const std::vector<double> per_class = each.per_class();
        ASSERT_EQ(per_class.size(), counts.size());
        for (std::size_t c = 0; c < counts.size(); ++c) EXPECT_NEAR(per_class[c], f1(counts[c]), 1e-12);
        EXPECT_EQ(error_of<ValueError>([&] { each.result(); }),
                  message("f1_score: average is none, so each of {} classes has a separate value; set .class_id, or "
                          "call per_class()",
                          outputs));
      }
    }
    // With neither, Precision and Recall use a threshold of 0.5 and pool all outputs.
    const std::vector<Counts> half = count(y_true, y_pred, 0.5, 0);
    EXPECT_NEAR(result_of(Precision{}, y_true, y_pred), average(half, precision, Averaging::micro), 1e-12);
    EXPECT_NEAR(result_of(Recall{}, y_true, y_pred), average(half, recall, Averaging::micro), 1e-12);
  }
}

TEST(ClassMetrics, ReadOneClassOfNIfRequested) {
  Rng rng(6);
  for (int trial = 0; trial < 10; ++trial) {
    const auto [y_true, y_pred] = predictions(60, 4, true, rng);
    Tensor labels(Shape{60}), column({60, 1});
    for (Index row = 0; row < 60; ++row) {
      for (Index c = 0; c < 4; ++c) labels[row] += y_true.at({row, c}) * static_cast<Real>(c);
      column[row] = labels[row];
    }
    const std::vector<Counts> counts = count(y_true, y_pred, -1, 1);
    // Class indices mean one class of n; F1Score without a threshold does too, as in Keras.
    for (const Tensor& truth : {labels, column}) {
      EXPECT_NEAR(result_of(Precision{}, truth, y_pred), average(counts, precision, Averaging::macro), 1e-12);
      EXPECT_NEAR(result_of(Recall{.average = Recall::weighted}, truth, y_pred),
                  average(counts, recall, Averaging::weighted), 1e-12);
      EXPECT_NEAR(result_of(F1Score{}, truth, y_pred), average(counts, f1, Averaging::macro), 1e-12);
    }
    EXPECT_NEAR(result_of(F1Score{}, y_true, y_pred), average(counts, f1, Averaging::macro), 1e-12);
    EXPECT_NEAR(result_of(Precision{.one_of_n = true}, y_true, y_pred), average(counts, precision, Averaging::macro),
                1e-12);
    EXPECT_NEAR(result_of(Recall{.top_k = 1, .average = Recall::macro}, y_true, y_pred),
                average(counts, recall, Averaging::macro), 1e-12);
    // A threshold means yes-or-no outputs, even with class indices.
    EXPECT_NEAR(result_of(Precision{.threshold = 0.5}, labels, y_pred), result_of(Precision{}, y_true, y_pred), 1e-12);
  }
}

TEST(ClassMetrics, RefuseSeveralOnesInARowOfOneClassOfN) {
  const Tensor y_true = Tensor::matrix({{1, 0, 0}, {1, 1, 0}}), y_pred({2, 3});
  EXPECT_EQ(error_of<ValueError>([&] { result_of(F1Score{}, y_true, y_pred); }),
            "f1_score: the target has 2 ones in row 1; without a threshold, outputs are one class of n: for yes-or-no "
            "outputs set .threshold = 0.5");
  EXPECT_NO_THROW(result_of(F1Score{.threshold = 0.5}, y_true, y_pred));
  EXPECT_NO_THROW(result_of(F1Score{.top_k = 1}, y_true, y_pred));
  EXPECT_EQ(error_of<ValueError>([&] {
              result_of(Precision{}, Tensor::matrix({{0, 0.5, 1}, {0, 0, 0}}), y_pred);
            }),
            "precision: label 0.5 in row 0, position 1; labels are whole numbers from 0 to 1; for soft labels use a "
            "loss as the metric, "
            "such as BinaryCrossentropy");
  F1Score metric;
  EXPECT_THROW(metric.update(y_true, y_pred), ValueError);
  EXPECT_EQ(metric.result(), 0) << "nothing was counted";
}

TEST(ClassMetrics, AreTheSameInOneOrSeveralBatchesAndAllocateNothing) {
  Rng rng(7);
  const auto [y_true, y_pred] = predictions(30, 4, false, rng);
  for (AnyMetric metric : {AnyMetric(Precision{}), AnyMetric(Recall{.threshold = 0.3, .average = Recall::macro}),
                           AnyMetric(F1Score{.top_k = 2, .average = F1Score::weighted})}) {
    metric.update(y_true, y_pred);
    const double whole = metric.result();
    metric.reset();
    EXPECT_EQ(metric.result(), 0);
    const testing::AllocationCounter counter;
    for (const Index first : {0, 10, 20}) {
      metric.update(ConstView(y_true.data() + 4 * first, {10, 4}), ConstView(y_pred.data() + 4 * first, {10, 4}));
    }
    if (testing::AllocationCounter::available()) {
      EXPECT_EQ(counter.count(), 0);
    }
    EXPECT_EQ(metric.result(), whole);
  }
}

TEST(ClassMetrics, RankNaNFirstAndBelowEveryThreshold) {
  const Tensor y_true = Tensor::matrix({{0, 0, 1}}), y_pred = Tensor::matrix({{0.9, nan, 0.8}});
  EXPECT_EQ(result_of(Recall{.threshold = 0.5}, y_true, y_pred), 1);
  EXPECT_EQ(result_of(Precision{.threshold = 0.5}, y_true, y_pred), 0.5);
  EXPECT_EQ(result_of(Recall{.top_k = 2}, y_true, y_pred), 0);
}

// ---- Options out of range ----

TEST(ClassMetrics, OptionsOutOfRangeAreErrors) {
  const Tensor y = Tensor::matrix({{1, 0, 1}, {0, 1, 0}}), p = Tensor::full({2, 3}, 0.5), numbers = Tensor::vector({1});
  const auto refused = [&](AnyMetric metric) { return error_of<ValueError>([&] { metric.update(y, p); }); };
  for (const double threshold : {-0.1, 1.1, double{nan}}) {
    const std::string text = message("threshold is {}; it must be in [0, 1]: predictions are probabilities", threshold);
    EXPECT_EQ(refused(BinaryAccuracy{.threshold = threshold}), "binary_accuracy: " + text);
    EXPECT_EQ(refused(Precision{.threshold = threshold}), "precision: " + text);
    EXPECT_EQ(refused(Recall{.threshold = threshold}), "recall: " + text);
    EXPECT_EQ(refused(F1Score{.threshold = threshold}), "f1_score: " + text);
    ConfusionMatrix matrix;
    EXPECT_EQ(error_of<ValueError>([&] { matrix.update(numbers, Tensor::matrix({{0.5}}), threshold); }),
              "confusion matrix: " + text);
  }
  for (const double threshold : {0.0, 1.0}) EXPECT_NO_THROW(result_of(Precision{.threshold = threshold}, y, p));
  for (const Index k : {-1, 0, 4}) {
    const std::string text = message("top_k is {}; it must be from 1 to 3, the outputs of predictions (2, 3)", k);
    EXPECT_EQ(refused(Precision{.top_k = k}), "precision: " + text);
    EXPECT_EQ(refused(Recall{.top_k = k}), "recall: " + text);
    EXPECT_EQ(refused(F1Score{.top_k = k}), "f1_score: " + text);
  }
  for (const Index id : {-1, 3}) {
    EXPECT_EQ(refused(F1Score{.class_id = id}),
              message("f1_score: class_id is {}; the classes of predictions (2, 3) are 0 to 2", id));
  }
  EXPECT_EQ(refused(Recall{.top_k = 1, .one_of_n = true}),
            "recall: top_k and one_of_n exclude each other; set one of them");
  EXPECT_EQ(refused(TopKAccuracy{.k = 0}), "top_k_accuracy: k is 0; it must be at least 1");
  EXPECT_EQ(refused(R2Score{.num_regressors = -1}), "r2_score: num_regressors is -1; it must not be negative");
  EXPECT_EQ(refused(AUC{.num_thresholds = 1}), "auc: num_thresholds is 1; 0 or at least 2 is required");
  EXPECT_EQ(refused(MeanIoU{.num_classes = 0}), "mean_io_u: num_classes is 0; it must be at least 1");
}

TEST(ClassMetrics, BinaryLabelsAreZeroAndOne) {
  const Tensor p({2, 1}, {0.2, 0.9});
  EXPECT_EQ(
      error_of<ValueError>([&] {
        result_of(Accuracy{}, Tensor::vector({-1, 1}), p);
      }),
      "accuracy: label -1 in row 0; labels are whole numbers from 0 to 1; map -1 and 1 to 0 and 1 by (y + 1) / 2, "
      "which Hinge takes as well");
  EXPECT_EQ(error_of<ValueError>([&] {
              result_of(BinaryAccuracy{}, Tensor::vector({0, 255}), p);
            }),
            "binary_accuracy: label 255 in row 1; labels are whole numbers from 0 to 1");
}

// ---- Files of older versions ----

TEST(ClassMetrics, OfOldFilesKeepTheirMeaning) {
  const auto metric = [](const std::string& name) {
    return value_of<AnyMetric>(
        parse_json(R"({"class_name":")" + name + R"(","config":{"class_id":null,"threshold":0.8}})"));
  };
  Rng rng(8);
  const auto [y_true, y_pred] = predictions(50, 3, true, rng);
  const std::vector<Counts> counts = count(y_true, y_pred, -1, 1);
  EXPECT_NEAR(result_of(metric("Precision"), y_true, y_pred), average(counts, precision, Averaging::macro), 1e-12);
  EXPECT_NEAR(result_of(metric("Recall"), y_true, y_pred), average(counts, recall, Averaging::macro), 1e-12);
  EXPECT_NEAR(result_of(metric("F1Score"), y_true, y_pred), average(counts, f1, Averaging::macro), 1e-12);
  // The threshold applied to a single output, and still does.
  const Tensor labels = Tensor::vector({1, 1, 0}), outputs({3, 1}, {0.9, 0.6, 0.7});
  EXPECT_EQ(result_of(metric("Recall"), labels, outputs), 0.5);
  EXPECT_EQ(result_of(metric("Precision"), labels, outputs), 1);
}

TEST(ClassMetrics, ReadTheCountsOfOldBackups) {
  // Rows are true classes: class 0 was found twice and predicted as 1 once, class 1 was found 3 times.
  const Json json = parse_json(R"({"one_output":true,"growing":false,"classes":2,"counts":[2,1,0,3]})");
  Recall recall{.class_id = 0};
  Precision precision;
  for (const auto visit_state : {+[](OptionVisitor&visit, Recall&r, Precision&) { r.state(visit); },
                                 +[](OptionVisitor&visit, Recall&, Precision&p) { p.state(visit); }}) {
    OptionVisitor visit(json);
    visit_state(visit, recall, precision);
    EXPECT_NO_THROW(visit.require_all_read());
  }
  EXPECT_DOUBLE_EQ(recall.result(), 2 / 3.0);
  EXPECT_DOUBLE_EQ(precision.result(), 3 / 4.0);
  // New counts are restored as they were.
  OptionVisitor write;
  precision.state(write);
  const Json written = std::move(write).written();
  OptionVisitor read(written);
  Precision again;
  again.state(read);
  EXPECT_NO_THROW(read.require_all_read());
  EXPECT_EQ(again.result(), precision.result());
  for (const char* const counts : {"[2,1,0]", "[2,1,0,3,4]", "[2,1,0,3,4,5]"}) {
    const Json other = parse_json(message(R"({{"one_output":true,"growing":false,"classes":2,"counts":{}}})", counts));
    OptionVisitor visit(other);
    EXPECT_NE(error_of<FormatError>([&] { precision.state(visit); }).find("a square matrix is required"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace cornu
