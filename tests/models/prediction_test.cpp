#include <gtest/gtest.h>

#include <cmath>
#include <type_traits>

#include "cornu/core/error.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// evaluate, test_on_batch, predict and predict_classes.

namespace cornu {
namespace {

using namespace cornu::testing;

constexpr double prediction_rounding = std::is_same_v<Real, double> ? 1e-14 : 1e-6;

TEST(Evaluate, IsTheMeanOverAllSamplesWhateverTheBatchSize) {
  const TensorDataset data = blobs(50);
  const Sequential model = classifier();
  const Logs whole = model.evaluate(data, {.batch_size = 50});
  for (const Index batch_size : {1, 7, 32, 49, 1000}) {
    const Logs logs = model.evaluate(data, {.batch_size = batch_size});
    EXPECT_NEAR(logs["loss"], whole["loss"], 10 * prediction_rounding) << batch_size;
    EXPECT_EQ(logs["accuracy"], whole["accuracy"]) << batch_size;
  }
}

TEST(Evaluate, HasTheAccuracyOfPredictClasses) {
  const TensorDataset data = blobs(50);
  Sequential model = classifier();
  const Tensor classes = model.predict_classes(data.x());
  Index right = 0;
  for (Index i = 0; i < 50; ++i) right += classes[i] == data.y()[i] ? 1 : 0;
  EXPECT_EQ(model.evaluate(data)["accuracy"], static_cast<double>(right) / 50);
  EXPECT_GT(right, 0);
  EXPECT_LT(right, 50);
}

TEST(Evaluate, StopsAfterTheGivenSteps) {
  const TensorDataset data = blobs(50);
  const Sequential model = classifier();
  const DatasetSlice first(data, 0, 20);
  EXPECT_EQ(model.evaluate(data, {.batch_size = 10, .steps = 2})["loss"],
            model.evaluate(first, {.batch_size = 10})["loss"]);
  EXPECT_EQ(model.evaluate(data, {.batch_size = 10, .steps = 99})["loss"],
            model.evaluate(data, {.batch_size = 10})["loss"]);
}

TEST(Evaluate, OptionsOutOfRangeAreErrors) {
  const TensorDataset data = blobs(5);
  const Sequential model = classifier();
  expect_error<ValueError>([&] { model.evaluate(data, {.steps = -1}); },
                           "evaluate: steps is -1; it must not be negative");
  expect_error<ValueError>([&] { model.evaluate(data, {.batch_size = 0}); },
                           "batches: batch_size is 0; it must be at least 1");
}

TEST(Evaluate, ChangesNothing) {
  const TensorDataset data = blobs(20);
  Sequential model = classifier();
  const std::vector<Tensor> before = model.get_weights();
  const Logs first = model.evaluate(data), second = model.evaluate(data);
  EXPECT_EQ(first["loss"], second["loss"]);
  EXPECT_EQ(first["accuracy"], second["accuracy"]);
  EXPECT_EQ(model.get_weights(), before);
  EXPECT_EQ(model.optimizer().iterations(), 0);
}

TEST(TestOnBatch, IsEvaluateOfOneBatch) {
  const TensorDataset data = blobs(50);
  const Sequential model = classifier();
  const Logs logs = model.test_on_batch(data.x(), data.y()), whole = model.evaluate(data, {.batch_size = 50});
  EXPECT_EQ(logs["loss"], whole["loss"]);
  EXPECT_EQ(logs["accuracy"], whole["accuracy"]);
}

// ---- predict ----

TEST(Predict, IsForwardInInferenceMode) {
  const Sequential model = classifier();
  const Tensor x = normal({5, 2});
  Tape tape(Mode::inference);
  EXPECT_EQ(model.predict(x), Tensor(model.forward(tape.input(x)).value()));
  EXPECT_EQ(model.predict_on_batch(x), model.predict(x));
}

TEST(Predict, DependsOnTheBatchSizeOnlyByRounding) {
  // Not bit for bit: for another number of rows, BLAS may sum in another order.
  Sequential model{Input{20}, Dense{33, relu}, Dense{7}, Softmax{}};
  const Tensor x = normal({45, 20}), whole = model.predict(x, {.batch_size = 45});
  for (const Index batch_size : {1, 4, 32, 44, 46}) {
    const Tensor y = model.predict(x, {.batch_size = batch_size});
    ASSERT_EQ(y.shape(), Shape({45, 7}));
    for (Index i = 0; i < y.size(); ++i) {
      ASSERT_NEAR(static_cast<double>(y[i]), static_cast<double>(whole[i]), 10 * prediction_rounding)
          << batch_size << ", " << i;
    }
  }
}

TEST(Predict, OfOneBatchSizeIsTheSameBitsEveryTime) {
  const Sequential model = classifier();
  const Tensor x = normal({45, 2});
  EXPECT_EQ(model.predict(x, {.batch_size = 8}), model.predict(x, {.batch_size = 8}));
}

TEST(Predict, OfADatasetEqualsThatOfItsTensor) {
  const TensorDataset data = blobs(45);
  const Sequential model = classifier();
  EXPECT_EQ(model.predict(data, {.batch_size = 8}), model.predict(data.x(), {.batch_size = 8}));
  EXPECT_EQ(model.predict_classes(data), model.predict_classes(data.x()));
}

TEST(Predict, OfNoSamplesIsEmpty) {
  const Sequential model = classifier();
  const Tensor none({0, 2});
  EXPECT_EQ(model.predict(none).shape(), Shape({0, 3}));
  EXPECT_EQ(model.predict_on_batch(none).shape(), Shape({0, 3}));
  EXPECT_EQ(model.predict_classes(none).shape(), Shape{0});
  EXPECT_EQ(model.predict(TensorDataset(none, Tensor(Shape{0})).x()).shape(), Shape({0, 3}));
  const TensorDataset empty(none, Tensor(Shape{0}));
  EXPECT_EQ(model.predict(empty).shape(), Shape({0, 3}));
}

TEST(Predict, WhatDoesNotFitIsAnError) {
  const Sequential model = classifier();
  expect_error<ShapeError>(
      [&] {
        model.predict(normal({5, 3}));
      },
      "sequential: predict got an input of shape (5, 3); its first axis counts the samples, each of shape (2,)");
  expect_error<ShapeError>(
      [&] { model.predict(Tensor::scalar(1)); },
      "sequential: predict got an input of shape (); its first axis counts the samples, each of shape (2,)");
  expect_error<ShapeError>([&] { model.predict_on_batch(Tensor::scalar(1)); },
                           "sequential: predict_on_batch of shape (); the first axis must be the batch");
  const TensorDataset wide(normal({6, 4}), labels(6));
  expect_error<ShapeError>([&] { model.predict(wide); },
                           "sequential: predict got samples of shape (4,); the model takes (2,)");
  expect_error<ValueError>(
      [&] {
        model.predict(normal({5, 2}), {.batch_size = 0});
      },
      "predict: batch_size is 0; it must be positive");
  const TensorDataset data = blobs(5);
  expect_error<ValueError>([&] { model.predict(data, {.batch_size = 0}); },
                           "batches: batch_size is 0; it must be at least 1");
}

TEST(PredictClasses, AreTheIndicesOfTheLargestOutputs) {
  Sequential model{Input{3}, Scale{}};
  model.set_weights(std::vector<Tensor>{Tensor::scalar(2)});
  EXPECT_EQ(model.predict_classes(Tensor::matrix({{1, 3, 2}, {5, 0, 0}, {0, 0, 1}})), Tensor::vector({1, 0, 2}));
}

TEST(PredictClasses, OfOneOutputAre1AboveOneHalf) {
  Sequential model{Input{1}, Scale{}};
  model.set_weights(std::vector<Tensor>{Tensor::scalar(1)});
  EXPECT_EQ(model.predict_classes(Tensor({4, 1}, {Real(0.4), 0.5, Real(0.6), -1})), Tensor::vector({0, 0, 1, 0}));
}

TEST(PredictClasses, NeedOneRowOfOutputsPerSample) {
  const Sequential model{Input{4}, Reshape{2, 2}};
  expect_error<ShapeError>(
      [&] {
        model.predict_classes(normal({3, 4}));
      },
      "predict_classes: outputs are (3, 2, 2); (samples, classes) is required (is a Flatten missing?)");
}

}  // namespace
}  // namespace cornu
