#include <gtest/gtest.h>

#include "cornu/core/error.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_error;

/// Expects the loss to throw for predictions of this shape.
template <class E, class Loss>
void expect_loss_error(Loss loss, const Shape& shape, std::string_view text) {
  const Tensor predictions = Tensor::full(shape, Real(0.25));
  Tape tape;
  expect_error<E>([&] { loss(tape.variable(predictions)); }, text);
}

auto sparse(const Tensor& truth, const CategoricalOptions& options = {}) {
  return [&truth, options](Var y) { return sparse_categorical_crossentropy(y, truth, options); };
}

auto categorical(const Tensor& truth, const CategoricalOptions& options = {}) {
  return [&truth, options](Var y) { return categorical_crossentropy(y, truth, options); };
}

TEST(LossErrors, NameTheRowAndTheInvalidLabel) {
  const auto expect_label_error = [](const Tensor& truth, std::string_view text) {
    expect_loss_error<ValueError>(sparse(truth), {3, 4}, text);
  };
  expect_label_error(Tensor::vector({0, 4, 1}),
                     "sparse_categorical_crossentropy: label 4 in row 1; labels are whole numbers from 0 to 3");
  expect_label_error(Tensor::vector({0, 3, -1}),
                     "sparse_categorical_crossentropy: label -1 in row 2; labels are whole numbers from 0 to 3");
  expect_label_error(Tensor::vector({1.5, 3, 0}),
                     "sparse_categorical_crossentropy: label 1.5 in row 0; labels are whole numbers from 0 to 3");
  expect_label_error(Tensor::vector({0, 3, testing::nan}),
                     "sparse_categorical_crossentropy: label nan in row 2; labels are whole numbers from 0 to 3");
  expect_label_error(Tensor::vector({0, testing::infinity, 0}),
                     "sparse_categorical_crossentropy: label inf in row 1; labels are whole numbers from 0 to 3");
  const Tensor steps({3, 2}, {0, 1, 2, 3, 3, 4});
  expect_loss_error<ValueError>(
      sparse(steps), {3, 2, 4},
      "sparse_categorical_crossentropy: label 4 in row 2, position 1; labels are whole numbers from 0 to 3");
}

TEST(LossErrors, NameBothShapesAndTheOtherCrossEntropy) {
  const Tensor flat({3}), four({4}), hot({3, 4}), scalar = Tensor::scalar(0);
  expect_loss_error<ShapeError>(
      sparse(four), {3, 4},
      "sparse_categorical_crossentropy: predictions are (3, 4) and labels (4,); one label for "
      "each row of classes is required");
  expect_loss_error<ShapeError>(
      sparse(hot), {3, 4},
      "sparse_categorical_crossentropy: predictions are (3, 4) and labels (3, 4); one label "
      "for each row of classes is required (for one-hot labels use categorical_crossentropy)");
  expect_loss_error<ShapeError>(sparse(flat), {3, 5, 4},
                                "sparse_categorical_crossentropy: predictions are (3, 5, 4) and labels (3,); one label "
                                "for each row of classes is required (is a Flatten missing?)");
  expect_loss_error<ShapeError>(sparse(scalar), {},
                                "sparse_categorical_crossentropy: predictions are () and labels (); one label for each "
                                "row of classes is required (for one-hot labels use categorical_crossentropy)");
  expect_loss_error<ShapeError>(
      categorical(four), {3, 4},
      "categorical_crossentropy: predictions are (3, 4) and targets (4,); equal shapes are required");
  expect_loss_error<ShapeError>(
      categorical(flat), {3, 4},
      "categorical_crossentropy: predictions are (3, 4) and targets (3,); equal shapes are required (for "
      "class indices use sparse_categorical_crossentropy)");
  const Tensor nothing({3, 0});
  expect_loss_error<ShapeError>(categorical(nothing), {3, 0},
                                "categorical_crossentropy: predictions (3, 0) have no classes");
  expect_loss_error<ShapeError>(sparse(flat), {3, 0},
                                "sparse_categorical_crossentropy: predictions (3, 0) have no classes");
}

TEST(LossErrors, NameBothShapesOfElementwiseLosses) {
  const Tensor truth({3, 2}), wide({1, 3});
  expect_loss_error<ShapeError>(
      [&](Var y) { return binary_crossentropy(y, truth); }, {3, 1},
      "binary_crossentropy: predictions are (3, 1) and targets (3, 2); equal shapes are required");
  expect_loss_error<ShapeError>(
      [&](Var y) { return mean_squared_error(y, truth); }, {2, 3},
      "mean_squared_error: predictions are (2, 3) and targets (3, 2); equal shapes are required");
  expect_loss_error<ShapeError>(
      [&](Var y) { return mean_squared_error(y, wide); }, {3},
      "mean_squared_error: predictions are (3,) and targets (1, 3); equal shapes are required");
}

TEST(LossErrors, NameTheShapesOfWeightsAndLosses) {
  const Tensor truth({3}), hot({3, 4}), two({2});
  expect_loss_error<ShapeError>(sparse(truth, {.sample_weight = two}), {3, 4},
                                "sparse_categorical_crossentropy: sample weights are (2,) and losses (3,); one weight "
                                "for each sample or for each loss is required");
  expect_loss_error<ShapeError>(categorical(hot, {.sample_weight = two}), {3, 4},
                                "categorical_crossentropy: sample weights are (2,) and losses (3,); one weight for "
                                "each sample or for each loss is required");
  expect_loss_error<ShapeError>([&](Var y) { return binary_crossentropy(y, hot, {.sample_weight = two}); }, {3, 4},
                                "binary_crossentropy: sample weights are (2,) and losses (3, 4); one weight for each "
                                "sample or for each loss is required");
  expect_loss_error<ShapeError>([&](Var y) { return mean_squared_error(y, hot, {two}); }, {3, 4},
                                "mean_squared_error: sample weights are (2,) and losses (3, 4); one weight for each "
                                "sample or for each loss is required");
  const Tensor scalar = Tensor::scalar(1);
  expect_loss_error<ShapeError>(sparse(scalar, {.sample_weight = two}), {4},
                                "sparse_categorical_crossentropy: sample weights are (2,) and losses (); one weight "
                                "for each sample or for each loss is required");
}

TEST(LossErrors, NameALabelSmoothingOutOfRange) {
  const Tensor truth({3}), hot({3, 4});
  expect_loss_error<ValueError>(sparse(truth, {.label_smoothing = 1.5}), {3, 4},
                                "sparse_categorical_crossentropy: label_smoothing is 1.5; it must be in [0, 1]");
  expect_loss_error<ValueError>(categorical(hot, {.label_smoothing = -0.1}), {3, 4},
                                "categorical_crossentropy: label_smoothing is -0.1; it must be in [0, 1]");
  expect_loss_error<ValueError>([&](Var y) { return binary_crossentropy(y, hot, {.label_smoothing = 2}); }, {3, 4},
                                "binary_crossentropy: label_smoothing is 2; it must be in [0, 1]");
}

}  // namespace
}  // namespace cornu
