#include <gtest/gtest.h>

#include <cmath>

#include "cornu/cornu.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/temporary_folder.h"

// Models whose loss takes logits: every metric and predict_classes must see probabilities. Each model has a twin that
// ends in the activation, and the results must be equal.

namespace cornu {
namespace {

using testing::normal;
using testing::TemporaryFolder;

/// A user's metric: the mean of the predictions it is given.
struct MeanPrediction {
  double sum = 0, seen = 0;
  void reset() { sum = seen = 0; }
  void update(ConstView, ConstView y_pred) {
    for (const Real p : y_pred) sum += static_cast<double>(p);
    seen += static_cast<double>(y_pred.size());
  }
  double result() const { return seen == 0 ? 0 : sum / seen; }
};
struct MeanLogit : MeanPrediction {
  std::string name() const { return "mean_logit"; }
  bool reads_logits(Logits) const { return true; }
};

/// A user's loss that takes logits.
struct Logistic {
  Var operator()(Var z, Var y) const { return mean(softplus(z) - z * y, -1); }
  Logits logits() const { return Logits::sigmoid; }
};

std::vector<AnyMetric> yes_or_no_metrics() {
  return {Accuracy{},
          BinaryAccuracy{},
          BinaryAccuracy{.threshold = 0.3},
          Precision{},
          Precision{.threshold = 0.7},
          Recall{},
          Recall{.threshold = 0.2},
          F1Score{.threshold = 0.5},
          AUC{},
          AUC{.num_thresholds = 50},
          AUC{.num_thresholds = 50, .curve = AUC::PR},
          MeanSquaredError{},
          RootMeanSquaredError{},
          BinaryCrossentropy{},
          MeanPrediction{}};
}

std::vector<AnyMetric> class_metrics() {
  return {Accuracy{},
          CategoricalAccuracy{},
          TopKAccuracy{.k = 2},
          Precision{},
          Precision{.class_id = 1, .threshold = 0.4},
          Recall{.threshold = 0.4, .average = Recall::macro},
          F1Score{},
          F1Score{.top_k = 2},
          AUC{},
          AUC{.num_thresholds = 50},
          MeanIoU{.num_classes = 4, .sparse_y_true = false, .sparse_y_pred = false},
          CategoricalCrossentropy{},
          MeanPrediction{}};
}

/// The same model twice: one ends in logits and has a loss that takes them, the other ends in the activation.
struct TwoHeads {
  Sequential logits, probabilities;
  Tensor x, y;

  TwoHeads(Index outputs, Activation activation, const AnyLoss& of_logits, const AnyLoss& of_probabilities,
           const std::vector<AnyMetric>& metrics, const Tensor& targets)
      : logits{Input{3}, Dense{outputs}},
        probabilities{Input{3}, Dense{outputs, activation}},
        x(normal({targets.shape()[0], 3})),
        y(targets) {
    logits.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = of_logits, .metrics = metrics});
    probabilities.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = of_probabilities, .metrics = metrics});
    // Far enough from 0 that a threshold of 0.5 on the logits would give other results.
    const std::vector<Tensor> weights{normal({3, outputs}, 7), Tensor::full({outputs}, 0.25)};
    logits.set_weights(weights);
    probabilities.set_weights(weights);
  }
};

void expect_same_logs(const Logs& a, const Logs& b) {
  EXPECT_EQ(a.names(), b.names());
  for (const Logs::Entry& entry : a) EXPECT_NEAR(entry.value, b[entry.name], 1e-5) << entry.name;
}

Tensor yes_or_no(const Shape& shape) {
  Tensor y(shape);
  Rng rng(3);
  for (Real& value : y) value = rng.below(2) == 0 ? 0 : 1;
  return y;
}

void expect_twins(TwoHeads twins) {
  expect_same_logs(twins.logits.evaluate(twins.x, twins.y), twins.probabilities.evaluate(twins.x, twins.y));
  expect_same_logs(twins.logits.test_on_batch(twins.x, twins.y), twins.probabilities.test_on_batch(twins.x, twins.y));
  EXPECT_EQ(twins.logits.predict_classes(twins.x), twins.probabilities.predict_classes(twins.x));
  const TemporaryFolder folder;
  if (twins.logits.evaluate(twins.x, twins.y).find("mean_prediction") != nullptr) register_metric<MeanPrediction>();
  twins.logits.save(folder / "m");
  const Sequential loaded = Sequential::load(folder / "m");
  expect_same_logs(loaded.evaluate(twins.x, twins.y), twins.probabilities.evaluate(twins.x, twins.y));
  EXPECT_EQ(loaded.predict_classes(twins.x), twins.probabilities.predict_classes(twins.x));

  expect_same_logs(twins.logits.train_on_batch(twins.x, twins.y), twins.probabilities.train_on_batch(twins.x, twins.y));
  const auto fit = [&](Sequential& model) {
    return model.fit(twins.x, twins.y,
                     {.batch_size = 50, .epochs = 2, .verbose = Verbose::silent, .validation_split = 0.25});
  };
  const History a = fit(twins.logits), b = fit(twins.probabilities);
  for (const auto& [name, values] : a.history) {
    for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
      EXPECT_NEAR(values[epoch], b[name][epoch], 1e-4) << name;
    }
  }
}

TEST(LogitsOfTheLoss, OneOutput) {
  register_loss<Logistic>();
  const Tensor y = yes_or_no({200, 1});
  expect_twins({1, sigmoid, BinaryCrossentropy{.from_logits = true}, BinaryCrossentropy{}, yes_or_no_metrics(), y});
  expect_twins(
      {1, sigmoid, BinaryFocalCrossentropy{.from_logits = true}, BinaryFocalCrossentropy{}, yes_or_no_metrics(), y});
  expect_twins({1, sigmoid, Logistic{}, BinaryCrossentropy{}, yes_or_no_metrics(), y});
}

TEST(LogitsOfTheLoss, SeveralBinaryOutputs) {
  expect_twins({4, sigmoid, BinaryCrossentropy{.from_logits = true}, BinaryCrossentropy{}, yes_or_no_metrics(),
                yes_or_no({200, 4})});
}

TEST(LogitsOfTheLoss, ClassesAgainstOneHotRowsAndIndices) {
  const Tensor labels = testing::labels(200, 4);
  expect_twins({4, softmax, CategoricalCrossentropy{.from_logits = true}, CategoricalCrossentropy{}, class_metrics(),
                one_hot(labels, 4)});
  expect_twins({4, softmax, CategoricalFocalCrossentropy{.from_logits = true}, CategoricalFocalCrossentropy{},
                class_metrics(), one_hot(labels, 4)});
  expect_twins(
      {4,
       softmax,
       SparseCategoricalCrossentropy{.from_logits = true},
       SparseCategoricalCrossentropy{},
       {Accuracy{}, SparseCategoricalAccuracy{}, TopKAccuracy{.k = 3}, Precision{}, Recall{.threshold = 0.4}, F1Score{},
        MeanIoU{.num_classes = 4, .sparse_y_pred = false}, SparseCategoricalCrossentropy{}, MeanPrediction{}},
       labels});
}

TEST(LogitsOfTheLoss, AThresholdOnTheLogitsWouldGiveOtherValues) {
  const TwoHeads twins(1, sigmoid, BinaryCrossentropy{.from_logits = true}, BinaryCrossentropy{}, {Recall{}},
                       yes_or_no({200, 1}));
  Recall of_logits;
  of_logits.update(twins.y, twins.logits.predict(twins.x));
  EXPECT_GT(twins.logits.evaluate(twins.x, twins.y)["recall"], of_logits.result() + 0.05);
}

TEST(LogitsOfTheLoss, ArePassedToMetricsThatReadThem) {
  TwoHeads twins(1, sigmoid, BinaryCrossentropy{.from_logits = true}, BinaryCrossentropy{}, {}, yes_or_no({50, 1}));
  twins.logits.compile({.loss = BinaryCrossentropy{.from_logits = true},
                        .metrics = {MeanLogit{}, MeanPrediction{}, BinaryCrossentropy{.from_logits = true},
                                    AUC{.num_thresholds = 20, .from_logits = true}, AUC{.num_thresholds = 20}}});
  const Logs logs = twins.logits.evaluate(twins.x, twins.y);
  double logit = 0, probability = 0;
  for (const Real z : twins.logits.predict(twins.x)) {
    logit += static_cast<double>(z) / 50;
    probability += 1 / (1 + std::exp(-static_cast<double>(z))) / 50;
  }
  EXPECT_NEAR(logs["mean_logit"], logit, 1e-5);
  EXPECT_NEAR(logs["mean_prediction"], probability, 1e-5);
  EXPECT_NEAR(logs["binary_crossentropy"], logs["loss"], 1e-6);
  EXPECT_EQ(logs["auc"], logs["auc_1"]);
}

TEST(LogitsOfTheLoss, AreNotRoundedIfOnlyTheirOrderMatters) {
  // Their sigmoids and softmaxes are 0 and 1 in any precision.
  Sequential model{Input{1}, Dense{.units = 1, .use_bias = false}};
  model.compile({.loss = BinaryCrossentropy{.from_logits = true}, .metrics = {AUC{}}});
  model.set_weights(std::vector<Tensor>{Tensor::matrix({{1000}})});
  const Tensor x({4, 1}, {1, 2, 3, 4}), y = Tensor::vector({0, 0, 1, 1});
  EXPECT_EQ(model.evaluate(x, y)["auc"], 1);

  Sequential classes{Input{1}, Dense{.units = 3, .use_bias = false}};
  classes.compile({.loss = SparseCategoricalCrossentropy{.from_logits = true}, .metrics = {TopKAccuracy{.k = 2}}});
  classes.set_weights(std::vector<Tensor>{Tensor::matrix({{3000, 2000, 1000}})});
  EXPECT_EQ(classes.evaluate(Tensor({1, 1}, {1}), Tensor::vector({2}))["top_k_accuracy"], 0);
}

TEST(LogitsOfTheLoss, OfAHingeItsSignIsTheClass) {
  Sequential model{Input{1}, Dense{.units = 1, .use_bias = false}};
  model.compile({.loss = Hinge{}, .metrics = {Accuracy{}, Hinge{}}});
  model.set_weights(std::vector<Tensor>{Tensor::matrix({{1}})});
  const Tensor x({4, 1}, {-2, -0.25, 0.25, 2}), y = Tensor::vector({0, 0, 1, 1});
  const Logs logs = model.evaluate(x, y);
  EXPECT_EQ(logs["accuracy"], 1);
  EXPECT_EQ(logs["hinge"], logs["loss"]);
  EXPECT_EQ(model.predict_classes(x), y);
}

TEST(LogitsOfTheLoss, AreNotConvertedUnlessTheLossTakesLogits) {
  Sequential model{Input{1}, Dense{.units = 1, .use_bias = false}};
  model.set_weights(std::vector<Tensor>{Tensor::matrix({{1}})});
  const Tensor x({2, 1}, {0.25, 0.75});
  EXPECT_EQ(model.predict_classes(x), Tensor::vector({0, 1}));
  model.compile({.loss = MeanSquaredError{}, .metrics = {MeanPrediction{}}});
  EXPECT_EQ(model.predict_classes(x), Tensor::vector({0, 1}));
  EXPECT_EQ(model.evaluate(x, Tensor::vector({0, 1}))["mean_prediction"], 0.5);
}

}  // namespace
}  // namespace cornu
