#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <span>

#include "cornu/core/error.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// Weights of samples and classes in fit and evaluate, against values worked out by hand.

namespace cornu {
namespace {

using testing::expect_error;

/// Predicts 0 for any input and does not learn, so the loss of a target is its square.
Sequential zero() {
  Sequential model = testing::line_model(SGD{.learning_rate = 0});
  model.set_weights(std::vector<Tensor>{Tensor::matrix({{0}}), Tensor::vector({0})});
  return model;
}

const Tensor four_inputs({4, 1});
const Tensor four_targets({4, 1}, {1, 2, 3, 4});  // losses 1, 4, 9, 16
const Tensor four_weights = Tensor::vector({1, 0.5, 0, 2});

FitOptions options() { return {.batch_size = 3, .verbose = Verbose::silent}; }

TEST(SampleWeight, MultipliesEachSamplesLoss) {
  FitOptions weighted = options();
  weighted.sample_weight = four_weights;
  for (const bool shuffle : {false, true}) {  // the weights follow their samples
    weighted.shuffle = shuffle;
    EXPECT_EQ(zero().fit(four_inputs, four_targets, weighted)["loss"].front(), (1 + 0.5 * 4 + 0 + 2 * 16) / 4);
  }
  EXPECT_EQ(zero().evaluate(four_inputs, four_targets, {.batch_size = 3, .sample_weight = four_weights})["loss"],
            (1 + 0.5 * 4 + 0 + 2 * 16) / 4);
  EXPECT_EQ(zero().test_on_batch(four_inputs, four_targets, four_weights)["loss"], (1 + 0.5 * 4 + 0 + 2 * 16) / 4);
}

TEST(SampleWeight, IsSplitWithTheSamples) {
  FitOptions weighted = options();
  weighted.sample_weight = four_weights;
  weighted.validation_split = 0.5;
  const History history = zero().fit(four_inputs, four_targets, weighted);
  EXPECT_EQ(history["loss"].front(), (1 + 0.5 * 4) / 2);
  EXPECT_EQ(history["val_loss"].front(), (0 + 2 * 16.0) / 2);
}

/// Sample i has the target i + 1 and shares data with the next one.
struct Overlapping {
  Index size() const { return 5; }
  Shape feature_shape() const { return {1}; }
  Index split_gap() const { return 1; }
  void gather(std::span<const Index> rows, View x, View y) const {
    std::fill(x.begin(), x.end(), Real{0});
    std::transform(rows.begin(), rows.end(), y.begin(), [](Index row) { return static_cast<Real>(row + 1); });
  }
};

TEST(SampleWeight, IsSplitWithTheSamplesOnBothSidesOfAGap) {
  FitOptions weighted = options();
  weighted.sample_weight = Tensor::vector({1, 0.5, 100, 3, 2});  // the third sample is in neither part
  weighted.validation_split = 0.5;
  const Overlapping data;
  const History history = zero().fit(data, weighted);
  EXPECT_EQ(history["loss"].front(), (1 + 0.5 * 4) / 2);
  EXPECT_EQ(history["val_loss"].front(), (3 * 16.0 + 2 * 25) / 2);
}

TEST(SampleWeight, DoesNotApplyToTheValidationData) {
  FitOptions weighted = options();
  weighted.sample_weight = four_weights;
  const TensorPair validation(four_inputs, four_targets);
  weighted.validation_data = validation;
  weighted.validation_batch_size = 4;
  EXPECT_EQ(zero().fit(four_inputs, four_targets, weighted)["val_loss"].front(), (1 + 4 + 9 + 16) / 4.0);
}

TEST(SampleWeight, OfAnotherSizeIsAnError) {
  Sequential model = zero();
  for (const Tensor& wrong : {Tensor::vector({1, 1, 1}), Tensor::vector({1, 1, 1, 1, 1}), Tensor({1, 4})}) {
    const std::string text = "sample_weight is " + to_string(wrong.shape()) +
                             "; one weight for each of 4 samples, or for each of their time steps, is required";
    FitOptions weighted = options();
    weighted.sample_weight = wrong;
    expect_error<ShapeError>([&] { model.fit(four_inputs, four_targets, weighted); }, text);
    weighted.validation_split = 0.5;
    expect_error<ShapeError>([&] { model.fit(four_inputs, four_targets, weighted); }, text);
    expect_error<ShapeError>([&] { model.evaluate(four_inputs, four_targets, {.sample_weight = wrong}); }, text);
  }
}

/// A classifier that gives all three classes equal probability and does not learn: each loss is log 3.
Sequential undecided(AnyLoss loss) {
  Sequential model{Input{1}, Dense{.units = 3, .kernel_initializer = zeros}, Softmax{}};
  model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = std::move(loss), .metrics = {Accuracy{}}});
  return model;
}

constexpr double log3 = 1.0986122886681098;
constexpr double weight_rounding = 1e-6;

TEST(ClassWeight, WeighsTheSamplesOfAClass) {
  FitOptions weighted = options();
  weighted.class_weight = {{0, 2}, {2, 0.5}};
  const Tensor labels = Tensor::vector({0, 1, 2, 0});
  const double expected = (2 + 1 + 0.5 + 2) / 4 * log3;
  const History sparse = undecided(SparseCategoricalCrossentropy{}).fit(four_inputs, labels, weighted);
  EXPECT_NEAR(sparse["loss"].front(), expected, weight_rounding);
  EXPECT_EQ(sparse["accuracy"].front(), 0.5);  // metrics are not weighted

  const Tensor column({4, 1}, {0, 1, 2, 0});
  EXPECT_NEAR(undecided(SparseCategoricalCrossentropy{}).fit(four_inputs, column, weighted)["loss"].front(), expected,
              weight_rounding);

  const Tensor one_hot = Tensor::matrix({{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 0}});
  EXPECT_NEAR(undecided(CategoricalCrossentropy{}).fit(four_inputs, one_hot, weighted)["loss"].front(), expected,
              weight_rounding);
}

TEST(ClassWeight, MultipliesWithTheSamplesWeight) {
  FitOptions weighted = options();
  weighted.class_weight = {{0, 2}, {2, 0.5}};
  weighted.sample_weight = four_weights;
  const Tensor labels = Tensor::vector({0, 1, 2, 0});
  EXPECT_NEAR(undecided(SparseCategoricalCrossentropy{}).fit(four_inputs, labels, weighted)["loss"].front(),
              (2 * 1 + 1 * 0.5 + 0.5 * 0 + 2 * 2) / 4 * log3, weight_rounding);
}

TEST(ClassWeight, DoesNotApplyToTheValidation) {
  FitOptions weighted = options();
  weighted.class_weight = {{0, 100}};
  weighted.validation_split = 0.5;
  const Tensor labels = Tensor::vector({0, 0, 0, 0});
  const History history = undecided(SparseCategoricalCrossentropy{}).fit(four_inputs, labels, weighted);
  EXPECT_NEAR(history["loss"].front(), 100 * log3, 100 * weight_rounding);
  EXPECT_NEAR(history["val_loss"].front(), log3, weight_rounding);
}

TEST(ClassWeight, LeavesAnInvalidLabelToTheLoss) {
  FitOptions weighted = options();
  weighted.class_weight = {{0, 2}};
  const Tensor labels = Tensor::vector({0, std::numeric_limits<Real>::quiet_NaN(), 2, 0});
  weighted.shuffle = false;
  expect_error<ValueError>([&] { undecided(SparseCategoricalCrossentropy{}).fit(four_inputs, labels, weighted); },
                           "fit, epoch 1 of 1, batch 1 of 2: sparse_categorical_crossentropy: label nan in row 1; "
                           "labels are whole numbers from 0 to 2");
}

TEST(ClassWeight, RefusesUnknownClassesAndNegativeWeights) {
  const auto expect_refused = [](Sequential model, const std::map<Index, double>& class_weight, const char* text) {
    FitOptions weighted = options();
    weighted.class_weight = class_weight;
    expect_error<ValueError>([&] { model.fit(four_inputs, Tensor::vector({0, 1, 1, 0}), weighted); }, text);
  };
  const Sequential three = undecided(SparseCategoricalCrossentropy{});
  expect_refused(three, {{0, 1}, {3, 2}},
                 "fit: class_weight is given for class 3; the classes of a model with 3 outputs are 0 to 2");
  expect_refused(three, {{-1, 2}},
                 "fit: class_weight is given for class -1; the classes of a model with 3 outputs are 0 to 2");
  expect_refused(three, {{1, -0.5}}, "fit: class_weight of class 1 is -0.5; it must be finite and not negative");
  expect_refused(three, {{2, std::numeric_limits<double>::infinity()}},
                 "fit: class_weight of class 2 is inf; it must be finite and not negative");
  expect_refused(testing::line_model(), {{2, 1}},
                 "fit: class_weight is given for class 2; the classes of a model with 1 output are -1 to 1");
}

TEST(ClassWeight, TrainsLikeRepeatedSamples) {
  const Tensor points({3, 1}, {1, 2, -1}), classes = Tensor::vector({0, 1, 2});
  Sequential weighted{Input{1}, Dense{3}, Softmax{}};
  weighted.compile({.optimizer = SGD{.learning_rate = 0.3}, .loss = SparseCategoricalCrossentropy{}});
  Sequential repeated = weighted;
  FitOptions fit{.batch_size = 4, .verbose = Verbose::silent, .shuffle = false};
  repeated.fit(Tensor({4, 1}, {1, 2, 2, -1}), Tensor::vector({0, 1, 1, 2}), fit);
  // The mean is over three samples here, and over four above.
  weighted.compile({.optimizer = SGD{.learning_rate = 0.3 * 3 / 4}, .loss = SparseCategoricalCrossentropy{}});
  fit.class_weight = {{1, 2}};
  weighted.fit(points, classes, fit);
  for (std::size_t i = 0; i < 2; ++i) {
    const Tensor a = weighted.get_weights()[i], b = repeated.get_weights()[i];
    for (Index k = 0; k < 3; ++k) EXPECT_NEAR(static_cast<double>(a[k]), static_cast<double>(b[k]), weight_rounding);
  }
}

}  // namespace
}  // namespace cornu
