#include <gtest/gtest.h>

#include <cmath>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/datasets/batches.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/models/callbacks/callbacks.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// The arguments of fit, and the history that it returns.

namespace cornu {
namespace {

using namespace cornu::testing;

/// Records which rows were gathered. Row i has the value i; all targets are 0.
struct Recording {
  Index samples;
  std::vector<std::vector<Index>>* asked;

  Index size() const { return samples; }
  Shape feature_shape() const { return {1}; }
  Shape target_shape() const { return {1}; }
  void gather(std::span<const Index> rows, View x, View y) const {
    asked->emplace_back(rows.begin(), rows.end());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      x[static_cast<Index>(i)] = static_cast<Real>(rows[i]);
      y[static_cast<Index>(i)] = 0;
    }
  }
};

using RowLists = std::vector<std::vector<Index>>;

/// A model for tests that only check its input.
Sequential indifferent() { return line_model(SGD{.learning_rate = 0}); }

RowLists rows_of_fit(Index samples, FitOptions options) {
  RowLists asked;
  const Recording data{samples, &asked};
  options.verbose = Verbose::silent;
  indifferent().fit(data, options);
  return asked;
}

// ---- Order ----

TEST(Fit, WithoutShuffleKeepsTheOrder) {
  EXPECT_EQ(rows_of_fit(5, {.batch_size = 2, .epochs = 2, .shuffle = false}),
            (RowLists{{0, 1}, {2, 3}, {4}, {0, 1}, {2, 3}, {4}}));
}

TEST(Fit, ReshufflesEveryEpoch) {
  const RowLists rows = rows_of_fit(6, {.batch_size = 6, .epochs = 2, .seed = 5});
  EXPECT_EQ(rows, (RowLists{Rng(5, 1).permutation(6), Rng(5, 2).permutation(6)}));
  EXPECT_NE(rows[0], rows[1]);
  EXPECT_NE(rows, rows_of_fit(6, {.batch_size = 6, .epochs = 2, .seed = 6}));
}

TEST(Fit, StepsPerEpochContinuesWhereTheLastEpochStoppedAndWrapsAround) {
  EXPECT_EQ(rows_of_fit(5, {.batch_size = 2, .epochs = 2, .shuffle = false, .steps_per_epoch = 2}),
            (RowLists{{0, 1}, {2, 3}, {4}, {0, 1}}));
  EXPECT_EQ(rows_of_fit(3, {.batch_size = 2, .epochs = 1, .shuffle = false, .steps_per_epoch = 5}),
            (RowLists{{0, 1}, {2}, {0, 1}, {2}, {0, 1}}));
}

TEST(Fit, StepsPerEpochReshufflesAfterEachPass) {
  const RowLists rows = rows_of_fit(4, {.batch_size = 2, .epochs = 3, .steps_per_epoch = 1, .seed = 2});
  const std::vector<Index> first = Rng(2, 1).permutation(4), second = Rng(2, 2).permutation(4);
  EXPECT_EQ(rows, (RowLists{{first[0], first[1]}, {first[2], first[3]}, {second[0], second[1]}}));
}

TEST(Fit, InitialEpochContinuesLikeAnUninterruptedRun) {
  const TensorDataset data = blobs(30);
  for (const Index steps : {0, 3}) {  // 3: four batches per pass, so that epochs and passes do not coincide
    Sequential whole{Input{2}, Dense{8, relu}, Dropout{0.3}, Dense{3}, Softmax{}};
    whole.compile({.optimizer = SGD{.momentum = 0.9}, .loss = SparseCategoricalCrossentropy{}});
    Sequential parts = whole;
    FitOptions options{.batch_size = 8, .epochs = 5, .verbose = Verbose::silent, .steps_per_epoch = steps, .seed = 3};
    const History history = whole.fit(data, options);
    options.epochs = 2;
    parts.fit(data, options);
    options.epochs = 5;
    options.initial_epoch = 2;
    const History rest = parts.fit(data, options);
    EXPECT_EQ(parts.get_weights(), whole.get_weights());
    EXPECT_EQ(rest.epoch, (std::vector<Index>{2, 3, 4}));
    EXPECT_EQ(rest["loss"], (std::vector<double>(history["loss"].begin() + 2, history["loss"].end())));
  }
}

// ---- History ----

TEST(History, HasLossMetricsAndValidationOfEveryEpoch) {
  const TensorDataset data = blobs(30), validation = blobs(9, 7);
  Sequential model = classifier();
  const History history =
      model.fit(data, {.batch_size = 8, .epochs = 3, .verbose = Verbose::silent, .validation_data = validation});
  std::vector<std::string> names;
  for (const auto& [name, values] : history.history) {
    names.push_back(name);
    EXPECT_EQ(values.size(), 3U);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"accuracy", "loss", "val_accuracy", "val_loss"}));
  EXPECT_EQ(history.epoch, (std::vector<Index>{0, 1, 2}));
  EXPECT_EQ(history.params.epochs, 3);
  EXPECT_EQ(history.params.steps, 4);
  EXPECT_FALSE(history.interrupted);
  const Logs now = model.evaluate(validation, {.batch_size = 8});
  EXPECT_EQ(history["val_loss"].back(), now["loss"]);
  EXPECT_EQ(history["val_accuracy"].back(), now["accuracy"]);
}

TEST(History, OfNoEpochsIsEmpty) {
  Sequential model = classifier();
  const std::vector<Tensor> before = model.get_weights();
  const TensorDataset data = blobs(30);
  EXPECT_TRUE(model.fit(data, {.epochs = 0, .verbose = Verbose::silent}).epoch.empty());
  EXPECT_TRUE(model.fit(data, {.epochs = 3, .verbose = Verbose::silent, .initial_epoch = 3}).history.empty());
  EXPECT_EQ(model.get_weights(), before);
}

TEST(History, TheLossIsTheMeanOverSamplesNotOverBatches) {
  // Predictions 0, targets 1, 1, 2: losses 1, 1, 4. Averaged over batches of 2 it would be (1 + 4) / 2.
  Sequential model = indifferent();
  model.set_weights(std::vector<Tensor>{Tensor::matrix({{0}}), Tensor::vector({0})});
  const Tensor x = Tensor({3, 1}), y = Tensor({3, 1}, {1, 1, 2});
  const FitOptions options{.batch_size = 2, .verbose = Verbose::silent, .shuffle = false};
  EXPECT_EQ(model.fit(x, y, options)["loss"].front(), 2);
}

TEST(History, MetricsMayBeLossesAndMayShareAName) {
  Sequential model{Input{2}, Dense{3}, Softmax{}};
  model.compile({.loss = SparseCategoricalCrossentropy{},
                 .metrics = {SparseCategoricalCrossentropy{}, Accuracy{}, Accuracy{}, TopKAccuracy{.k = 2}}});
  const TensorDataset data = blobs(30);
  const Logs logs = model.evaluate(data, {.batch_size = 7});
  std::vector<std::string> names;
  for (const Logs::Entry& entry : logs) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"loss", "sparse_categorical_crossentropy", "accuracy", "accuracy_1",
                                             "top_k_accuracy"}));
  EXPECT_NEAR(logs["sparse_categorical_crossentropy"], logs["loss"], 1e-6);
  EXPECT_EQ(logs["accuracy_1"], logs["accuracy"]);
  EXPECT_GE(logs["top_k_accuracy"], logs["accuracy"]);
}

// ---- Validation ----

TEST(Fit, ValidationSplitTakesTheLastSamplesBeforeShuffling) {
  const RowLists rows = rows_of_fit(10, {.batch_size = 4, .epochs = 1, .validation_split = 0.3, .seed = 1});
  ASSERT_EQ(rows.size(), 3U);
  std::vector<Index> learnt = rows[0];
  learnt.insert(learnt.end(), rows[1].begin(), rows[1].end());
  EXPECT_EQ(learnt, Rng(1, 1).permutation(7));
  EXPECT_EQ(rows[2], (std::vector<Index>{7, 8, 9}));
}

TEST(Fit, ValidationDataOverridesTheSplit) {
  RowLists asked, validated;
  const Recording data{4, &asked}, validation{2, &validated};
  indifferent().fit(data, {.batch_size = 4,
                           .verbose = Verbose::silent,
                           .validation_split = 0.5,
                           .validation_data = validation,
                           .shuffle = false});
  EXPECT_EQ(asked, (RowLists{{0, 1, 2, 3}}));
  EXPECT_EQ(validated, (RowLists{{0, 1}}));
}

TEST(Fit, ValidatesEveryValidationFreqEpochs) {
  const TensorDataset data = blobs(9);
  const History history =
      classifier().fit(data, {.epochs = 5, .verbose = Verbose::silent, .validation_data = data, .validation_freq = 2});
  EXPECT_EQ(history["loss"].size(), 5U);
  EXPECT_EQ(history["val_loss"].size(), 2U);  // after the second and the fourth
}

TEST(Fit, ValidatesWithItsOwnBatchSizeAndSteps) {
  RowLists asked, validated;
  const Recording data{4, &asked}, validation{5, &validated};
  const FitOptions options{.batch_size = 2, .verbose = Verbose::silent, .validation_data = validation};
  indifferent().fit(data, options);
  EXPECT_EQ(validated, (RowLists{{0, 1}, {2, 3}, {4}}));
  validated.clear();
  FitOptions fewer = options;
  fewer.validation_batch_size = 3;
  fewer.validation_steps = 1;
  indifferent().fit(data, fewer);
  EXPECT_EQ(validated, (RowLists{{0, 1, 2}}));
}

// ---- Errors ----

TEST(Fit, OptionsOutOfRangeAreErrors) {
  const TensorDataset data = blobs(6);
  Sequential model = classifier();
  const auto expect = [&](const FitOptions& options, const char* text) {
    expect_error<ValueError>([&] { model.fit(data, options); }, text);
  };
  expect({.batch_size = 0}, "fit: batch_size is 0; it must be at least 1");
  expect({.epochs = -1}, "fit: epochs is -1; it must be at least 0");
  expect({.initial_epoch = -1}, "fit: initial_epoch is -1; it must be at least 0");
  expect({.steps_per_epoch = -1}, "fit: steps_per_epoch is -1; it must be at least 0");
  expect({.validation_steps = -1}, "fit: validation_steps is -1; it must be at least 0");
  expect({.validation_batch_size = -1}, "fit: validation_batch_size is -1; it must be at least 0");
  expect({.validation_freq = 0}, "fit: validation_freq is 0; it must be at least 1");
  expect({.validation_split = 1}, "fit: validation_split is 1; it must be in [0, 1)");
  expect({.validation_split = -0.5}, "fit: validation_split is -0.5; it must be in [0, 1)");
  expect({.validation_split = std::nan("")}, "fit: validation_split is nan; it must be in [0, 1)");
  EXPECT_EQ(model.optimizer().iterations(), 0);
}

TEST(Fit, DataThatDoesNotFitIsAnError) {
  const FitOptions quiet{.verbose = Verbose::silent};
  const TensorDataset data = blobs(6);
  Sequential model = classifier();
  expect_error<ValueError>(
      [&] {
        model.fit(Tensor({0, 2}), Tensor(Shape{0}), quiet);
      },
      "batches: the dataset is empty");
  expect_error<ValueError>([&] { model.evaluate(Tensor({0, 2}), Tensor(Shape{0})); }, "batches: the dataset is empty");
  expect_error<ShapeError>(
      [&] {
        model.fit(normal({6, 4}), labels(6), quiet);
      },
      "sequential: fit got samples of shape (4,); the model takes (2,)");
  const TensorDataset wide(normal({6, 4}), labels(6));
  expect_error<ShapeError>([&] { model.fit(data, {.verbose = Verbose::silent, .validation_data = wide}); },
                           "sequential: validation got samples of shape (4,); the model takes (2,)");
  expect_error<ShapeError>([&] { model.evaluate(wide); },
                           "sequential: evaluate got samples of shape (4,); the model takes (2,)");
  expect_error<ShapeError>(
      [&] {
        model.fit(normal({6, 2}), labels(5), quiet);
      },
      "TensorDataset: x is (6, 2) but y is (5,); their first axes count the samples and must "
      "agree");
  expect_error<ValueError>(
      [&] {
        model.fit(normal({6, 2}), labels(6, 4), {.verbose = Verbose::silent, .shuffle = false});
      },
      "fit, epoch 1 of 1, batch 1 of 1: sparse_categorical_crossentropy: label 3 in row 3; labels are whole numbers "
      "from 0 to 2");
  expect_error<StateError>([&] { model.fit(DatasetRef(), quiet); },
                           "DatasetRef: it refers to no dataset (was it constructed from a null pointer?)");
  EXPECT_EQ(model.optimizer().iterations(), 0);
}

}  // namespace
}  // namespace cornu
