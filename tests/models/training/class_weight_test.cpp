#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/ops/ops.h"
#include "cornu/layers/reshaping/reshape.h"
#include "cornu/optim/losses/formula_losses.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// Class weights with several labels per sample, against plain loops in double precision.

namespace cornu {
namespace {

using testing::error_of;
using testing::normal;

using ClassWeights = std::map<Index, double>;

double log_sum_exp(const std::vector<double>& z) {
  double sum = 0;
  for (const double x : z) sum += std::exp(x);
  return std::log(sum);
}

/// The loss of one label, computed from that label's outputs.
using RowLoss = double (*)(const std::vector<double>& z, Index label);
double crossentropy(const std::vector<double>& z, Index label) {
  return log_sum_exp(z) - z[static_cast<std::size_t>(label)];
}
double binary(const std::vector<double>& z, Index label) {
  return std::log1p(std::exp(z[0])) - static_cast<double>(label) * z[0];
}
double absolute(const std::vector<double>& z, Index label) { return std::abs(z[0] - static_cast<double>(label)); }

enum class Targets { labels, labels_with_axis, one_hot };

struct Kind {
  const char* name;
  Shape output;  // of a sample
  Targets targets;
  AnyLoss loss;
  RowLoss row_loss;

  Index width() const { return output[-1]; }
  Index classes() const { return std::max(width(), Index{2}); }
  Shape labels() const { return output.without(-1); }
};

Var absolute_errors(Var p, Var y) { return abs(p - y); }

std::vector<Kind> kinds() {
  const AnyLoss sparse = SparseCategoricalCrossentropy{.from_logits = true};
  const AnyLoss categorical = CategoricalCrossentropy{.from_logits = true};
  const AnyLoss focal = CategoricalFocalCrossentropy{.alpha = 1, .gamma = 0, .from_logits = true};
  const AnyLoss yes_or_no = BinaryCrossentropy{.from_logits = true};
  using enum Targets;
  return {{"labels (n)", {3}, labels, sparse, crossentropy},
          {"labels (n, 1)", {3}, labels_with_axis, sparse, crossentropy},
          {"labels (n, steps)", {4, 3}, labels, sparse, crossentropy},
          {"labels (n, steps, 1)", {4, 3}, labels_with_axis, sparse, crossentropy},
          {"labels (n, height, width)", {4, 4, 3}, labels, sparse, crossentropy},
          {"as many steps as classes", {3, 3}, labels, sparse, crossentropy},
          {"one-hot (n, classes)", {3}, one_hot, categorical, crossentropy},
          {"one-hot (n, steps, classes)", {4, 3}, one_hot, categorical, crossentropy},
          {"one-hot of a formula loss", {4, 3}, one_hot, focal, crossentropy},
          {"0 and 1 (n)", {1}, labels, yes_or_no, binary},
          {"0 and 1 (n, 1)", {1}, labels_with_axis, yes_or_no, binary},
          {"0 and 1 (n, steps)", {4, 1}, labels, yes_or_no, binary},
          {"0 and 1 (n, steps, 1)", {4, 1}, labels_with_axis, yes_or_no, binary},
          {"0 and 1 of a formula loss", {4, 1}, labels_with_axis, MeanAbsoluteError{}, absolute},
          {"0 and 1 of a user's loss", {4, 1}, labels_with_axis, absolute_errors, absolute}};
}

/// Labels, as the targets of this kind and as plain indices.
struct Data {
  Tensor x, y;
  std::vector<Index> labels;
};

Data data_of(const Kind& kind, Index samples, Rng& rng) {
  Data data{.x = Tensor({samples, 1}), .y = Tensor(kind.labels().batched(samples)), .labels = {}};
  rng.fill_normal(data.x, 0, 1);
  for (Real& y : data.y) {
    data.labels.push_back(rng.below(kind.classes()));
    y = static_cast<Real>(data.labels.back());
  }
  if (kind.targets == Targets::labels_with_axis) data.y.reshape(data.y.shape().inserted(data.y.rank(), 1));
  if (kind.targets == Targets::one_hot) {
    data.y = Tensor(kind.output.batched(samples));
    for (std::size_t i = 0; i < data.labels.size(); ++i) {
      data.y[static_cast<Index>(i) * kind.width() + data.labels[i]] = 1;
    }
  }
  return data;
}

/// The weighted loss of outputs x * kernel + bias, by plain loops. sample_weight: one per sample, one per label, or
/// none.
double loss_of(const Kind& kind, const Data& data, const std::vector<double>& kernel, const std::vector<double>& bias,
               const ClassWeights& class_weight, const Tensor& sample_weight) {
  const std::size_t samples = static_cast<std::size_t>(data.x.size()), rows = data.labels.size() / samples,
                    width = static_cast<std::size_t>(kind.width());
  double sum = 0;
  for (std::size_t i = 0; i < data.labels.size(); ++i) {
    const std::size_t sample = i / rows;
    std::vector<double> z(width);
    for (std::size_t c = 0; c < width; ++c) {
      const std::size_t unit = i % rows * width + c;
      z[c] = static_cast<double>(data.x[static_cast<Index>(sample)]) * kernel[unit] + bias[unit];
    }
    const auto weight = class_weight.find(data.labels[i]);
    sum += (weight == class_weight.end() ? 1 : weight->second) *
           (sample_weight.empty()
                ? 1
                : static_cast<double>(
                      sample_weight[static_cast<Index>(sample_weight.size() == data.x.size() ? sample : i)])) *
           kind.row_loss(z, data.labels[i]);
  }
  return sum / static_cast<double>(data.labels.size());
}

std::vector<double> doubles(const Tensor& tensor) { return {tensor.begin(), tensor.end()}; }

TEST(ClassWeights, WeighEachLabelOfEveryKindOfTargetForAnySharding) {
  constexpr double tolerance = sizeof(Real) == 4 ? 2e-5 : 1e-9;
  constexpr Index samples = 24;
  Rng rng(11);
  for (const Kind& kind : kinds()) {
    for (const Index shard_size : {24, 8, 2}) {  // 1, 3 and 12 shards
      for (const Shape& weights : {Shape{0}, Shape{samples}, kind.labels().batched(samples)}) {
        SCOPED_TRACE(message("{}, shards of {}, sample weights {}", kind.name, shard_size, weights));
        const Data data = data_of(kind, samples, rng);
        ClassWeights class_weight;
        for (Index c = 0; c < kind.classes(); ++c) {
          if (rng.below(4) > 0) class_weight[c] = static_cast<double>(rng.uniform()) * 10;
        }
        class_weight[1] = 10;
        Tensor sample_weight(weights);
        rng.fill_uniform(sample_weight, 0, 2);
        const Index units = kind.output.size();
        Sequential model{Input{1}, Dense{units}, Reshape(kind.output)};
        model.compile({.optimizer = SGD{.learning_rate = 1}, .loss = kind.loss});
        model.set_weights(std::vector<Tensor>{normal({1, units}, 3), normal({units}, 4)});
        const std::vector<double> kernel = doubles(model.get_weights()[0]), bias = doubles(model.get_weights()[1]);

        const History history = model.fit(data.x, data.y,
                                          {.batch_size = samples,
                                           .verbose = Verbose::silent,
                                           .class_weight = class_weight,
                                           .sample_weight = sample_weight,
                                           .shard_size = shard_size});
        const double expected = loss_of(kind, data, kernel, bias, class_weight, sample_weight);
        EXPECT_NEAR(history["loss"].front(), expected, tolerance * std::max(1.0, expected));
        const Tensor after = model.get_weights()[1];
        for (std::size_t unit = 0; unit < bias.size(); ++unit) {
          std::vector<double> up = bias, down = bias;
          constexpr double step = 1e-5;
          up[unit] += step;
          down[unit] -= step;
          const double slope = (loss_of(kind, data, kernel, up, class_weight, sample_weight) -
                                loss_of(kind, data, kernel, down, class_weight, sample_weight)) /
                               (2 * step);
          ASSERT_NEAR(static_cast<double>(after[static_cast<Index>(unit)]), bias[unit] - slope,
                      std::max(tolerance * 10, 1e-7))
              << unit;
        }
      }
    }
  }
}

/// Calls fit on a model with outputs of this shape, in batches of one sample.
std::string class_weight_error(const Shape& output, const AnyLoss& loss, const Tensor& y,
                               const ClassWeights& weights = {{1, 10}}) {
  Sequential model{Input{1}, Dense{output.size()}, Reshape(output)};
  model.compile({.optimizer = SGD{}, .loss = loss});
  const Tensor x(Shape{y.shape()[0], 1});
  const std::string text = error_of<Error>([&] {
    model.fit(x, y,
              {.batch_size = y.shape()[0], .verbose = Verbose::silent, .shuffle = false, .class_weight = weights});
  });
  const std::string where = "fit, epoch 1 of 1, batch 1 of 1: class_weight: ";
  EXPECT_TRUE(text.starts_with(where)) << text;
  return text.substr(std::min(where.size(), text.size()));
}

std::string no_one_class(const Shape& targets, Index outputs) {
  return message(
      "the targets are {} and, for this loss, each of a sample's {} outputs is a separate answer or value, so a sample "
      "has no class to weight. Use sample_weight; for yes-or-no labels, outputs of shape (..., 1); for one class of "
      "{}, a softmax or CategoricalCrossentropy",
      targets, outputs, outputs);
}

TEST(ClassWeights, AreRefusedForLabelsThatAreNotClasses) {
  EXPECT_EQ(class_weight_error({1}, MeanSquaredError{}, Tensor::vector({0, 1, 2.5})),
            "target 2.5 in row 2 is not a class; with one output the classes are 0 and 1");
  EXPECT_EQ(class_weight_error({4, 1}, MeanSquaredError{}, Tensor({1, 4}, {0, 1, 1, 7})),
            "target 7 in row 0 is not a class; with one output the classes are 0 and 1");
  const AnyLoss any = [](Var p, Var) { return square(p); };
  EXPECT_EQ(class_weight_error({3}, any, Tensor::vector({0, 3, 1})),
            "label 3 in row 1 is not a class; with 3 outputs the classes are 0 to 2");
  EXPECT_EQ(class_weight_error({3}, any, Tensor::vector({0, 0.5, 1})),
            "label 0.5 in row 1 is not a class; with 3 outputs the classes are 0 to 2");
  EXPECT_EQ(class_weight_error({3}, any, Tensor({2, 2})),
            "targets are (2, 2) and the model's outputs (2, 3); labels (2,) or one-hot rows like the outputs are "
            "required");
  EXPECT_EQ(
      class_weight_error({3}, CategoricalCrossentropy{.from_logits = true}, Tensor::matrix({{0, 1, 0}, {1, 0, 1}})),
      "row 1 has the targets [1 0 1], which are not one-hot, so the sample has no class to weight; use sample_weight");
}

TEST(ClassWeights, AreRefusedByTheLossNotByTheLookOfTheTargets) {
  const Tensor looks_one_hot = Tensor::matrix({{0, 1, 0}, {1, 0, 0}});
  const Tensor looks_like_shares = Tensor::matrix({{0.25, 0.5, 0.25}, {0.5, 0.5, 0}});
  const Tensor several = Tensor::matrix({{1, 1, 0}, {1, 0, 0}});
  const AnyLoss users = [](Var p, Var y) { return mean(square(p - y), -1); };
  for (const AnyLoss& loss :
       {AnyLoss(BinaryCrossentropy{.from_logits = true}), AnyLoss(BinaryFocalCrossentropy{.from_logits = true}),
        AnyLoss(MeanSquaredError{}), AnyLoss(MeanAbsoluteError{}), AnyLoss(Huber{}), users}) {
    for (const Tensor& y : {looks_one_hot, looks_like_shares, several}) {
      EXPECT_EQ(class_weight_error({3}, loss, y), no_one_class({2, 3}, 3));
    }
  }
}

TEST(ClassWeights, ASoftmaxMakesTheOutputsClassesForAnyLoss) {
  const Tensor x({2, 1}), y = Tensor::matrix({{0, 1, 0}, {1, 0, 0}});
  for (const AnyLoss& loss : {AnyLoss(MeanSquaredError{}), AnyLoss(BinaryCrossentropy{})}) {
    Sequential model{Input{1}, Dense{.units = 3, .kernel_initializer = zeros}, Activation{softmax}};
    model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = loss});
    const FitOptions plain{.verbose = Verbose::silent};
    FitOptions weighted = plain;
    weighted.class_weight = {{1, 3}};
    EXPECT_NEAR(model.fit(x, y, weighted)["loss"].front(), 2 * model.fit(x, y, plain)["loss"].front(), 1e-5);
  }
}

TEST(ClassWeights, MustUseTheSameTwoClassesAsTheLabels) {
  const Tensor from_zero = Tensor::vector({1, 0, 1}), signs = Tensor::vector({1, -1, 1});
  EXPECT_EQ(class_weight_error({1}, Hinge{}, signs, {{0, 5}}),
            "label -1 in row 1, but there is a weight for class 0; give weights for -1 and 1");
  EXPECT_EQ(class_weight_error({1}, Hinge{}, from_zero, {{-1, 5}, {1, 2}}),
            "label 0 in row 1, but there is a weight for class -1; give weights for 0 and 1");
  const auto loss = [](const Tensor& y, const ClassWeights& weights) {
    Sequential model{Input{1}, Dense{.units = 1, .kernel_initializer = zeros}};
    model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = Hinge{}});
    return model.fit(Tensor({3, 1}), y, {.verbose = Verbose::silent, .class_weight = weights})["loss"].front();
  };
  EXPECT_NEAR(loss(signs, {{-1, 4}}), 2, 1e-6);  // (1 + 4 + 1) / 3
  EXPECT_NEAR(loss(from_zero, {{0, 4}}), 2, 1e-6);
  EXPECT_EQ(error_of<ValueError>([&] {
              loss(signs, {{-1, 4}, {0, 4}});
            }),
            "fit: class_weight is given for the classes -1 and 0; labels are 0 and 1, or -1 and 1 for a hinge loss");
}

TEST(ClassWeights, RequireSampleWeightsOfSamplesOrLabels) {
  Sequential model{Input{1}, Dense{12}, Reshape{4, 3}};
  model.compile({.optimizer = SGD{}, .loss = SparseCategoricalCrossentropy{.from_logits = true}});
  EXPECT_EQ(
      error_of<ShapeError>([&] {
        model.fit(Tensor({2, 1}), Tensor({2, 4}),
                  {.verbose = Verbose::silent, .class_weight = {{1, 2}}, .sample_weight = Tensor::full({2, 3}, 1)});
      }),
      "fit, epoch 1 of 1, batch 1 of 1: class_weight: sample weights are (2, 3) and losses (2, 4); one weight for "
      "each sample or for each loss is required");
}

TEST(ClassWeights, AreNotCheckedForSampleWeight0) {
  Sequential model{Input{1}, Dense{.units = 1, .kernel_initializer = zeros}};
  model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = BinaryCrossentropy{.from_logits = true}});
  const History history =
      model.fit(Tensor({3, 1}), Tensor::vector({1, -1, 0}),
                {.verbose = Verbose::silent, .class_weight = {{0, 2}}, .sample_weight = Tensor::vector({1, 0, 1})});
  EXPECT_NEAR(history["loss"].front(), std::log(2.0), 1e-6);  // (1 + 0 + 2) / 3
}

TEST(ClassWeights, ASmoothedRowCountsAsItsLargestClass) {
  const auto loss = [](const Tensor& y, const ClassWeights& weights) {
    Sequential model{Input{1}, Dense{.units = 3, .kernel_initializer = zeros}};
    model.compile({.optimizer = SGD{.learning_rate = 0}, .loss = CategoricalCrossentropy{.from_logits = true}});
    return model.fit(Tensor({2, 1}), y, {.verbose = Verbose::silent, .class_weight = weights})["loss"].front();
  };
  EXPECT_NEAR(loss(Tensor::matrix({{0.125, 0.75, 0.125}, {0.75, 0.125, 0.125}}), {{1, 3}}), 2 * std::log(3.0), 1e-6);
}

// ---- Sample weights passed to the losses directly ----

TEST(ClassWeights, MayHaveTheShapeOfTheLossesOrOfTheirFirstAxes) {
  const Tensor z = normal({2, 3, 4}), y = testing::labels(6, 4);
  Tensor labels = y;
  labels.reshape({2, 3});
  Tape tape(Mode::inference);
  const AnyLoss loss = SparseCategoricalCrossentropy{.from_logits = true};
  const AnyLoss formula = [](Var p, Var t) { return sum(p, -1) * t; };
  const Tensor each({2, 3}, {1, 2, 3, 4, 5, 6});
  for (const AnyLoss& either : {loss, formula}) {
    double expected = 0;
    for (Index i = 0; i < 6; ++i) {
      Tensor one({2, 3});
      one[i] = 1;
      expected += static_cast<double>(each[i]) * static_cast<double>(either(tape.input(z), labels, one).item());
    }
    EXPECT_NEAR(static_cast<double>(either(tape.input(z), labels, each).item()), expected, 1e-4);
    Tensor with_axis = each;
    with_axis.reshape({2, 3, 1});
    EXPECT_EQ(either(tape.input(z), labels, with_axis).item(), either(tape.input(z), labels, each).item());
    const Tensor of_samples = Tensor::vector({2, 3}), spread({2, 3}, {2, 2, 2, 3, 3, 3});
    EXPECT_NEAR(static_cast<double>(either(tape.input(z), labels, of_samples).item()),
                static_cast<double>(either(tape.input(z), labels, spread).item()), 1e-5);
    const Tensor turned({3, 2});
    EXPECT_NE(error_of<ShapeError>([&] { either(tape.input(z), labels, turned); })
                  .find("sample weights are (3, 2) and losses (2, 3); one weight for each sample or for each loss is "
                        "required"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace cornu
