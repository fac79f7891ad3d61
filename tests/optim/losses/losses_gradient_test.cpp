#include <gtest/gtest.h>

#include <functional>

#include "cornu/core/gradcheck.h"
#include "cornu/core/ops/ops.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"

namespace cornu {
namespace {

using testing::differentiate;
using testing::labels;
using testing::normal;
using testing::one_hot;
using testing::uniform;

void expect_right_gradient(const std::function<Var(Var)>& f, const Tensor& x) {
  const CheckReport report = check_gradients([&](std::span<const Var> inputs) { return f(inputs[0]); }, {x});
  EXPECT_TRUE(report) << to_string(report);
}

/// The shapes of predictions: ordinary, of one sample or one class, odd, with more axes, empty.
const Shape prediction_shapes[] = {{3, 5},    {1, 3},       {4, 1},          {1, 1}, {7, 2},    {2, 3, 4},
                                   {2, 1, 3}, {3, 2, 2, 2}, {1, 2, 1, 2, 3}, {0, 3}, {2, 0, 3}, {4}};

/// Calls f(shape, labels, distributions, weights) for every shape, with and without weights (one of them 0).
template <class F>
void for_each_shape(F f) {
  for (const Shape& shape : prediction_shapes) {
    for (const bool weighted : {false, true}) {
      SCOPED_TRACE(to_string(shape) + (weighted ? " weighted" : ""));
      const Tensor truth = labels(shape.without(-1), shape[-1], 2);
      Tensor distributions = uniform(shape, 3, Real(0.1), 1);
      Tensor weights;
      if (weighted) {
        weights = uniform({shape.rank() == 1 ? 1 : shape[0]}, 4, Real(0.5), 2);
        if (weights.size() > 1) weights[1] = 0;
      }
      f(shape, truth, distributions, weights);
    }
  }
}

TEST(LossGradients, OfCrossEntropyFromLogitsAreCorrect) {
  for_each_shape([](const Shape& shape, const Tensor& truth, const Tensor& distributions, const Tensor& weights) {
    if (shape[-1] == 1) return;  // throws
    const Tensor logits = normal(shape, 1);
    for (const double smoothing : {0.0, 0.1, 1.0}) {
      const CategoricalOptions options{true, smoothing, weights};
      expect_right_gradient([&](Var x) { return sparse_categorical_crossentropy(x, truth, options); }, logits);
      expect_right_gradient([&](Var x) { return categorical_crossentropy(x, distributions, options); }, logits);
    }
  });
}

TEST(LossGradients, OfCrossEntropyFromProbabilitiesAreCorrect) {
  for_each_shape([](const Shape& shape, const Tensor& truth, const Tensor& distributions, const Tensor& weights) {
    if (shape[-1] == 1) return;                                            // throws
    const Tensor probabilities = uniform(shape, 1, Real(0.3), Real(0.9));  // the loss divides by their sum
    for (const double smoothing : {0.0, 0.1, 1.0}) {
      const CategoricalOptions options{false, smoothing, weights};
      expect_right_gradient([&](Var p) { return sparse_categorical_crossentropy(p, truth, options); }, probabilities);
      expect_right_gradient([&](Var p) { return categorical_crossentropy(p, distributions, options); }, probabilities);
    }
  });
}

TEST(LossGradients, OfBinaryCrossEntropyAreCorrect) {
  for_each_shape([](const Shape& shape, const Tensor&, const Tensor& truth, const Tensor& all_weights) {
    const Tensor logits = normal(shape, 1), probabilities = uniform(shape, 1, Real(0.2), Real(0.8));
    // With a single axis, each element is one sample.
    const Tensor weights = shape.rank() == 1 && !all_weights.empty() ? uniform(shape, 5, 0, 2) : all_weights;
    for (const double smoothing : {0.0, 0.1, 1.0}) {
      const BinaryOptions from_logits{true, smoothing, weights}, from_probabilities{false, smoothing, weights};
      expect_right_gradient([&](Var x) { return binary_crossentropy(x, truth, from_logits); }, logits);
      expect_right_gradient([&](Var p) { return binary_crossentropy(p, truth, from_probabilities); }, probabilities);
    }
  });
}

TEST(LossGradients, OfMeanSquaredErrorAreCorrect) {
  for_each_shape([](const Shape& shape, const Tensor&, const Tensor& truth, const Tensor& all_weights) {
    const Tensor weights = shape.rank() == 1 && !all_weights.empty() ? uniform(shape, 5, 0, 2) : all_weights;
    expect_right_gradient([&](Var x) { return mean_squared_error(x, truth, {weights}); }, normal(shape, 1));
  });
}

TEST(LossGradients, ThroughSoftmaxAndSigmoidAreCorrect) {
  for_each_shape([](const Shape& shape, const Tensor& truth, const Tensor& distributions, const Tensor& weights) {
    const Tensor x = normal(shape, 1);
    const CategoricalOptions options{.label_smoothing = 0.1, .sample_weight = weights};
    if (shape[-1] != 1) {  // throws for 1
      expect_right_gradient([&](Var v) { return sparse_categorical_crossentropy(softmax(v), truth, options); }, x);
      expect_right_gradient([&](Var v) { return categorical_crossentropy(softmax(v), distributions, options); }, x);
      expect_right_gradient([&](Var v) { return categorical_crossentropy(softmax(v, 0), distributions, options); }, x);
      expect_right_gradient([&](Var v) { return categorical_crossentropy(sigmoid(v), distributions, options); }, x);
    }
    expect_right_gradient([&](Var v) { return binary_crossentropy(sigmoid(v), distributions); }, x);
  });
}

TEST(LossGradients, AreScaledByOpsAfterTheLoss) {
  const Tensor x = normal({3, 4}, 1), truth = labels({3}, 4, 2);
  const auto loss = [&](Var v) { return sparse_categorical_crossentropy(v, truth, {.from_logits = true}); };
  expect_right_gradient([&](Var v) { return square(loss(v)) * 3 + mean(v); }, x);
}

TEST(LossGradients, OfSeveralLossesOfOnePredictionAddUp) {
  const Tensor x = normal({3, 4}, 1), truth = labels({3}, 4, 2), distributions = one_hot(labels({3}, 4, 3), 4);
  expect_right_gradient(
      [&](Var v) {
        const Var p = softmax(v);  // one loss uses the logits, the other one p
        return sparse_categorical_crossentropy(p, truth) + mean_squared_error(p, distributions);
      },
      x);
}

TEST(LossGradients, OfOneSampleAreSoftmaxMinusOneHot) {
  const Tensor x = Tensor::matrix({{3, 4, 1}}), truth = Tensor::vector({1});
  const auto [value, gradient] =
      differentiate([&](Var v) { return sparse_categorical_crossentropy(v, truth, {.from_logits = true}); }, x);
  testing::expect_close(value, 0.34901221676818639L);
  testing::expect_close(gradient, {0.25949646034241913L, 0.70538451269824121L - 1, 0.035119026959339723L});
}

}  // namespace
}  // namespace cornu
