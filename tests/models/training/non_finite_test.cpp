#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/layers/regularization/dropout.h"
#include "cornu/models/callbacks/callbacks.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

// Behaviour when a loss becomes non-finite.

namespace cornu {
namespace {

using namespace cornu::testing;

constexpr Real largest = std::numeric_limits<Real>::max();

/// NaN for negative numbers.
struct Logarithm {
  Var forward(Var x) const { return log(x); }
};

/// y = w x + b with weights 0. One step on the first of these samples changes the weights to half of the largest value,
/// so the second overflows.
const TensorDataset steep(Tensor({2, 1}, {1, 4}), Tensor({2, 1}, {1, 1}));

Sequential about_to_overflow(double momentum = 0) {
  Sequential model = line_model(SGD{.learning_rate = static_cast<double>(largest) / 4, .momentum = momentum});
  model.set_weights(std::vector<Tensor>{Tensor::matrix({{0}}), Tensor::vector({0})});
  return model;
}

const FitOptions one_by_one{.batch_size = 1, .epochs = 3, .verbose = Verbose::silent, .shuffle = false};

TEST(NonFinite, TooLargeALearningRateNamesEpochBatchAndLayer) {
  Sequential model = about_to_overflow();
  expect_error<NonFiniteError>([&] { model.fit(steep, one_by_one); },
                               "sequential: fit: the loss is inf in epoch 1 of 3, batch 2 of 2: dense is the first "
                               "layer whose output is not finite; if training diverges, lower the learning rate, which "
                               "is " +
                                   message("{}", static_cast<double>(largest) / 4));
}

TEST(NonFinite, LargeInputsSuggestScaling) {
  Sequential model = line_model(SGD{.learning_rate = 0.1});
  Tensor x({8, 1}, {0, 255, 10, 20, 30, 40, 50, 60});
  const std::string text = error_of<NonFiniteError>([&] {
    model.fit(x, normal({8, 1}), {.epochs = 100, .verbose = Verbose::silent});
  });
  EXPECT_TRUE(
      text.ends_with("; if training diverges, lower the learning rate, which is 0.1, or scale the inputs, which "
                     "range from 0 to 255, to about -1 to 1, as Normalization does"))
      << text;
  for (Real& value : x) value /= 255;
  EXPECT_NO_THROW(line_model().fit(x, normal({8, 1}), {.epochs = 100, .verbose = Verbose::silent}));
}

TEST(NonFinite, ALossThatOverflowsIsDivergence) {
  Sequential model = line_model(SGD{.learning_rate = 1e3});
  const std::string text = error_of<NonFiniteError>([&] {
    model.fit(normal({8, 1}), normal({8, 1}, 6), {.epochs = 1000, .verbose = Verbose::silent});
  });
  EXPECT_TRUE(text.ends_with("; if training diverges, lower the learning rate, which is 1000")) << text;
}

TEST(NonFinite, TheWeightsAreThoseBeforeTheStep) {
  for (const double momentum : {0.0, 0.5}) {
    Sequential model = about_to_overflow(momentum);
    EXPECT_THROW(model.fit(steep, one_by_one), NonFiniteError);
    EXPECT_EQ(model.get_weights(),
              (std::vector<Tensor>{Tensor::matrix({{largest / 2}}), Tensor::vector({largest / 2})}));
    EXPECT_EQ(model.optimizer().iterations(), 1);
    for (const Tensor& slot : model.optimizer().state()) EXPECT_EQ(slot[0], largest / 2);
  }
}

TEST(NonFinite, TheModelCanBeTrainedAfterwards) {
  Sequential model = classifier(), never_failed = model;
  const TensorDataset good = blobs(6);
  Tensor bad = good.x();
  bad[3] = nan;
  EXPECT_THROW(model.train_on_batch(bad, good.y()), NonFiniteError);
  EXPECT_EQ(model.train_on_batch(good.x(), good.y())["loss"], never_failed.train_on_batch(good.x(), good.y())["loss"]);
  EXPECT_EQ(model.get_weights(), never_failed.get_weights());
}

TEST(NonFinite, TheFirstOfSeveralLayersIsNamed) {
  Sequential model{Input{2}, Dense{3}, Dense{3}, Logarithm{}, Dense{3}};
  model.compile({.loss = MeanSquaredError{}});
  model.get_layer("dense_1").as<Dense>()->bias.value.fill(-1000);
  expect_error<NonFiniteError>(
      [&] {
        model.train_on_batch(normal({4, 2}), normal({4, 3}));
      },
      "sequential: train_on_batch: the loss is nan: logarithm is the first layer whose output "
      "is not finite");
}

TEST(NonFinite, InANestedModelThePathIsNamed) {
  Sequential model{Input{2},
                   Sequential({Dense{3}, Sequential({Dense{3}, Logarithm{}}, {.name = "core"})}, {.name = "body"}),
                   Dense{1}};
  model.compile({.loss = MeanSquaredError{}});
  auto* body = model.get_layer("body").as<Sequential>();
  body->get_layer("core").as<Sequential>()->get_layer(0).as<Dense>()->bias.value.fill(-1000);
  expect_error<NonFiniteError>(
      [&] {
        model.train_on_batch(normal({4, 2}), normal({4, 1}));
      },
      "sequential: train_on_batch: the loss is nan: body/core/logarithm is the first layer "
      "whose output is not finite");
}

TEST(NonFinite, TheSearchForTheLayerRepeatsTheRandomNumbers) {
  // In about half of the steps all of the input is dropped; only then is the logarithm infinite.
  Sequential model{Input{1}, Dropout{0.5}, Logarithm{}, Dense{.units = 1, .kernel_initializer = ones}};
  model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = MeanSquaredError{}});
  const Tensor x = Tensor::matrix({{1}}), y = Tensor::matrix({{1}});
  int failures = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    try {
      model.fit(x, y, {.verbose = Verbose::silent, .seed = seed});
    } catch (const NonFiniteError& error) {
      EXPECT_STREQ(error.what(),
                   "sequential: fit: the loss is inf in epoch 1 of 1, batch 1 of 1: logarithm is the first layer whose "
                   "output is not finite");
      ++failures;
    }
  }
  EXPECT_GT(failures, 0);
  EXPECT_LT(failures, 20);
}

TEST(NonFinite, ANonFiniteInputIsReported) {
  Sequential model = classifier();
  Tensor x = normal({8, 2});
  x[11] = std::numeric_limits<Real>::infinity();
  expect_error<NonFiniteError>(
      [&] { model.fit(x, labels(8), {.batch_size = 4, .verbose = Verbose::silent, .shuffle = false}); },
      "sequential: fit: the loss is nan in epoch 1 of 1, batch 2 of 2: the input itself is not "
      "finite");
  x[11] = nan;
  expect_error<NonFiniteError>([&] { model.train_on_batch(x, labels(8)); },
                               "sequential: train_on_batch: the loss is nan: the input itself is not finite");
}

TEST(NonFinite, NonFiniteTargetsAndWeightsAreReported) {
  const std::string where = "every layer's output is finite; the targets, their weights or the loss itself are not";
  Sequential model = line_model();
  expect_error<NonFiniteError>(
      [&] {
        model.train_on_batch(normal({2, 1}), Tensor({2, 1}, {1, nan}));
      },
      "sequential: train_on_batch: the loss is nan: " + where);
  expect_error<NonFiniteError>(
      [&] {
        model.train_on_batch(normal({2, 1}), normal({2, 1}), Tensor::vector({1, nan}));
      },
      "sequential: train_on_batch: the loss is nan: " + where);
  Sequential sparse = classifier();
  expect_error<ValueError>(
      [&] {
        sparse.train_on_batch(normal({2, 2}), Tensor::vector({0, nan}));
      },
      "sparse_categorical_crossentropy: label nan in row 1; labels are whole numbers from 0 to 2");
}

TEST(NonFinite, TerminateOnNaNEndsTheRunQuietly) {
  Sequential model = about_to_overflow();
  FitOptions options = one_by_one;
  options.callbacks = {TerminateOnNaN{}};
  const History history = model.fit(steep, options);
  EXPECT_EQ(history.epoch, std::vector<Index>{0});
  EXPECT_FALSE(std::isfinite(history["loss"][0]));
  EXPECT_EQ(model.get_weights()[0][0], largest / 2);
}

TEST(NonFinite, IsNotAnErrorInEvaluation) {
  Sequential model = line_model();
  const Tensor x = Tensor({1, 1}, {nan}), y = Tensor({1, 1});
  EXPECT_TRUE(std::isnan(model.evaluate(x, y)["loss"]));
  EXPECT_TRUE(std::isnan(model.predict(x)[0]));
}

}  // namespace
}  // namespace cornu
