// When a loss that is given probabilities is computed from their logits, and when it is not.

#include <gtest/gtest.h>

#include "cornu/core/ops/eager.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"

namespace cornu {
namespace {

using testing::differentiate;
using testing::Differentiated;
using testing::expect_close;
using testing::labels;
using testing::normal;
using testing::one_hot;

void expect_same_bits(const Differentiated& a, const Differentiated& b) {
  EXPECT_EQ(a.value, b.value);
  EXPECT_EQ(a.gradient, b.gradient);
}

/// Logits from ordinary ones to those whose probabilities round to 0 and 1 in float and double.
const Tensor logit_tables[] = {normal({4, 3}, 1), Tensor::matrix({{1e4, 0, -1e4}, {-1e4, -1e4, -1e4}, {800, -800, 0}})};

TEST(LossesFromLogits, CrossEntropyOfASoftmaxUsesItsLogits) {
  for (const Tensor& logits : logit_tables) {
    const Tensor truth = labels({logits.shape()[0]}, 3, 2), distributions = one_hot(truth, 3);
    expect_same_bits(
        differentiate([&](Var x) { return sparse_categorical_crossentropy(softmax(x), truth); }, logits),
        differentiate([&](Var x) { return sparse_categorical_crossentropy(x, truth, {.from_logits = true}); }, logits));
    expect_same_bits(
        differentiate([&](Var x) { return categorical_crossentropy(softmax(x, 1), distributions); }, logits),
        differentiate([&](Var x) { return categorical_crossentropy(x, distributions, {.from_logits = true}); },
                      logits));
  }
}

TEST(LossesFromLogits, BinaryCrossEntropyOfASigmoidUsesItsLogits) {
  for (const Tensor& logits : logit_tables) {
    const Tensor truth = one_hot(labels({logits.shape()[0]}, 3, 2), 3);
    expect_same_bits(
        differentiate([&](Var x) { return binary_crossentropy(sigmoid(x), truth); }, logits),
        differentiate([&](Var x) { return binary_crossentropy(x, truth, {.from_logits = true}); }, logits));
  }
}

TEST(LossesFromLogits, AreExactWhereTheProbabilityUnderflows) {
  const Tensor logits = Tensor::matrix({{1e4, 0, -1e4}}), truth = Tensor::vector({2});
  const auto [value, gradient] =
      differentiate([&](Var x) { return sparse_categorical_crossentropy(softmax(x), truth); }, logits);
  EXPECT_EQ(value, 20000);
  EXPECT_EQ(gradient, Tensor::matrix({{1, 0, -1}}));

  const Tensor no = Tensor::vector({0});
  const auto [binary, slope] =
      differentiate([&](Var x) { return binary_crossentropy(sigmoid(x), no); }, Tensor::vector({500}));
  EXPECT_EQ(binary, 500);
  EXPECT_EQ(slope[0], 1);
}

TEST(LossesFromLogits, TheStructsUseTheLogitsToo) {
  const Tensor logits = Tensor::matrix({{1e4, 0, -1e4}}), truth = Tensor::vector({2}), hot = one_hot(truth, 3);
  Tape tape;
  const Var x = tape.input(logits);
  EXPECT_EQ(SparseCategoricalCrossentropy{}(softmax(x), truth).item(), 20000);
  EXPECT_EQ(CategoricalCrossentropy{}(softmax(x), hot).item(), 20000);
  const Tensor z = Tensor::vector({-1e4}), yes = Tensor::vector({1});
  EXPECT_EQ(BinaryCrossentropy{}(sigmoid(tape.input(z)), yes).item(), 10000);
}

/// -log of the probability of the label in row r, computed as documented: divided by the sum of the row, then clipped.
long double from_probabilities(const Tensor& p, const Tensor& truth) {
  const Index classes = p.shape()[-1];
  long double total = 0;
  for (Index r = 0; r < truth.size(); ++r) {
    long double sum = 0;
    for (Index k = 0; k < classes; ++k) sum += static_cast<long double>(p[r * classes + k]);
    const long double q = static_cast<long double>(p[r * classes + static_cast<Index>(truth[r])]) / sum;
    total -= std::log(std::clamp(q, 1e-7L, 1 - 1e-7L));
  }
  return total / static_cast<long double>(truth.size());
}

TEST(LossesFromLogits, ASoftmaxOverAnotherAxisIsTreatedAsProbabilities) {
  const Tensor x = normal({4, 3}, 1), truth = labels({4}, 3, 2);
  Tape tape;
  const Real loss = sparse_categorical_crossentropy(softmax(tape.input(x), 0), truth).item();
  expect_close(loss, from_probabilities(softmax(x, 0), truth));
  EXPECT_GT(std::abs(loss - sparse_categorical_crossentropy(softmax(tape.input(x)), truth).item()), Real(1e-3));
}

TEST(LossesFromLogits, AReshapedOrScaledSoftmaxIsTreatedAsProbabilities) {
  const Tensor x = normal({6, 2}, 1), truth = labels({3}, 4, 2), pairs = labels({6}, 2, 2);
  Tape tape;
  const Var p = softmax(tape.input(x));
  expect_close(sparse_categorical_crossentropy(reshape(p, {3, 4}), truth).item(),
               from_probabilities(reshape(softmax(x), {3, 4}), truth));
  expect_close(sparse_categorical_crossentropy(p * p, pairs).item(),
               from_probabilities(softmax(x) * softmax(x), pairs));
}

TEST(LossesFromLogits, SoftmaxAndSigmoidAreDistinguished) {
  const Tensor x = normal({4, 3}, 1), truth = labels({4}, 3, 2), hot = one_hot(truth, 3);
  Tape tape;
  expect_close(sparse_categorical_crossentropy(sigmoid(tape.input(x)), truth).item(),
               from_probabilities(sigmoid(x), truth));
  const Tensor p = softmax(x);
  long double expected = 0;
  for (Index i = 0; i < p.size(); ++i) {
    const auto q = static_cast<long double>(p[i]);
    expected -= std::log(hot[i] == 1 ? q : 1 - q) / static_cast<long double>(p.size());
  }
  expect_close(binary_crossentropy(softmax(tape.input(x)), hot).item(), expected);
}

TEST(LossesFromLogits, GivenProbabilitiesAreClipped) {
  const Tensor p = Tensor::matrix({{1, 0, 0}}), truth = Tensor::vector({1});
  const auto [value, gradient] = differentiate([&](Var v) { return sparse_categorical_crossentropy(v, truth); }, p);
  expect_close(value, -std::log(static_cast<long double>(Real(1e-7))));
  EXPECT_EQ(gradient, Tensor::matrix({{0, 0, 0}}));  // no gradient where clipped

  const auto [binary, slope] = differentiate([&](Var v) { return binary_crossentropy(v, truth); }, Tensor::vector({0}));
  expect_close(binary, -std::log(static_cast<long double>(Real(1e-7))));
  EXPECT_EQ(slope[0], 0);
}

}  // namespace
}  // namespace cornu
