#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/models/support.h"
#include "cornu/tests/support/expect_error.h"

// Models with an output for each time step, (batch, steps, classes), labels (batch, steps) and weights per time step,
// against plain loops in double precision.

namespace cornu {
namespace {

using testing::error_of;
using testing::normal;

/// A classifier of each time step: logits = x kernel + bias.
struct StepwiseProblem {
  static constexpr Index samples = 22, steps = 5, features = 2, classes = 3;
  Tensor x = normal({samples, steps, features}, 1), y = Tensor({samples, steps});
  Tensor sample_weight{};
  std::vector<double> kernel, bias;

  explicit StepwiseProblem(const Shape& weights) : sample_weight(weights) {
    Rng rng(2);
    for (Real& label : y) label = static_cast<Real>(rng.below(classes));
    rng.fill_uniform(sample_weight, 0, 2);
    for (Index i = 0; i < features * classes; ++i) kernel.push_back(static_cast<double>(rng.normal()));
    for (Index c = 0; c < classes; ++c) bias.push_back(static_cast<double>(rng.normal()));
  }

  double weight(Index sample, Index step) const {
    if (sample_weight.empty()) return 1;
    return static_cast<double>(sample_weight[sample_weight.size() == samples ? sample : sample * steps + step]);
  }
  std::vector<double> logits(Index sample, Index step) const {
    std::vector<double> z = bias;
    for (Index k = 0; k < features; ++k) {
      for (std::size_t c = 0; c < z.size(); ++c) {
        z[c] += static_cast<double>(x.at({sample, step, k})) * kernel[static_cast<std::size_t>(k) * z.size() + c];
      }
    }
    return z;
  }
  /// The mean over the time steps of the samples from `first` on.
  double loss(Index first = 0, Index end = samples) const {
    double sum = 0;
    for (Index i = first; i < end; ++i) {
      for (Index t = 0; t < steps; ++t) {
        const std::vector<double> z = logits(i, t);
        double total = 0;
        for (const double logit : z) total += std::exp(logit);
        sum += weight(i, t) * (std::log(total) - z[static_cast<std::size_t>(y.at({i, t}))]);
      }
    }
    return sum / static_cast<double>((end - first) * steps);
  }
  double accuracy(bool weighted) const {
    double right = 0, seen = 0;
    for (Index i = 0; i < samples; ++i) {
      for (Index t = 0; t < steps; ++t) {
        const std::vector<double> z = logits(i, t);
        const double by = weighted ? weight(i, t) : 1;
        right += std::max_element(z.begin(), z.end()) - z.begin() == static_cast<Index>(y.at({i, t})) ? by : 0;
        seen += by;
      }
    }
    return right / seen;
  }
  /// The derivative of the loss by one element of the kernel or the bias.
  double slope(std::vector<double> StepwiseProblem::*weights, std::size_t element) const {
    constexpr double step = 1e-5;
    StepwiseProblem up = *this, down = *this;
    (up.*weights)[element] += step;
    (down.*weights)[element] -= step;
    return (up.loss() - down.loss()) / (2 * step);
  }

  Sequential model(double learning_rate = 1) const {
    Sequential result{Input{steps, features}, Dense{classes}};
    result.compile({.optimizer = SGD{.learning_rate = learning_rate},
                    .loss = SparseCategoricalCrossentropy{.from_logits = true},
                    .metrics = {Accuracy{}},
                    .weighted_metrics = {Accuracy{}}});
    std::vector<Tensor> weights{Tensor({features, classes}), Tensor(Shape{classes})};
    std::transform(kernel.begin(), kernel.end(), weights[0].begin(), [](double v) { return static_cast<Real>(v); });
    std::transform(bias.begin(), bias.end(), weights[1].begin(), [](double v) { return static_cast<Real>(v); });
    result.set_weights(weights);
    return result;
  }
};

constexpr double stepwise_tolerance = sizeof(Real) == 4 ? 2e-5 : 1e-8;

TEST(TimeSteps, LabelsAndWeightsOfEachStepGiveTheRightWeightsAfterAStep) {
  using Problem = StepwiseProblem;
  for (const Shape& shape : {Shape{0}, Shape{Problem::samples}, Shape{Problem::samples, Problem::steps},
                             Shape{Problem::samples, Problem::steps, 1}}) {
    for (const Index shard_size : {22, 7, 2}) {
      for (const bool labels_have_an_axis : {false, true}) {
        SCOPED_TRACE(message("sample weights {}, shards of {}", shape, shard_size));
        const Problem problem(shape);
        Tensor y = problem.y;
        if (labels_have_an_axis) y.reshape({Problem::samples, Problem::steps, 1});
        Sequential model = problem.model(), on_batch = model;
        const Logs logs = model.evaluate(problem.x, y, {.batch_size = 10, .sample_weight = problem.sample_weight});
        EXPECT_NEAR(logs["loss"], problem.loss(), stepwise_tolerance);
        EXPECT_NEAR(logs["accuracy"], problem.accuracy(false), 1e-9);
        EXPECT_NEAR(logs["weighted_accuracy"], problem.accuracy(true), 1e-9);
        const History history = model.fit(problem.x, y,
                                          {.batch_size = Problem::samples,
                                           .verbose = Verbose::silent,
                                           .sample_weight = problem.sample_weight,
                                           .shard_size = shard_size});
        EXPECT_NEAR(history["loss"].front(), problem.loss(), stepwise_tolerance);
        EXPECT_NEAR(history["accuracy"].front(), problem.accuracy(false), 1e-9);
        EXPECT_NEAR(history["weighted_accuracy"].front(), problem.accuracy(true), 1e-9);
        const Logs& of_batch = on_batch.train_on_batch(problem.x, y, problem.sample_weight);
        EXPECT_NEAR(of_batch["loss"], problem.loss(), stepwise_tolerance);
        EXPECT_NEAR(of_batch["weighted_accuracy"], problem.accuracy(true), 1e-9);
        for (const Sequential* trained : {&model, &on_batch}) {
          const std::vector<Tensor> after = trained->get_weights();
          for (std::size_t i = 0; i < problem.kernel.size(); ++i) {
            EXPECT_NEAR(static_cast<double>(after[0][static_cast<Index>(i)]),
                        problem.kernel[i] - problem.slope(&Problem::kernel, i), 5 * stepwise_tolerance);
          }
          for (std::size_t i = 0; i < problem.bias.size(); ++i) {
            EXPECT_NEAR(static_cast<double>(after[1][static_cast<Index>(i)]),
                        problem.bias[i] - problem.slope(&Problem::bias, i), 5 * stepwise_tolerance);
          }
        }
      }
    }
  }
}

TEST(TimeSteps, WeightsFollowTheirSamplesThroughShufflesAndSplits) {
  using Problem = StepwiseProblem;
  const Problem problem({Problem::samples, Problem::steps});
  Sequential model = problem.model(0);
  const History history = model.fit(
      problem.x, problem.y,
      {.batch_size = 3, .verbose = Verbose::silent, .validation_split = 0.5, .sample_weight = problem.sample_weight});
  EXPECT_NEAR(history["loss"].front(), problem.loss(0, 11), stepwise_tolerance);
  EXPECT_NEAR(history["val_loss"].front(), problem.loss(11, 22), stepwise_tolerance);
}

TEST(TimeSteps, ALabelOfWeight0MayBeAnyValue) {
  using Problem = StepwiseProblem;
  Problem problem({Problem::samples, Problem::steps});
  for (Index t = 2; t < Problem::steps; ++t) problem.sample_weight.at({1, t}) = 0;
  Sequential model = problem.model();
  model.compile({.optimizer = SGD{},
                 .loss = SparseCategoricalCrossentropy{.from_logits = true},
                 .weighted_metrics = {Accuracy{}}});
  Tensor padded = problem.y;
  for (Index t = 2; t < Problem::steps; ++t) padded.at({1, t}) = -1;
  const Logs logs = model.evaluate(problem.x, padded, {.sample_weight = problem.sample_weight});
  EXPECT_NEAR(logs["loss"], problem.loss(), stepwise_tolerance);
  EXPECT_NEAR(logs["accuracy"], problem.accuracy(true), 1e-9);
}

TEST(TimeSteps, WeightsOfOtherShapesAreRefused) {
  using Problem = StepwiseProblem;
  const Problem problem({Problem::samples, Problem::steps - 1});
  Sequential model = problem.model();
  const std::string text =
      "sparse_categorical_crossentropy: sample weights are (22, 4) and losses (22, 5); one weight for each sample or "
      "for each loss is required";
  EXPECT_EQ(error_of<ShapeError>([&] {
              model.fit(problem.x, problem.y,
                        {.batch_size = 22, .verbose = Verbose::silent, .sample_weight = problem.sample_weight});
            }),
            "fit, epoch 1 of 1, batch 1 of 1: " + text);
  EXPECT_EQ(error_of<ShapeError>([&] {
              model.evaluate(problem.x, problem.y, {.batch_size = 22, .sample_weight = problem.sample_weight});
            }),
            text);
}

}  // namespace
}  // namespace cornu
