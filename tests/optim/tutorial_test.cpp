// Computations from NumPy tutorials, done with the library.

#include <gtest/gtest.h>

#include <vector>

#include "cornu/core/ops/ops.h"
#include "cornu/optim/losses/losses.h"
#include "cornu/tests/optim/support.h"

namespace cornu {
namespace {

using testing::expect_close;

using ExactNumbers = std::vector<long double>;

/// x w + b of (n, m) times (m, k), in long double.
ExactNumbers scores(const Tensor& x, const Tensor& w, const Tensor& b) {
  const Index n = x.shape()[0], m = x.shape()[1], k = w.shape()[1];
  ExactNumbers result;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < k; ++j) {
      auto sum = static_cast<long double>(b[j]);
      for (Index l = 0; l < m; ++l)
        sum += static_cast<long double>(x[i * m + l]) * static_cast<long double>(w[l * k + j]);
      result.push_back(sum);
    }
  }
  return result;
}

/// X^T d / n for d of shape (n, k).
ExactNumbers transposed_product(const Tensor& x, const ExactNumbers& d) {
  const Index n = x.shape()[0], m = x.shape()[1], k = static_cast<Index>(d.size()) / n;
  ExactNumbers result(static_cast<std::size_t>(m * k));
  for (Index i = 0; i < n; ++i) {
    for (Index l = 0; l < m; ++l) {
      for (Index j = 0; j < k; ++j) {
        result[static_cast<std::size_t>(l * k + j)] += static_cast<long double>(x[i * m + l]) *
                                                       d[static_cast<std::size_t>(i * k + j)] /
                                                       static_cast<long double>(n);
      }
    }
  }
  return result;
}

ExactNumbers column_means(const ExactNumbers& d, Index n) {
  const Tensor ones = Tensor::full({n, 1}, 1);
  return transposed_product(ones, d);
}

void expect_all_close(ConstView actual, const ExactNumbers& expected) {
  ASSERT_EQ(actual.size(), static_cast<Index>(expected.size()));
  for (Index i = 0; i < actual.size(); ++i) expect_close(actual[i], expected[static_cast<std::size_t>(i)]);
}

TEST(SoftmaxRegression, HasTheLossAndGradientOfTheClosedForm) {
  const Tensor x = Tensor::matrix({{1, 2}, {-1, 0.5}, {0.25, -2}, {3, 1}});
  const Tensor labels = Tensor::vector({0, 2, 1, 0}), truth = testing::one_hot(labels, 3);
  const Parameter w{Tensor::matrix({{0.1, -0.2, 0.3}, {0.5, 0.4, -0.6}})}, b{Tensor::vector({0.1, 0, -0.1})};

  Tape tape;
  const Var cost = categorical_crossentropy(softmax(affine(tape.input(x), w, b)), truth);
  const Gradients gradients = tape.backward(cost);

  ExactNumbers d = scores(x, w.value, b.value);
  long double expected_cost = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    long double sum = 0;
    for (std::size_t j = 0; j < 3; ++j) sum += std::exp(d[i * 3 + j]);
    for (std::size_t j = 0; j < 3; ++j) {
      const auto y = static_cast<long double>(truth[static_cast<Index>(i * 3 + j)]);
      d[i * 3 + j] = std::exp(d[i * 3 + j]) / sum;  // softmax
      expected_cost -= y * std::log(d[i * 3 + j]) / 4;
      d[i * 3 + j] -= y;
    }
  }
  expect_close(cost.item(), expected_cost);
  expect_all_close(gradients[w], transposed_product(x, d));
  expect_all_close(gradients[b], column_means(d, 4));
}

TEST(LogisticRegression, HasTheLossAndGradientOfTheClosedForm) {
  const Tensor x = Tensor::matrix({{1, 2}, {-1, 0.5}, {0.25, -2}, {3, 1}}), truth = Tensor::vector({0, 1, 1, 0});
  const Parameter w{Tensor({2, 1}, {0.5, -0.25})}, b{Tensor::vector({0.1})};

  Tape tape;
  const Var cost = binary_crossentropy(sigmoid(affine(tape.input(x), w, b)), truth);
  const Gradients gradients = tape.backward(cost);

  ExactNumbers d = scores(x, w.value, b.value);
  long double expected_cost = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto y = static_cast<long double>(truth[static_cast<Index>(i)]);
    d[i] = 1 / (1 + std::exp(-d[i]));
    expected_cost -= (y * std::log(d[i]) + (1 - y) * std::log(1 - d[i])) / 4;
    d[i] -= y;
  }
  expect_close(cost.item(), expected_cost);
  expect_all_close(gradients[w], transposed_product(x, d));
  expect_all_close(gradients[b], column_means(d, 4));
}

TEST(CrossEntropyOfTwoDistributions, IsMinusTheSumOfPLogQ) {
  const Tensor p = Tensor::vector({0.5, 0.25, 0.25}), q = Tensor::vector({0.25, 0.25, 0.5});
  Tape tape;
  const Var h = categorical_crossentropy(tape.input(q), p);
  expect_close(h.item(), -(0.5L * std::log(0.25L) + 0.25L * std::log(0.25L) + 0.25L * std::log(0.5L)));
  // The cross-entropy of p with itself is its entropy, 1.5 bits.
  expect_close(categorical_crossentropy(tape.input(p), p).item(), 1.5L * std::log(2.0L));
}

TEST(CrossEntropyOfTwoDistributions, IsAveragedOverTheRows) {
  const Tensor p = Tensor::matrix({{0, 1}, {0.5, 0.5}}), q = Tensor::matrix({{0.25, 0.75}, {0.5, 0.5}});
  Tape tape;
  expect_close(categorical_crossentropy(tape.input(q), p).item(), -(std::log(0.75L) + std::log(0.5L)) / 2);
}

}  // namespace
}  // namespace cornu
