#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "cornu/tests/models/support.h"
#include "cornu/tests/support/every_layer.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"
#include "cornu/tests/support/temporary_folder.h"

// A loss that cannot mean what the program says is an error that names the remedy, wherever the loss is used.

namespace cornu {
namespace {

using namespace cornu::testing;

/// Every way to use the loss throws the same error, which ends in `text`.
void expect_loss_refused(Sequential model, const AnyLoss& loss, const Tensor& x, const Tensor& y,
                         const std::string& text, const Tensor& sample_weight = {}) {
  const auto expect = [&](const char* way, const std::function<void()>& use) {
    const std::string what = error_of<ValueError>(use);
    EXPECT_TRUE(what.ends_with(text)) << way << ": " << what;
  };
  model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = loss});
  expect("train_on_batch", [&] { model.train_on_batch(x, y, sample_weight); });
  expect("test_on_batch", [&] { model.test_on_batch(x, y, sample_weight); });
  expect("evaluate", [&] { model.evaluate(x, y, {.sample_weight = sample_weight}); });
  expect("fit",
         [&] { model.fit(x, y, {.verbose = Verbose::silent, .shuffle = false, .sample_weight = sample_weight}); });
  expect("the loss itself", [&] {
    Tape tape;
    loss(model.forward(tape.input(x)), y, sample_weight);
  });
}

void expect_fine(Sequential model, const AnyLoss& loss, const Tensor& x, const Tensor& y) {
  model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = loss});
  EXPECT_TRUE(std::isfinite(model.train_on_batch(x, y)["loss"]));
}

const Tensor four_rows = normal({4, 3});
const Tensor four_labels = labels(4, 2);
const Tensor yes_no = Tensor::matrix({{0}, {1}, {1}, {0}});
const Tensor hot = Tensor::matrix({{1, 0}, {0, 1}, {1, 0}, {0, 1}});

TEST(ImpossibleLosses, ProbabilitiesWhereLogitsAreExpected) {
  const auto text = [](const std::string& loss, const std::string& function) {
    return loss + ": from_logits is set, but the predictions are the output of a " + function +
           "; remove from_logits or the " + function;
  };
  const std::string sparse = text("sparse_categorical_crossentropy", "softmax");
  const SparseCategoricalCrossentropy from_logits{.from_logits = true};
  expect_loss_refused({Input{3}, Dense{2, softmax}}, from_logits, four_rows, four_labels, sparse);
  expect_loss_refused({Input{3}, Dense{2}, Softmax{}}, from_logits, four_rows, four_labels, sparse);
  expect_loss_refused({Input{3}, Dense{2}, Activation{softmax}}, from_logits, four_rows, four_labels, sparse);
  expect_loss_refused({Input{3}, Sequential({Dense{2, softmax}}, {.name = "inner"})}, from_logits, four_rows,
                      four_labels, sparse);
  expect_loss_refused({Input{3}, Dense{2, softmax}, Reshape{1, 2}, Flatten{}}, from_logits, four_rows, four_labels,
                      sparse);
  expect_loss_refused({Input{3}, Concatenate{{Dense{2, softmax}}, {Dense{3, softmax}}}}, from_logits, four_rows,
                      four_labels, sparse);
  expect_loss_refused({Input{3}, Dense{2, sigmoid}}, from_logits, four_rows, four_labels,
                      text("sparse_categorical_crossentropy", "sigmoid"));
  expect_loss_refused({Input{3}, Dense{2, softmax}}, CategoricalCrossentropy{.from_logits = true}, four_rows, hot,
                      text("categorical_crossentropy", "softmax"));
  expect_loss_refused({Input{3}, Dense{2, softmax}}, CategoricalFocalCrossentropy{.from_logits = true}, four_rows, hot,
                      text("categorical_focal_crossentropy", "softmax"));
  expect_loss_refused({Input{3}, Dense{1, sigmoid}}, BinaryCrossentropy{.from_logits = true}, four_rows, yes_no,
                      text("binary_crossentropy", "sigmoid"));
  expect_loss_refused({Input{3}, Dense{1}, Sigmoid{}}, BinaryFocalCrossentropy{.from_logits = true}, four_rows, yes_no,
                      text("binary_focal_crossentropy", "sigmoid"));
}

TEST(ImpossibleLosses, ProbabilitiesWhereALoadedModelExpectsLogits) {
  const testing::TemporaryFolder folder;
  Sequential model{Input{3}, Dense{2, softmax}};
  model.compile({.loss = SparseCategoricalCrossentropy{.from_logits = true}});
  model.save(folder / "model.safetensors");
  EXPECT_THROW(Sequential::load(folder / "model.safetensors").train_on_batch(four_rows, four_labels), ValueError);
}

/// A model that outputs these values for any input of (rows, anything).
struct Makes {
  Tensor values;
  Var forward(Var in) const {
    return in.shape()[0] == values.shape()[0]
               ? in.tape().input(values)
               : in.tape().input(ConstView(values.data(), values.shape().with(0, in.shape()[0])));
  }
};

TEST(ImpossibleLosses, ValuesThatAreNotProbabilities) {
  const auto check = [&](const AnyLoss& loss, const Tensor& y, const Tensor& values, const std::string& text) {
    SCOPED_TRACE(text);
    expect_loss_refused({Input{3}, Makes{values}}, loss, four_rows, y, text);
  };
  const std::string softmax_missing = "; end the model with a softmax, or set from_logits = true";
  const std::string sigmoid_missing = "; end the model with a sigmoid, or set from_logits = true";
  const Tensor low({4, 2}, {Real(0.5), 0.5, 1, -0.25, 0, 1, 0, 1}), high({4, 2}, {Real(0.5), 2.5, 1, 0, 0, 1, 0, 1});
  const Tensor one_high({4, 1}, {Real(0.5), 1.5, 1, 0});
  check(
      SparseCategoricalCrossentropy{}, four_labels, low,
      "sparse_categorical_crossentropy: prediction -0.25 in row 1, position 1 is not a probability" + softmax_missing);
  check(CategoricalCrossentropy{}, hot, high,
        "categorical_crossentropy: prediction 2.5 in row 0, position 1 is not a probability" + softmax_missing);
  check(CategoricalFocalCrossentropy{}, hot, high,
        "categorical_focal_crossentropy: prediction 2.5 in row 0, position 1 is not a probability" + softmax_missing);
  check(BinaryCrossentropy{}, yes_no, one_high,
        "binary_crossentropy: prediction 1.5 in row 1 is not a probability" + sigmoid_missing);
  check(BinaryFocalCrossentropy{}, yes_no, one_high,
        "binary_focal_crossentropy: prediction 1.5 in row 1 is not a probability" + sigmoid_missing);
  check(KLDivergence{}, hot, high,
        "kl_divergence: prediction 2.5 in row 0, position 1 is not a probability; end the model with a softmax");
  check(Poisson{}, yes_no, Tensor({4, 1}, {1, 0, -2, 1}),
        "poisson: prediction -2 in row 2 is negative; predictions are rates: end the model with exp or softplus");
}

TEST(ImpossibleLosses, ProbabilitiesWithinRounding) {
  const Real little = Real(1e-5);
  const Tensor almost({4, 2}, {-little, 1 + little, 1, 0, 0, 1, Real(0.5), Real(0.5)});
  expect_fine({Input{3}, Makes{almost}}, SparseCategoricalCrossentropy{}, four_rows, four_labels);
  expect_fine({Input{3}, Makes{almost}}, CategoricalCrossentropy{}, four_rows, hot);
  expect_fine({Input{3}, Makes{almost}}, BinaryCrossentropy{}, four_rows, hot);
}

TEST(ImpossibleLosses, BinaryLabels) {
  const auto check = [&](const AnyLoss& loss, Real label, const std::string& text) {
    expect_loss_refused({Input{3}, Dense{1, sigmoid}}, loss, four_rows, Tensor({4, 1}, {0, 1, label, 1}), text);
  };
  for (const bool focal : {false, true}) {
    const AnyLoss loss = focal ? AnyLoss(BinaryFocalCrossentropy{}) : AnyLoss(BinaryCrossentropy{});
    const std::string name = focal ? "binary_focal_crossentropy" : "binary_crossentropy";
    check(loss, -1,
          name + ": label -1 in row 2; labels must be in [0, 1]: map -1 and 1 to 0 and 1 by (y + 1) / 2, or use Hinge");
    check(loss, 255, name + ": label 255 in row 2; labels must be in [0, 1]: divide labels of 0 and 255 by 255");
    check(loss, 2,
          name +
              ": label 2 in row 2; labels must be in [0, 1]: for several classes use "
              "SparseCategoricalCrossentropy, for regression MeanSquaredError");
    check(loss, Real(-0.5),
          name +
              ": label -0.5 in row 2; labels must be in [0, 1]: for regression use a loss such as "
              "MeanSquaredError");
  }
  // Also without a sigmoid in the model.
  expect_loss_refused(
      {Input{3}, Dense{1}}, BinaryCrossentropy{.from_logits = true}, four_rows, Tensor({4, 1}, {-1, 1, -1, 1}),
      "binary_crossentropy: label -1 in row 0; labels must be in [0, 1]: map -1 and 1 to 0 and 1 by (y + 1) "
      "/ 2, or use Hinge");
}

TEST(ImpossibleLosses, InAShardTheErrorNamesTheShard) {
  Sequential model{Input{3}, Dense{1, sigmoid}};
  model.compile({.loss = BinaryCrossentropy{}});
  expect_error<ValueError>(
      [&] {
        model.fit(four_rows, Tensor({4, 1}, {0, 1, 0, -1}),
                  {.batch_size = 4, .verbose = Verbose::silent, .shuffle = false, .threads = 2, .shard_size = 2});
      },
      "fit, epoch 1 of 1, batch 1 of 1: the shard starting at sample 2: binary_crossentropy: label -1 in row 1; labels "
      "must "
      "be in [0, 1]: map -1 and 1 to 0 and 1 by (y + 1) / 2, or use Hinge");
}

TEST(ImpossibleLosses, SoftLabelsAreFine) {
  const Tensor soft({4, 1}, {0, Real(0.25), Real(0.5), 1});
  expect_fine({Input{3}, Dense{1, sigmoid}}, BinaryCrossentropy{.label_smoothing = 0.1}, four_rows, soft);
  expect_fine({Input{3}, Dense{1}}, BinaryCrossentropy{.from_logits = true}, four_rows, soft);
  expect_fine({Input{3}, Dense{1, sigmoid}}, BinaryFocalCrossentropy{}, four_rows, soft);
  expect_fine({Input{3}, Dense{2, softmax}}, CategoricalCrossentropy{}, four_rows,
              Tensor({4, 2}, {1, 1, 0, 0, 2, 1, 1, 0}));
}

TEST(ImpossibleLosses, TargetsBelowZero) {
  const Tensor negative({4, 2}, {1, 0, 0, 1, 1, -1, 1, 0}), below({4, 1}, {1, 2, -3, 1});
  for (const bool focal : {false, true}) {
    expect_loss_refused({Input{3}, Dense{2, softmax}},
                        focal ? AnyLoss(CategoricalFocalCrossentropy{}) : AnyLoss(CategoricalCrossentropy{}), four_rows,
                        negative,
                        std::string(focal ? "categorical_focal" : "categorical") +
                            "_crossentropy: target -1 in row 2, position 1 is negative; targets are one-hot, or the "
                            "probability of each class");
  }
  expect_loss_refused(
      {Input{3}, Dense{2, softmax}}, KLDivergence{}, four_rows, negative,
      "kl_divergence: target -1 in row 2, position 1 is not a probability; each row is a distribution over "
      "the classes");
  expect_loss_refused({Input{3}, Dense{1, softplus}}, Poisson{}, four_rows, below,
                      "poisson: target -3 in row 2 is negative; targets are counts");
  expect_loss_refused(
      {Input{3}, Dense{1}}, MeanSquaredLogarithmicError{}, four_rows, below,
      "mean_squared_logarithmic_error: target -3 in row 2 is negative; its logarithm is not meaningful; use "
      "MeanSquaredError");
}

TEST(ImpossibleLosses, LabelsOfAHinge) {
  expect_loss_refused({Input{3}, Dense{1}}, Hinge{}, four_rows, Tensor({4, 1}, {0, 1, 2, 1}),
                      "hinge: label 2 in row 2; labels must be -1 and 1, or 0 and 1");
  Sequential model{Input{3}, Dense{1}};
  model.compile({.loss = Hinge{}});
  expect_error<ValueError>(
      [&] {
        model.train_on_batch(four_rows, Tensor({4, 1}, {-1, 1, 0, 1}));
      },
      "hinge: labels 0 in row 2 and -1 in row 0; labels must be -1 and 1, or 0 and 1");
  expect_fine({Input{3}, Dense{1}}, Hinge{}, four_rows, yes_no);
  expect_fine({Input{3}, Dense{1}}, Hinge{}, four_rows, Tensor({4, 1}, {-1, 1, -1, 1}));
}

TEST(ImpossibleLosses, ASoftmaxOverOneUnit) {
  const std::string text =
      ": the predictions are a softmax over one class, which is always 1; for two classes use a sigmoid and "
      "binary_crossentropy, as in Dense{1, sigmoid}";
  const Sequential model{Input{3}, Dense{1, softmax}};
  for (const AnyLoss& loss : {AnyLoss(BinaryCrossentropy{}), AnyLoss(MeanSquaredError{}),
                              AnyLoss(CategoricalCrossentropy{}), AnyLoss(MeanAbsoluteError{}), AnyLoss(Hinge{}),
                              AnyLoss([](Var p, Var y) { return mean(square(p - y), -1); })}) {
    expect_loss_refused(model, loss, four_rows, yes_no, text);
  }
  expect_loss_refused(model, SparseCategoricalCrossentropy{}, four_rows, Tensor(Shape{4}), text);
  expect_loss_refused({Input{3}, Dense{1}, Softmax{}, Flatten{}}, MeanSquaredError{}, four_rows, yes_no, text);
}

TEST(ImpossibleLosses, OneOfTheClassesOfASoftmaxIsFine) {
  struct First {
    Var forward(Var in) const { return slice_axis(in, 1, 0, 1); }
  };
  expect_fine({Input{3}, Dense{3, softmax}, First{}}, BinaryCrossentropy{}, four_rows, yes_no);
}

TEST(ImpossibleLosses, NegativeSampleWeights) {
  const Tensor weights({4}, {1, 2, -1, 1});
  expect_loss_refused({Input{3}, Dense{1}}, MeanSquaredError{}, four_rows, yes_no,
                      ": sample weight -1 in row 2; weights must not be negative", weights);
  expect_loss_refused({Input{3}, Dense{1}}, MeanAbsoluteError{}, four_rows, yes_no,
                      ": sample weight -1 in row 2; weights must not be negative", weights);
  expect_loss_refused({Input{3}, Dense{2, softmax}}, SparseCategoricalCrossentropy{}, four_rows, four_labels,
                      ": sample weight -1 in row 2; weights must not be negative", weights);
  Tape tape;
  const Tensor sequences({4, 2, 3}), of_steps({4, 2}, {1, 1, 1, -2, 1, 1, 1, 1});
  const std::string what =
      error_of<ValueError>([&] { AnyLoss(MeanSquaredError{})(tape.variable(sequences), sequences, of_steps); });
  EXPECT_EQ(what, "mean_squared_error: sample weight -2 in row 1, position 1; weights must not be negative");
}

TEST(ImpossibleLosses, NonFiniteValuesHaveTheirOwnError) {
  Sequential model{Input{3}, Dense{1, sigmoid}};
  model.compile({.loss = BinaryCrossentropy{}});
  EXPECT_THROW(model.train_on_batch(four_rows, Tensor({4, 1}, {0, 1, nan, 1})), NonFiniteError);
  Sequential makes{Input{3}, Makes{Tensor({4, 1}, {0, 1, nan, 1})}};
  makes.compile({.loss = BinaryCrossentropy{}});
  EXPECT_THROW(makes.train_on_batch(four_rows, yes_no), NonFiniteError);
}

TEST(ImpossibleLosses, ErrorsAreTheSameInInferenceAndTraining) {
  for (const testing::LayerRow& row : testing::every_layer()) {
    AnyLayer layer = row.layer;
    Rng rng(1);
    if (layer.as<Input>() != nullptr || layer.as<Embedding>() != nullptr) continue;
    const Tensor in = normal(row.input.batched(2));
    layer.build(row.input, rng);
    const auto squashed = [&](Mode mode) {
      Tape tape(mode);
      return layer.forward(sigmoid(tape.input(in))).squashed_by() != nullptr;
    };
    EXPECT_EQ(squashed(Mode::training), squashed(Mode::inference)) << layer.type();
  }
  Sequential model{Input{3}, Dense{1, sigmoid}, Dropout{0.5}};
  model.compile({.loss = BinaryCrossentropy{.from_logits = true}});
  EXPECT_THROW(model.train_on_batch(four_rows, yes_no), ValueError);
}

TEST(ImpossibleLosses, MetricsThatCannotTakeTheLabelsNameTheRemedy) {
  const auto text = [](const AnyMetric& metric, const AnyLoss& loss, std::initializer_list<Real> labels) {
    Sequential model{Input{3}, Dense{1, sigmoid}};
    model.compile({.loss = loss, .metrics = {metric}});
    return error_of<ValueError>([&] { model.train_on_batch(four_rows, Tensor({4, 1}, labels)); });
  };
  for (const AnyMetric& metric : {AnyMetric(Accuracy{}), AnyMetric(BinaryAccuracy{}), AnyMetric(AUC{}),
                                  AnyMetric(Precision{}), AnyMetric(Recall{}), AnyMetric(F1Score{})}) {
    EXPECT_EQ(text(metric, BinaryCrossentropy{}, {0, Real(0.25), 1, 1}),
              metric.name() +
                  ": label 0.25 in row 1; labels are whole numbers from 0 to 1; for soft labels use a loss "
                  "as the metric, such as BinaryCrossentropy");
    EXPECT_EQ(text(metric, Hinge{}, {-1, 1, -1, 1}),
              metric.name() +
                  ": label -1 in row 0; labels are whole numbers from 0 to 1; map -1 and 1 to 0 and 1 by "
                  "(y + 1) / 2, which Hinge takes as well");
  }
}

TEST(ImpossibleLosses, ImagesThatAreNotFlattenedAskForAFlatten) {
  const Tensor images = normal({2, 4, 3});
  const auto expect_hint = [](const std::string& text, const std::string& hint = " (is a Flatten missing?)") {
    EXPECT_TRUE(text.ends_with(hint)) << text;
  };
  Sequential flat{Input{12}, Dense{2, softmax}};
  flat.compile({.loss = SparseCategoricalCrossentropy{}, .metrics = {Accuracy{}}});
  expect_hint(error_of<ShapeError>([&] { flat.fit(images, labels(2, 2), {.verbose = Verbose::silent}); }));
  expect_hint(error_of<ShapeError>([&] { flat.evaluate(images, labels(2, 2)); }));
  expect_hint(error_of<ShapeError>([&] { flat.train_on_batch(images, labels(2, 2)); }));
  expect_hint(error_of<ShapeError>([&] { static_cast<void>(flat.predict(images)); }));
  expect_hint(error_of<ShapeError>([&] { flat.predict_on_batch(images); }));
  expect_hint(error_of<ShapeError>([&] { flat.predict_classes(images); }));
  expect_hint(error_of<ShapeError>([&] {
    Tape tape;
    flat.get_layer(0).forward(tape.input(images));
  }));
  expect_hint(error_of<ShapeError>([&] {
                static_cast<void>(flat.predict(normal({2, 11})));
              }),
              "each of shape (12,)");  // of another size
  Sequential square{Input{4, 3}, Flatten{}, Dense{2, softmax}};
  expect_hint(error_of<ShapeError>([&] {
                static_cast<void>(square.predict(normal({2, 12})));
              }),
              " (is a Reshape missing?)");

  // Images passed through a Dense without a Flatten.
  Sequential deep{Input{4, 3}, Dense{2, softmax}};
  expect_hint(error_of<ShapeError>([&] { deep.predict_classes(images); }));
  deep.compile({.loss = SparseCategoricalCrossentropy{}});
  for (const Tensor& y : {labels(2, 2), Tensor({2, 1}, {0, 1}), Tensor({2, 2}, {0, 1, 1, 0})}) {
    for (const bool weighted : {false, true}) {
      FitOptions options{.verbose = Verbose::silent};
      if (weighted) options.class_weight = {{1, 2}};
      expect_hint(error_of<ShapeError>([&] { deep.fit(images, y, options); }));
    }
  }
  EXPECT_NO_THROW(deep.fit(images, Tensor({2, 4}), {.verbose = Verbose::silent, .class_weight = {{1, 2}}}));
}

TEST(ImpossibleLosses, APredictionWithTooManyAxesAsksForAFlatten) {
  const Tensor images = normal({2, 4, 3});
  const auto text = [&](Index units, const AnyLoss& loss, const Tensor& y) {
    Sequential model{Input{4, 3}, Dense{units}};
    model.compile({.loss = loss});
    return error_of<ShapeError>([&] { model.train_on_batch(images, y); });
  };
  const std::string hint = "(is a Flatten missing?)";
  EXPECT_TRUE(text(1, MeanSquaredError{}, Tensor(Shape{2})).ends_with(hint));
  EXPECT_TRUE(text(1, MeanSquaredError{}, Tensor({2, 1})).ends_with(hint));
  EXPECT_TRUE(text(1, MeanAbsoluteError{}, Tensor(Shape{2})).ends_with(hint));
  EXPECT_TRUE(text(1, BinaryCrossentropy{.from_logits = true}, Tensor(Shape{2})).ends_with(hint));
  EXPECT_TRUE(text(2, CategoricalCrossentropy{.from_logits = true}, Tensor({2, 2})).ends_with(hint));
  EXPECT_TRUE(text(2, SparseCategoricalCrossentropy{.from_logits = true}, Tensor(Shape{2})).ends_with(hint));
  EXPECT_FALSE(text(1, MeanSquaredError{}, Tensor({2, 4, 2})).ends_with(hint));
}

}  // namespace
}  // namespace cornu
