#include "cornu/core/regularizer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/freeze.h"
#include "cornu/layers/reshaping/flatten.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/optim/adam.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

// Penalties in the loss and their effect on the weights; constraints on weights.

namespace cornu {
namespace {

using testing::expect_error;
using testing::nan;
using testing::normal;
using testing::Weights;
using testing::weights_of;

constexpr bool is_double = std::is_same_v<Real, double>;
constexpr double penalty_tolerance = is_double ? 1e-13 : 2e-5;

/// The value of a penalty on a tensor.
double penalty_of(const Regularizer& regularizer, const Tensor& x) {
  Tape tape;
  return static_cast<double>(regularizer(tape.input(x)).item());
}

TEST(Regularizer, MatchesKeras) {
  const Tensor x = Tensor::matrix({{1, -2}, {0, 3}});
  EXPECT_NEAR(penalty_of(L1{}, x), 0.06, 1e-7);
  EXPECT_NEAR(penalty_of(L2{}, x), 0.14, 1e-7);
  EXPECT_NEAR(penalty_of(L1L2{.l1 = 0.5, .l2 = 0.25}, x), 3 + 3.5, 1e-6);
  EXPECT_NEAR(penalty_of(L1L2{.l2 = 0.1}, x), 1.4, 1e-6);
  EXPECT_EQ(penalty_of(L1L2{}, x), 0);
  EXPECT_FALSE(Regularizer(L1L2{}));
}

TEST(Regularizer, RefusesInvalidFactors) {
  expect_error<ValueError>([] { Regularizer(L2{-1}); },
                           "regularizer: l1 is 0 and l2 is -1; they must be finite and not negative");
  expect_error<ValueError>([] { Regularizer(L1{std::numeric_limits<double>::infinity()}); },
                           "regularizer: l1 is inf and l2 is 0; they must be finite and not negative");
}

TEST(Regularizer, OfAnEmptyBatchIsZero) {
  Tape tape;
  const Tensor none({0, 3});
  Regularizer(L1L2{.l1 = 0.5, .l2 = 0.25}).add_loss(tape.input(none));
  ASSERT_EQ(tape.losses().size(), 1U);
  EXPECT_EQ(tape.losses()[0].item(), 0);
}

const Dense penalized{.units = 2,
                      .activation = tanh,
                      .kernel_regularizer = L1L2{.l1 = 0.02, .l2 = 0.03},
                      .bias_regularizer = L2{0.1},
                      .activity_regularizer = L2{0.05}};

Sequential penalized_model(const Dense& layer, AnyOptimizer optimizer = SGD{.learning_rate = 0.05}) {
  Sequential model{Input{3}, layer, Dense{1}};
  model.compile({.optimizer = std::move(optimizer), .loss = MeanSquaredError{}, .metrics = {MeanSquaredError{}}});
  return model;
}

/// The expected loss of a batch for `penalized`.
Var loss_by_hand(const Weights& w, Var x, Var y) {
  Tape& tape = x.tape();
  const Var hidden = tanh(affine(x, w[0], w[1]));
  const Var k = tape.parameter(w[0]), b = tape.parameter(w[1]);
  return mean(square(affine(hidden, w[2], w[3]) - y)) + sum(abs(k)) * 0.02 + sum(square(k)) * 0.03 +
         sum(square(b)) * 0.1 + sum(square(hidden)) * 0.05 / x.shape()[0];
}

void expect_near(const std::vector<Tensor>& got, const Weights& expected) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    for (Index k = 0; k < got[i].size(); ++k) EXPECT_NEAR(got[i][k], expected[i].value[k], penalty_tolerance) << i;
  }
}

TEST(Regularizers, TrainLikeATapeWrittenByHandForAnySharding) {
  const Tensor x = normal({40, 3}), y = normal({40, 1}, 6);
  for (const Index shard_size : {40, 20, 9, 3}) {  // whole, at once, and in turn
    for (const double momentum : {0.0, 0.9}) {     // with and without deferred products
      Sequential model = penalized_model(penalized, SGD{.learning_rate = 0.05, .momentum = momentum});
      Weights weights = weights_of(model);
      const History history = model.fit(x, y,
                                        {.batch_size = 40,
                                         .epochs = 20,
                                         .verbose = Verbose::silent,
                                         .shuffle = false,
                                         .threads = 2,
                                         .shard_size = shard_size});
      NamedParameters named;
      for (Parameter& weight : weights) named.push_back({"w", &weight});
      Optimizer optimizer(SGD{.learning_rate = 0.05, .momentum = momentum}, named);
      Tape tape;
      for (std::size_t epoch = 0; epoch < 20; ++epoch) {
        tape.clear();
        const Var loss = loss_by_hand(weights, tape.input(x), tape.input(y));
        EXPECT_NEAR(history["loss"][epoch], static_cast<double>(loss.item()), penalty_tolerance);
        optimizer.step(tape.backward(loss));
      }
      expect_near(model.get_weights(), weights);
    }
  }
}

TEST(Regularizers, AddToTheLossOfTrainingAndEvaluationNotToMetrics) {
  Sequential model = penalized_model(penalized);
  const Tensor x = normal({30, 3}), y = normal({30, 1}, 6);
  const Weights weights = weights_of(model);
  Tape tape;
  const auto expected = static_cast<double>(loss_by_hand(weights, tape.input(x), tape.input(y)).item());
  Logs logs = model.evaluate(x, y, {.batch_size = 10});
  EXPECT_NEAR(logs["loss"], expected, penalty_tolerance);
  const Tensor p = model.predict(x);
  double mse = 0;
  for (Index i = 0; i < 30; ++i) mse += static_cast<double>((p[i] - y[i]) * (p[i] - y[i])) / 30;
  EXPECT_NEAR(logs["mean_squared_error"], mse, penalty_tolerance);
  const Logs& trained = model.train_on_batch(x, y);
  EXPECT_NEAR(trained["loss"], expected, penalty_tolerance);
  EXPECT_NEAR(trained["mean_squared_error"], mse, penalty_tolerance);
  const History history = penalized_model(penalized).fit(
      x, y, {.batch_size = 30, .verbose = Verbose::silent, .validation_data = nullptr, .shard_size = 7});
  EXPECT_NEAR(history["loss"][0], expected, penalty_tolerance);
}

TEST(Regularizers, DoNotPreventSharding) {
  const Tensor x = normal({40, 3}), y = normal({40, 1}, 6);
  const auto weights = [&](Index shard_size, Index threads) {
    Sequential model = penalized_model(penalized);
    model.fit(x, y, {.batch_size = 40, .verbose = Verbose::silent, .threads = threads, .shard_size = shard_size});
    return model.get_weights();
  };
  EXPECT_NE(weights(7, 1), weights(40, 1)) << "shards must sum in another order";
  EXPECT_EQ(weights(7, 1), weights(7, 3));
}

TEST(Regularizers, OfFrozenParametersAreNotInTheLoss) {
  Sequential model = penalized_model({.units = 2, .kernel_regularizer = L2{0.5}});
  freeze(model.get_layer(0));
  const Tensor x = normal({8, 3}), y = normal({8, 1}, 6);
  const std::vector<Tensor> before = model.get_weights();
  const double mse = model.evaluate(x, y)["mean_squared_error"];
  const double loss = model.train_on_batch(x, y)["loss"];
  EXPECT_NEAR(loss, mse, penalty_tolerance);
  EXPECT_NEAR(model.evaluate(x, y)["loss"], model.evaluate(x, y)["mean_squared_error"], penalty_tolerance);
  EXPECT_EQ(model.get_weights()[0], before[0]);
  EXPECT_NE(model.get_weights()[2], before[2]);
}

TEST(Regularizers, OfALayerCalledTwiceCountOnce) {
  struct Twice {
    AnyLayer layer = Dense{.units = 3, .kernel_regularizer = L1{}};
    Var forward(Var x) const { return layer(layer(x)); }
    NamedLayers layers() { return {{"layer", &layer}}; }
  };
  Sequential model{Input{3}, Twice{}};
  model.compile({.loss = MeanSquaredError{}, .metrics = {MeanSquaredError{}}});
  const Logs logs = model.evaluate(normal({4, 3}), normal({4, 3}, 6));
  EXPECT_NEAR(logs["loss"] - logs["mean_squared_error"], penalty_of(L1{}, model.get_weights()[0]), penalty_tolerance);
}

TEST(Regularizers, OfAConvolutionAddToTheLoss) {
  Sequential model{Input{4, 4, 2}, Conv2D{.filters = 3,
                                          .kernel_size = 2,
                                          .kernel_regularizer = L2{},
                                          .bias_regularizer = L1{},
                                          .activity_regularizer = L1{0.1}}};
  model.get_layer(0).as<Conv2D>()->bias.value.fill(2);
  model.compile({.loss = MeanSquaredError{}, .metrics = {MeanSquaredError{}}});
  const Tensor x = normal({5, 4, 4, 2}), y = model.predict(x);
  const Logs logs = model.evaluate(x, y);
  EXPECT_EQ(logs["mean_squared_error"], 0);
  EXPECT_NEAR(
      logs["loss"],
      penalty_of(L2{}, model.get_weights()[0]) + penalty_of(L1{}, Tensor::full({3}, 2)) + penalty_of(L1{0.1}, y) / 5,
      penalty_tolerance * 100);
}

// ---- Constraints ----

Tensor constrained(const Constraint& constraint, Tensor w) {
  constraint(w);
  return w;
}

void expect_tensor_near(const Tensor& got, const Tensor& expected, double tolerance) {
  ASSERT_EQ(got.shape(), expected.shape());
  for (Index i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], tolerance) << i;
}

TEST(Constraint, ReducesLargeNormsAndKeepsSmallOnes) {
  const Tensor w = Tensor::matrix({{2, 0.5}, {-2, 0}, {2, 0}, {2, 0}});
  const double tolerance = 3e-7;  // Keras's epsilon accounts for 1e-7 of it
  expect_tensor_near(constrained(MaxNorm{}, w), Tensor::matrix({{1, 0.5}, {-1, 0}, {1, 0}, {1, 0}}), tolerance);
  expect_tensor_near(constrained(UnitNorm{}, w), Tensor::matrix({{0.5, 1}, {-0.5, 0}, {0.5, 0}, {0.5, 0}}), tolerance);
  expect_tensor_near(constrained(MaxNorm{.max_value = 2.5, .axis = 1}, Tensor::matrix({{3, 4}, {0, 0.25}})),
                     Tensor::matrix({{1.5, 2}, {0, 0.25}}), tolerance);
  expect_tensor_near(constrained(UnitNorm{-1}, Tensor::vector({2, 2, 2, 2})), Tensor::vector({0.5, 0.5, 0.5, 0.5}),
                     tolerance);
  EXPECT_EQ(constrained(MaxNorm{}, Tensor({2, 2})), Tensor({2, 2}));
  EXPECT_EQ(constrained(NonNeg{}, w), Tensor::matrix({{2, 0.5}, {0, 0}, {2, 0}, {2, 0}}));
  EXPECT_EQ(constrained({}, w), w);
}

TEST(Constraint, TakesNormsOverSeveralAxes) {
  Tensor w = normal({3, 2, 4, 70});
  const Tensor got = constrained(UnitNorm{{0, 2}}, w);
  for (Index k = 0; k < 70; ++k) {
    double square = 0;
    for (Index i = 0; i < 24; ++i) square += std::pow(static_cast<double>(w[i * 70 + k]), 2);
    for (Index i = 0; i < 24; ++i) {
      EXPECT_NEAR(got[i * 70 + k], static_cast<double>(w[i * 70 + k]) / (1e-7 + std::sqrt(square)), 1e-6);
    }
  }
  const Tensor inner = constrained(UnitNorm{1}, normal({5, 3, 2}));
  for (Index i = 0; i < 5; ++i) {
    for (Index k = 0; k < 2; ++k) {
      double square = 0;
      for (Index j = 0; j < 3; ++j) square += std::pow(static_cast<double>(inner.at({i, j, k})), 2);
      EXPECT_NEAR(square, 1, 1e-5);
    }
  }
}

TEST(Constraint, KeepsNaNWhereItIs) {
  EXPECT_TRUE(std::isnan(constrained(NonNeg{}, Tensor::vector({nan, -1}))[0]));
  const Tensor w = constrained(MaxNorm{}, Tensor::matrix({{nan, 3}, {1, 4}}));
  EXPECT_TRUE(std::isnan(w[0]));
  EXPECT_NEAR(w[1], 1.2, 1e-6);
}

TEST(Constraint, RefusesInvalidOptions) {
  expect_error<ValueError>([] { Constraint(MaxNorm{-1}); }, "MaxNorm: max_value is -1; it must not be negative");
  expect_error<ShapeError>(
      [] {
        constrained(MaxNorm{.axis = {1, 0}}, Tensor({2, 2}));
      },
      "constraint: axes 1 to 0 of a weight of shape (2, 2); the first axis must not be after the last");
}

TEST(Constraints, HoldAfterEveryStep) {
  const Tensor x = normal({40, 3}), y = normal({40, 1}, 6);
  const std::vector<AnyOptimizer> rules{SGD{.learning_rate = 0.5}, SGD{.learning_rate = 0.5, .momentum = 0.9},
                                        Adam{.learning_rate = 0.5}};
  for (const AnyOptimizer& rule : rules) {
    Sequential model = penalized_model(
        {.units = 4, .kernel_constraint = MaxNorm{.max_value = 0.7}, .bias_constraint = NonNeg{}}, rule);
    for (int step = 0; step < 10; ++step) {
      model.fit(x, y, {.batch_size = 40, .verbose = Verbose::silent, .shard_size = 13});
      const std::vector<Tensor> weights = model.get_weights();
      for (Index unit = 0; unit < 4; ++unit) {
        double square = 0;
        for (Index i = 0; i < 3; ++i) square += std::pow(static_cast<double>(weights[0].at({i, unit})), 2);
        EXPECT_LE(std::sqrt(square), 0.7 + 1e-6);
        EXPECT_GE(weights[1][unit], 0);
      }
    }
  }
}

TEST(Constraints, AreAppliedToTheUpdatedParameters) {
  Sequential model = testing::line_model(), free = testing::line_model();
  for (Sequential* each : {&model, &free}) {
    Dense layer{.units = 1};
    if (each == &model) layer.kernel_constraint = UnitNorm{};
    *each = Sequential{Input{1}, layer};
    each->compile({.optimizer = SGD{.learning_rate = 0.1}, .loss = MeanSquaredError{}});
  }
  const Tensor x = normal({6, 1}), y = normal({6, 1}, 6);
  model.train_on_batch(x, y);
  free.train_on_batch(x, y);
  const Real w = free.get_weights()[0][0];
  EXPECT_NEAR(model.get_weights()[0][0], w / std::abs(w), 1e-5);
  EXPECT_EQ(model.get_weights()[1], free.get_weights()[1]);
}

TEST(Constraints, LeaveFrozenParametersAlone) {
  Sequential model = penalized_model({.units = 2, .kernel_constraint = UnitNorm{}});
  freeze(model.get_layer(0));
  const std::vector<Tensor> before = model.get_weights();
  model.train_on_batch(normal({6, 3}), normal({6, 1}, 6));
  EXPECT_EQ(model.get_weights()[0], before[0]);
}

TEST(Regularizer, IsAnOptionOfEveryLayerThatLearns) {
  std::vector<testing::LayerRow> rows = testing::every_layer();
  rows.push_back({LSTM{.units = 3, .activation = relu}, {4, 2}});
  rows.push_back({GRU{.units = 3, .reset_after = false}, {4, 2}});
  for (const auto& [given, input] : rows) {
    SCOPED_TRACE(given.type());
    const bool is_wrapper = given.type() == "Bidirectional" || given.type() == "Concatenate" ||
                            given.type() == "Graph" || given.type() == "Residual" || given.type() == "TimeDistributed";
    if (is_wrapper) continue;  // options of their layers
    AnyLayer layer = given;
    double of_output = 0;
    for (const std::string& name : testing::options_that_end_in("_regularizer", layer)) {
      const bool is_of_output = name == "activity_regularizer";
      if (is_of_output) of_output = 0.05;
      Json factors;
      to_json(factors, Regularizer(L2{is_of_output ? 0.05 : 0.1}));
      layer = testing::with_option(layer, name, factors);
    }
    Sequential model{layer, Flatten{}};
    model.build(input);
    model.compile({.loss = MeanSquaredError{}});
    const bool takes_indices = layer.type() == "Embedding";
    const Tensor x = takes_indices ? Tensor(input.batched(6)) : normal(input.batched(6));
    const Tensor y = model.predict(x), truth(y.shape());
    double expected = 0;
    for (const Real v : y) {
      expected += static_cast<double>(v * v) * (1.0 / static_cast<double>(y.size()) + of_output / 6);
    }
    for (const auto& [name, parameter] : model.parameters()) {
      if (!parameter->trainable) continue;
      for (const Real w : parameter->value) expected += 0.1 * static_cast<double>(w * w);
    }
    EXPECT_NEAR(model.test_on_batch(x, truth)["loss"], expected, 1e-5 * expected);
  }
}

}  // namespace
}  // namespace cornu
