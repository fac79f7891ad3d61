#include <gtest/gtest.h>

#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/datasets/batches.h"
#include "cornu/datasets/digits/digits.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/parity.h"

// Models learn, and a step does what the documentation says.

namespace cornu {
namespace {

using namespace cornu::testing;

// ---- Learning ----

TEST(Fit, LearnsASeparableProblem) {
  const TensorDataset data = blobs(300), test = blobs(150, 4);
  Sequential model = classifier();
  const History history = model.fit(data, {.epochs = 20, .verbose = Verbose::silent});
  EXPECT_LT(history["loss"].back(), 0.1 * history["loss"].front());
  EXPECT_GE(history["accuracy"].back(), 0.99);
  EXPECT_GE(model.evaluate(test)["accuracy"], 0.98);
}

TEST(Fit, LearnsALineByMeanSquaredError) {
  Tensor x({20, 1}), y({20, 1});
  for (Index i = 0; i < 20; ++i) {
    x[i] = static_cast<Real>(i) / 10 - 1;
    y[i] = 3 * x[i] + Real(0.5);
  }
  Sequential model = line_model();
  model.fit(x, y, {.batch_size = 5, .epochs = 100, .verbose = Verbose::silent});
  EXPECT_NEAR(static_cast<double>(model.get_weights()[0][0]), 3, 1e-3);
  EXPECT_NEAR(static_cast<double>(model.get_weights()[1][0]), 0.5, 1e-3);
  EXPECT_LT(model.evaluate(x, y)["loss"], 1e-6);
}

TEST(Fit, LearnsXorByBinaryCrossentropy) {
  const Tensor x = Tensor::matrix({{0, 0}, {0, 1}, {1, 0}, {1, 1}}), y = Tensor::vector({0, 1, 1, 0});
  Sequential model{Input{2}, Dense{8, tanh}, Dense{1, sigmoid}};
  model.compile(
      {.optimizer = SGD{.learning_rate = 0.5, .momentum = 0.9}, .loss = BinaryCrossentropy{}, .metrics = {Accuracy{}}});
  model.fit(x, y, {.batch_size = 4, .epochs = 400, .verbose = Verbose::silent});
  EXPECT_EQ(model.evaluate(x, y)["accuracy"], 1);
  EXPECT_EQ(model.predict_classes(x), y);
}

TEST(Fit, LearnsOneHotTargetsAsItLearnsLabels) {
  const TensorDataset data = blobs(30);
  Tensor one_hot({30, 3});
  for (Index i = 0; i < 30; ++i) one_hot.at({i, static_cast<Index>(data.y()[i])}) = 1;
  const FitOptions options{.batch_size = 8, .epochs = 2, .verbose = Verbose::silent};
  Sequential sparse = classifier(), categorical = sparse;
  categorical.compile(
      {.optimizer = SGD{.learning_rate = 0.1}, .loss = CategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  const History a = sparse.fit(data, options), b = categorical.fit(data.x(), one_hot, options);
  EXPECT_EQ(a["loss"], b["loss"]);
  EXPECT_EQ(a["accuracy"], b["accuracy"]);
  EXPECT_EQ(sparse.get_weights(), categorical.get_weights());
}

/// A tutorial's model learns Cornu's bundled digits.
void expect_to_learn_digits(Sequential& model, DatasetRef train, DatasetRef test) {
  model.compile(
      {.optimizer = SGD{.learning_rate = 0.1}, .loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  model.fit(train, {.epochs = 3, .verbose = Verbose::silent});
  EXPECT_GE(model.evaluate(test)["accuracy"], 0.7);  // measured: 0.77; chance level: 0.1
}

TEST(Fit, TrainsTheTutorialsModelThatBeginsWithFlatten) {
  const auto [train, test] = datasets::digits({.samples = 3000, .seed = 1});
  Sequential model{Flatten{28, 28}, Dense{128, relu}, Dense{10}, Softmax{}};
  EXPECT_TRUE(model.built());
  expect_to_learn_digits(model, train, test);
}

TEST(Fit, TrainsTheTutorialsModelWithoutAnInputShape) {
  const auto [train_images, test_images] = datasets::digits({.samples = 3000, .seed = 1});
  const auto as_rows = [](const ImageDataset& images) {
    Batcher batcher(images, {.batch_size = images.size()});
    const Batch& all = *batcher.next();
    Tensor x = all.x;
    x.reshape({images.size(), 784});
    return TensorDataset(std::move(x), all.y);
  };
  const TensorDataset train = as_rows(train_images), test = as_rows(test_images);
  Sequential model{Dense{64, relu}, Dense{10}, Softmax{}};
  EXPECT_FALSE(model.built());
  expect_to_learn_digits(model, train, test);
  EXPECT_EQ(model.input_shape(), Shape{784});
}

// ---- One step ----

TEST(TrainOnBatch, EqualsTheLoopWrittenByHandBitForBit) {
  const TensorDataset train = blobs(40);
  for (const SGD& rule :
       {SGD{.learning_rate = 0.1}, SGD{.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 0.01}}) {
    Sequential model = classifier(rule), by_hand = model;
    Tape tape(Mode::training);
    Optimizer optimizer(rule, by_hand.parameters());
    for (const Batch& batch : batches(train, {.batch_size = 16, .shuffle_seed = 1})) {
      tape.clear();
      const Var y = by_hand.forward(tape.input(batch.x));
      const Var loss = sparse_categorical_crossentropy(y, batch.y);
      optimizer.minimize(loss);

      EXPECT_EQ(model.train_on_batch(batch.x, batch.y)["loss"], static_cast<double>(loss.item()));
      EXPECT_EQ(model.get_weights(), by_hand.get_weights());
    }
  }
}

TEST(TrainOnBatch, ReturnsTheLossAndMetricsBeforeTheStep) {
  const TensorDataset data = blobs(30);
  Sequential model = classifier();
  const Logs before = model.test_on_batch(data.x(), data.y());
  const Logs& logs = model.train_on_batch(data.x(), data.y());
  EXPECT_EQ(logs["loss"], before["loss"]);
  EXPECT_EQ(logs["accuracy"], before["accuracy"]);
  const double first = logs["loss"];
  EXPECT_LT(model.train_on_batch(data.x(), data.y())["loss"], first);  // the loss of this batch alone, not of both
  EXPECT_EQ(logs.size(), 2U);
}

TEST(TrainOnBatch, WeighsSamples) {
  const Tensor x = Tensor::matrix({{1}, {2}}), y = Tensor::matrix({{1}, {1}});
  Sequential model = line_model(SGD{.learning_rate = 1});
  model.set_weights(std::vector<Tensor>{Tensor::matrix({{0}}), Tensor::vector({0})});
  // Losses 1 and 1, slopes with respect to the prediction -2 and -2; weights 0.5 and 0.25, and the mean is over two
  // samples.
  EXPECT_EQ(model.train_on_batch(x, y, Tensor::vector({0.5, 0.25}))["loss"], 0.375);
  EXPECT_EQ(model.get_weights()[0][0], Real(1));     // (0.5 * 2 * 1 + 0.25 * 2 * 2) / 2
  EXPECT_EQ(model.get_weights()[1][0], Real(0.75));  // (0.5 * 2 + 0.25 * 2) / 2
  expect_error<ShapeError>(
      [&] {
        model.train_on_batch(x, y, Tensor::vector({1, 1, 1}));
      },
      "mean_squared_error: sample weights are (3,) and losses (2, 1); one weight for each sample or for each loss "
      "is required");
  expect_error<ShapeError>(
      [&] {
        model.test_on_batch(x, y, Tensor::vector({1, 1, 1}));
      },
      "sample_weight is (3,); one weight for each of 2 samples, or for each of their time steps, is required");
}

TEST(TrainOnBatch, RefusesInputsThatAreNotABatch) {
  Sequential model = line_model();
  expect_error<ShapeError>([&] { model.train_on_batch(Tensor::scalar(1), Tensor::scalar(1)); },
                           "sequential: train_on_batch of shape (); the first axis must be the batch, with at "
                           "least one sample");
  expect_error<ShapeError>(
      [&] {
        model.train_on_batch(Tensor({0, 1}), Tensor({0, 1}));
      },
      "sequential: train_on_batch of shape (0, 1); the first axis must be the batch, with at "
      "least one sample");
  expect_error<ShapeError>(
      [&] {
        model.train_on_batch(normal({4, 2}), normal({4, 1}));
      },
      "sequential: an input of shape (4, 2); (4, 1) is required, batch first");
  expect_error<ShapeError>(
      [&] {
        model.train_on_batch(normal({4, 1}), normal({3, 1}));
      },
      "mean_squared_error: predictions are (4, 1) and targets (3, 1); equal shapes are required");
  EXPECT_EQ(model.optimizer().iterations(), 0);
}

TEST(Training, DropoutIsActiveInFitAndInactiveOtherwise) {
  // All weights are 1 and the learning rate is 0, so the output shows what was dropped.
  Sequential model{Input{64}, Dropout{0.5}, Dense{.units = 1, .use_bias = false, .kernel_initializer = ones}};
  model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = MeanSquaredError{}});
  const Tensor x = Tensor::full({8, 64}, 1), y = Tensor::full({8, 1}, 64);
  const History history = model.fit(x, y, {.batch_size = 4, .epochs = 2, .verbose = Verbose::silent});
  EXPECT_GT(history["loss"][0], 1);
  EXPECT_GT(history["loss"][1], 1);
  EXPECT_NE(history["loss"][0], history["loss"][1]);
  EXPECT_EQ(model.evaluate(x, y)["loss"], 0);
  EXPECT_EQ(model.predict(x), y);
  EXPECT_GT(model.train_on_batch(x, y)["loss"], 1);
}

TEST(Training, TheLearningRateMayFollowASchedule) {
  const Tensor x = Tensor::matrix({{1}}), y = Tensor::matrix({{0}});
  const PiecewiseConstantDecay schedule{.boundaries = {1},
                                        .values = {
                                            0.5,
                                            0.25,
                                        }};
  Sequential model{Input{1}, Dense{.units = 1, .use_bias = false, .kernel_initializer = ones}};
  model.compile({.optimizer = SGD{.learning_rate = schedule}, .loss = [](Var p, Var t) { return mean(p - t); }});
  for (int step = 0; step < 4; ++step) {  // the gradient is always 1
    const auto before = static_cast<double>(model.get_weights()[0][0]);
    EXPECT_EQ(model.optimizer().learning_rate(), schedule(step));
    model.train_on_batch(x, y);
    EXPECT_EQ(before - static_cast<double>(model.get_weights()[0][0]), schedule(step));
  }
  EXPECT_NE(schedule(0), schedule(3));
}

// ---- User-defined parts ----

TEST(Training, WorksOnAUsersDataset) {
  Sequential model{Dense{1, sigmoid}};
  model.compile({.optimizer = SGD{.learning_rate = 1}, .loss = BinaryCrossentropy{}, .metrics = {Accuracy{}}});
  const Parity parity;
  model.fit(parity, {.epochs = 20, .verbose = Verbose::silent});
  EXPECT_EQ(model.evaluate(parity)["accuracy"], 1);
}

TEST(Training, TrainsTheParametersOfAUsersLayer) {
  Sequential model{Input{1}, Scale{}};
  model.compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = MeanSquaredError{}});
  const Tensor x = Tensor::matrix({{1}, {2}, {-1}}), y = Tensor::matrix({{3}, {6}, {-3}});
  model.fit(x, y, {.epochs = 100, .verbose = Verbose::silent});
  EXPECT_NEAR(static_cast<double>(model.get_weights()[0].item()), 3, 1e-5);
}

void expect_unlisted_parameter(Sequential model) {
  expect_error<StateError>(
      [&] {
        model.train_on_batch(normal({4, 1}), normal({4, 1}));
      },
      "sequential: forward reads a Parameter that no layer's parameters() lists; it would not be "
      "trained");
}

TEST(Training, AParameterThatALayerDoesNotListIsAnError) {
  struct Forgetful {
    Parameter weight{Tensor::scalar(1)};
    Var forward(Var x) const { return x * weight; }
  };
  Sequential model{Input{1}, Forgetful{}};
  model.compile({.loss = MeanSquaredError{}});
  expect_unlisted_parameter(std::move(model));
}

TEST(Training, AnUpdateOfAParameterThatALayerDoesNotListIsAnError) {
  struct Counter {
    Parameter count{Tensor::scalar(0), false};
    Var forward(Var x) const {
      x.tape().record_update(count, x.tape().constant(1));
      return x;
    }
  };
  Sequential model{Input{1}, Dense{1}, Counter{}};
  model.compile({.loss = MeanSquaredError{}});
  expect_unlisted_parameter(std::move(model));
}

TEST(Training, FixedParametersStayAsTheyAre) {
  Sequential model = classifier();
  model.get_layer(0).as<Dense>()->kernel.trainable = false;
  const std::vector<Tensor> before = model.get_weights();
  model.fit(blobs(30).x(), labels(30), {.verbose = Verbose::silent});
  const std::vector<Tensor> after = model.get_weights();
  EXPECT_EQ(after[0], before[0]);
  EXPECT_NE(after[1], before[1]);
}

}  // namespace
}  // namespace cornu
