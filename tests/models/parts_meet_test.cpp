#include <gtest/gtest.h>

#include "cornu/cornu.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/temporary_folder.h"

// Interactions between parts of the library: logits and metrics, reset layers and optimizers, copies and files.

namespace cornu {
namespace {

using testing::error_of;
using testing::expect_error;

/// A model that returns its inputs.
Sequential identity(Index size, const AnyLoss& loss, std::vector<AnyMetric> metrics) {
  Sequential model{Input{size}, Dense{size}};
  Tensor kernel({size, size});
  for (Index i = 0; i < size; ++i) kernel[i * size + i] = 1;
  model.set_weights(std::vector<Tensor>{kernel, Tensor({size})});
  model.compile({.optimizer = SGD{}, .loss = loss, .metrics = std::move(metrics)});
  return model;
}

TEST(Logits, KeepTheirOrderWhereSigmoidsRoundToOne) {
  const Sequential model = identity(2, BinaryCrossentropy{.from_logits = true},
                                    {Accuracy{}, F1Score{}, Precision{.one_of_n = true}, Precision{.top_k = 1}});
  const Tensor x = Tensor::matrix({{20, 30}, {30, 20}}), y = Tensor::matrix({{0, 1}, {1, 0}});
  for (const Logs::Entry& entry : model.evaluate(x, y)) {
    if (entry.name == "loss") continue;
    EXPECT_EQ(entry.value, 1) << entry.name;
  }
}

TEST(Logits, KeepTheirOrderWhereSoftmaxesUnderflowToZero) {
  const Sequential model = identity(3, CategoricalCrossentropy{.from_logits = true}, {Recall{.top_k = 2}});
  EXPECT_EQ(model.evaluate(Tensor::matrix({{0, -300, -200}}), Tensor::matrix({{0, 0, 1}}))["recall"], 1);
}

TEST(Logits, OfAHingeArePassedAsMarginsToMetricsWithoutAThreshold) {
  const Sequential model = identity(1, Hinge{}, {BinaryAccuracy{}, MeanSquaredError{}});
  const Logs logs = model.evaluate(Tensor::matrix({{3}, {-2}}), Tensor::matrix({{1}, {0}}));
  EXPECT_EQ(logs["binary_accuracy"], 1);
  EXPECT_EQ(logs["mean_squared_error"], 4);  // (3 - 1)^2 and (-2 - 0)^2
}

struct Kappa {
  static constexpr Direction direction = Direction::up;
  Var operator()(Var y_pred, Var y_true) const { return mean(y_pred * y_true, -1); }
};
struct Dice {
  Var operator()(Var y_pred, Var y_true) const { return mean(y_pred * y_true, -1); }
};

TEST(LossMetric, HasTheDirectionThatAUsersLossDeclares) {
  EXPECT_EQ(AnyMetric(Kappa{}).direction(), Direction::up);
  EXPECT_EQ(AnyMetric(LossMetric("kappa", Kappa{})).direction(), Direction::up);
  EXPECT_EQ(AnyMetric(Dice{}).direction(), Direction::unknown);
  EXPECT_EQ(AnyMetric(MeanAbsoluteError{}).direction(), Direction::down);
  EXPECT_EQ(AnyMetric(LossMetric("mine", AnyLoss(Poisson{}))).direction(), Direction::down);
  EXPECT_EQ(AnyMetric(CosineSimilarity{}).direction(), Direction::up);
}

TEST(LossMetric, OfAUsersLossIsTheSameAfterLoading) {
  register_loss<Kappa>();
  Sequential model{Input{2}, Dense{2}};
  model.compile({.optimizer = SGD{}, .loss = MeanSquaredError{}, .metrics = {Kappa{}, CosineSimilarity{}}});
  const Tensor x = testing::normal({4, 2}), y = model.predict(x);
  const Logs logs = model.evaluate(x, y);
  EXPECT_GT(logs["kappa"], 0);
  EXPECT_NEAR(logs["cosine_similarity"], 1, 1e-6);

  const testing::TemporaryFolder folder;
  model.save(folder / "m.safetensors");
  const Sequential loaded = Sequential::load(folder / "m.safetensors");
  EXPECT_EQ(loaded.evaluate(x, y)["kappa"], logs["kappa"]);
  Json json;
  to_json(json, AnyMetric(Kappa{}));
  EXPECT_EQ(value_of<AnyMetric>(json).direction(), Direction::up);
  to_json(json, AnyMetric(CosineSimilarity{}));
  EXPECT_EQ(value_of<AnyMetric>(json).direction(), Direction::up);
  to_json(json, AnyMetric(MeanSquaredError{}));
  EXPECT_EQ(json.find("direction"), nullptr) << "the directions of Cornu's losses are not stored";
  EXPECT_EQ(value_of<AnyMetric>(json).direction(), Direction::down);
}

TEST(LossMetric, WithFromLogitsIsRefusedForProbabilities) {
  const Tensor x = testing::normal({4, 2}), labels = Tensor::vector({0, 1, 1, 0}),
               answers = Tensor::matrix({{0}, {1}, {1}, {0}});
  const auto refused = [&](Sequential model, const AnyLoss& loss, const AnyMetric& metric, const Tensor& y) {
    model.compile({.optimizer = SGD{}, .loss = loss, .metrics = {metric}});
    const std::string text = "has from_logits = true, but the outputs are those of a sigmoid or softmax";
    const auto is_refused = [&](auto use) { return error_of<ValueError>(use).find(text) != std::string::npos; };
    EXPECT_TRUE(is_refused([&] { model.evaluate(x, y); }));
    EXPECT_TRUE(is_refused([&] { model.train_on_batch(x, y); }));
    EXPECT_TRUE(is_refused([&] { model.fit(x, y, {.verbose = Verbose::silent}); }));
  };
  refused({Input{2}, Dense{1, sigmoid}}, BinaryCrossentropy{}, BinaryCrossentropy{.from_logits = true}, answers);
  refused({Input{2}, Dense{2}, Softmax{}}, SparseCategoricalCrossentropy{},
          SparseCategoricalCrossentropy{.from_logits = true}, labels);

  Sequential model{Input{2}, Dense{1}};
  model.compile({.optimizer = SGD{},
                 .loss = BinaryCrossentropy{.from_logits = true},
                 .metrics = {BinaryCrossentropy{.from_logits = true}}});
  const Logs logs = model.evaluate(x, answers);
  EXPECT_NEAR(logs["binary_crossentropy"], logs["loss"], 1e-6);
}

TEST(MovedFrom, ConfusionMatrixIsEmpty) {
  ConfusionMatrix matrix = confusion_matrix(Tensor::vector({0, 1}), Tensor::vector({0, 1}));
  const ConfusionMatrix taken = std::move(matrix);
  EXPECT_EQ(taken.classes(), 2);
  EXPECT_EQ(matrix.classes(), 0);
  EXPECT_EQ(matrix.total(), 0);
  matrix.update(Tensor::vector({0, 1}), Tensor::vector({0, 1}));
  EXPECT_EQ(matrix.total(), 2);
}

TEST(Optimizer, RefusesATapeWhoseParametersHaveChanged) {
  Parameter a{Tensor::matrix({{2}})}, b{Tensor::matrix({{3}})};
  Optimizer first(SGD{.learning_rate = 0.1}, {{"a", &a}}), second(SGD{.learning_rate = 0.1}, {{"b", &b}});
  Tape tape;
  const Var loss = sum(matmul(tape.parameter(a), b));
  first.minimize(loss);
  EXPECT_NE(error_of<StateError>([&] { second.minimize(loss); }).find("minimize has changed the parameters"),
            std::string::npos);
  tape.clear();
  second.minimize(sum(matmul(tape.parameter(a), b)));
  EXPECT_NEAR(b.value[0], 3 - 0.1 * 1.7, 1e-6);
}

TEST(LossErrors, ASoftmaxLossNeedsSeveralClasses) {
  const Tensor x = testing::normal({2, 3}), y = Tensor::vector({0, 0}), one_hot = Tensor::matrix({{1}, {1}});
  const auto refusal = [&](const AnyLoss& loss, const Tensor& labels) {
    Sequential model{Input{3}, Dense{1}};
    model.compile({.optimizer = SGD{}, .loss = loss});
    return error_of<ValueError>([&] { model.train_on_batch(x, labels); });
  };
  for (const std::string& error : {refusal(SparseCategoricalCrossentropy{.from_logits = true}, y),
                                   refusal(CategoricalCrossentropy{.from_logits = true}, one_hot),
                                   refusal(CategoricalFocalCrossentropy{.from_logits = true}, one_hot)}) {
    EXPECT_NE(error.find("use a sigmoid and binary_crossentropy"), std::string::npos) << error;
  }
}

TEST(LossErrors, LabelsMayBeOffByRoundingErrors) {
  const auto above = Real(1 + 2e-7), below = Real(-1e-7);
  EXPECT_GT(binary_crossentropy(Tensor::vector({0.5}), Tensor::vector({above}))[0], 0);
  EXPECT_GT(categorical_crossentropy(Tensor::matrix({{0.5, 0.5}}), Tensor::matrix({{above, below}}))[0], 0);
}

TEST(ResetParameters, LeavesAModelThatCanBeCopiedAndNested) {
  Sequential model{Input{2}, Dense{1}};
  model.compile({.optimizer = Adam{}, .loss = MeanSquaredError{}});
  model.train_on_batch(testing::normal({4, 2}), testing::normal({4, 1}));
  reset_parameters(model);
  const Sequential outer{Input{2}, model, Dense{1}};
  Sequential copy = model;
  copy.build({2});
  copy.train_on_batch(testing::normal({4, 2}), testing::normal({4, 1}));
  EXPECT_EQ(copy.optimizer().iterations(), 1);
}

TEST(ResetParameters, LeavesAModelThatCannotBeSaved) {
  const testing::TemporaryFolder folder;
  Sequential model{Input{2}, Dense{1}};
  reset_parameters(model);
  const std::string path = folder / "m.safetensors";
  const std::string expected =
      path +
      ": sequential: dense/kernel has no values (after reset_parameters?); build the model first: "
      "model.build(*model.input_shape())";
  expect_error<StateError>([&] { model.save(path); }, expected);
  expect_error<StateError>([&] { model.save_weights(path); }, expected);
  EXPECT_TRUE(folder.names().empty());
}

}  // namespace
}  // namespace cornu
