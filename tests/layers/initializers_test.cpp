#include "cornu/layers/initializers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::infinity;

constexpr bool is_double = std::is_same_v<Real, double>;

Tensor filled(const Initializer& initializer, const Shape& shape, std::uint64_t seed = 1) {
  Tensor result = Tensor::full(shape, testing::nan);
  Rng rng(seed);
  initializer(result, rng);
  return result;
}

struct Moments {
  double mean = 0, variance = 0, largest = 0;

  explicit Moments(const Tensor& x) {
    const auto n = static_cast<double>(x.size());
    for (const Real value : x) {
      mean += value / n;
      largest = std::max(largest, std::abs(static_cast<double>(value)));
    }
    for (const Real value : x) variance += (value - mean) * (value - mean) / n;
  }
};

/// Checks to four standard errors. The error of the variance is at most that of a normal distribution's.
void expect_moments(const Tensor& x, double mean, double variance) {
  const Moments moments(x);
  const auto n = static_cast<double>(x.size());
  EXPECT_NEAR(moments.mean, mean, 4 * std::sqrt(variance / n));
  EXPECT_NEAR(moments.variance, variance, 4 * variance * std::sqrt(2 / n));
}

const std::vector<std::pair<std::string, Initializer>> random_initializers = {
    {"random_uniform", random_uniform()},
    {"random_normal", random_normal()},
    {"truncated_normal", truncated_normal()},
    {"glorot_uniform", glorot_uniform},
    {"glorot_normal", glorot_normal},
    {"he_uniform", he_uniform},
    {"he_normal", he_normal},
    {"lecun_uniform", lecun_uniform},
    {"lecun_normal", lecun_normal},
    {"orthogonal", orthogonal()},
};

TEST(Initializers, FillWithAConstant) {
  EXPECT_EQ(filled(zeros, {2, 3}), Tensor::full({2, 3}, 0));
  EXPECT_EQ(filled(ones, {2, 3}), Tensor::full({2, 3}, 1));
  EXPECT_EQ(filled(constant(-2.5), {2, 3}), Tensor::full({2, 3}, -2.5));
  EXPECT_EQ(filled(constant(0.1), {}), Tensor::scalar(static_cast<Real>(0.1)));
}

TEST(Initializers, DrawOnlyFromTheGivenRng) {
  for (const auto& [name, initializer] : random_initializers) {
    const Tensor x = filled(initializer, {5, 4}, 7);
    EXPECT_EQ(filled(initializer, {5, 4}, 7), x) << name;
    EXPECT_FALSE(filled(initializer, {5, 4}, 8) == x) << name;
    Rng rng(7);
    Tensor first(Shape{5, 4}), second(Shape{5, 4});
    initializer(first, rng);
    initializer(second, rng);
    EXPECT_EQ(first, x) << name;
    EXPECT_FALSE(second == x) << name;
  }
}

TEST(Initializers, AcceptEmptyParameters) {
  for (const auto& [name, initializer] : random_initializers) {
    for (const Shape& shape : {Shape{0, 3}, Shape{3, 0}, Shape{0, 0}}) {
      EXPECT_EQ(filled(initializer, shape).shape(), shape) << name;
    }
  }
}

TEST(RandomUniform, FillsItsRange) {
  const Tensor x = filled(random_uniform(-1, 3), {300, 300});
  EXPECT_GE(*std::min_element(x.begin(), x.end()), -1);
  EXPECT_LT(*std::min_element(x.begin(), x.end()), -0.99);
  EXPECT_LE(*std::max_element(x.begin(), x.end()), 3);
  EXPECT_GT(*std::max_element(x.begin(), x.end()), 2.99);
  expect_moments(x, 1, 16.0 / 12);
  EXPECT_EQ(filled(random_uniform(), {9}), filled(random_uniform(-0.05, 0.05), {9}));
  EXPECT_EQ(filled(random_uniform(2, 2), {9}), Tensor::full({9}, 2));
}

TEST(RandomNormal, HasTheGivenMoments) {
  expect_moments(filled(random_normal(2, 0.5), {300, 300}), 2, 0.25);
  EXPECT_EQ(filled(random_normal(), {9}), filled(random_normal(0, 0.05), {9}));
  EXPECT_EQ(filled(random_normal(3, 0), {9}), Tensor::full({9}, 3));
}

TEST(TruncatedNormal, IsTruncatedAtTwoStandardDeviations) {
  const Tensor x = filled(truncated_normal(1, 0.5), {300, 300});
  const double stddev = 0.5 * 0.87962566103423978;
  expect_moments(x, 1, stddev * stddev);
  EXPECT_GE(*std::min_element(x.begin(), x.end()), 0);
  EXPECT_LT(*std::min_element(x.begin(), x.end()), 0.01);
  EXPECT_LE(*std::max_element(x.begin(), x.end()), 2);
  EXPECT_GT(*std::max_element(x.begin(), x.end()), 1.99);
  EXPECT_EQ(filled(truncated_normal(), {9}), filled(truncated_normal(0, 0.05), {9}));
}

struct Scaled {
  std::string name;
  Initializer uniform, normal;
  double (*variance)(double in, double out);
};

const std::vector<Scaled> scaled_initializers = {
    {"glorot", glorot_uniform, glorot_normal, [](double in, double out) { return 2 / (in + out); }},
    {"he", he_uniform, he_normal, [](double in, double) { return 2 / in; }},
    {"lecun", lecun_uniform, lecun_normal, [](double in, double) { return 1 / in; }},
};

struct Kernel {
  Shape shape;
  double in, out;
};

const std::vector<Kernel> kernels = {
    {{}, 1, 1},         {{10}, 10, 10},           {{5, 3}, 5, 3},
    {{3, 4, 2}, 12, 6}, {{5, 5, 16, 2}, 400, 50}, {{2, 3, 4, 5, 6}, 120, 144},
};

TEST(Initializers, ComputeFansFromTheShape) {
  for (const Scaled& scaled : scaled_initializers) {
    for (const Kernel& kernel : kernels) {
      const double variance = scaled.variance(kernel.in, kernel.out);
      const double limit = std::sqrt(3 * variance), stddev = std::sqrt(variance) / 0.87962566103423978;
      EXPECT_EQ(filled(scaled.uniform, kernel.shape), filled(random_uniform(-limit, limit), kernel.shape))
          << scaled.name << " " << to_string(kernel.shape);
      EXPECT_EQ(filled(scaled.normal, kernel.shape), filled(truncated_normal(0, stddev), kernel.shape))
          << scaled.name << " " << to_string(kernel.shape);
    }
  }
}

TEST(Initializers, NeverDivideByAFanOfZero) {
  EXPECT_EQ(filled(he_uniform, {0}).shape(), (Shape{0}));
  for (const Real value : filled(glorot_uniform, {1, 1})) EXPECT_TRUE(std::isfinite(value));
}

TEST(Initializers, HaveTheLimitsOfTheTutorialModel) {
  const auto expect_limit = [](const Initializer& initializer, const Shape& shape, double limit) {
    const Tensor x = filled(initializer, shape);
    EXPECT_LE(Moments(x).largest, limit * (1 + 1e-7));
    EXPECT_GT(Moments(x).largest, limit * (1 - 10 / static_cast<double>(shape.size())));
    expect_moments(x, 0, limit * limit / 3);
  };
  expect_limit(glorot_uniform, {784, 128}, .081110711);
  expect_limit(he_uniform, {784, 128}, .087481777);
  expect_limit(glorot_uniform, {128, 10}, .208514414);
  expect_limit(he_uniform, {128, 10}, .216506351);
}

TEST(Initializers, TruncatedNormalsHaveTheRightVariance) {
  for (const Scaled& scaled : scaled_initializers) {
    const Tensor x = filled(scaled.normal, {784, 128});
    const double variance = scaled.variance(784, 128), limit = 2 * std::sqrt(variance) / 0.87962566103423978;
    expect_moments(x, 0, variance);
    EXPECT_LE(Moments(x).largest, limit * (1 + 1e-7));
    EXPECT_GT(Moments(x).largest, limit * 0.999);
  }
}

// These values are promises: models trained from a seed stay reproducible.
TEST(Initializers, ASeedGivesTheSameValuesInEveryVersion) {
  const auto expect_first = [](const Initializer& initializer, const Shape& shape, std::vector<double> in_float,
                               std::vector<double> in_double) {
    const Tensor x = filled(initializer, shape);
    const std::vector<double> first(x.begin(), x.begin() + 4);
    EXPECT_EQ(first, is_double ? in_double : in_float);
  };
  expect_first(glorot_uniform, {784, 128}, {0x1.064072p-4, 0x1.18c208p-5, 0x1.f129fcp-5, 0x1.9ee58p-6},
               {0x1.0640753829504p-4, 0x1.18c2075cb850ep-5, 0x1.f129fe8ef625p-5, 0x1.9ee5868877adp-6});
  expect_first(he_normal, {784, 128}, {0x1.13c486p-5, 0x1.273a44p-6, 0x1.8dac42p-5, 0x1.4bde5cp-6},
               {0x1.13c4875e5fcc4p-5, 0x1.273a439738c1fp-6, 0x1.8dac42c83075fp-5, 0x1.4bde5b691ab68p-6});
  expect_first(orthogonal(), {3, 4}, {0x1.092b98p-1, 0x1.1be1e6p-2, 0x1.7e640ep-1, 0x1.3f1d86p-2},
               {0x1.092b98f6c137dp-1, 0x1.1be1e4298229ap-2, 0x1.7e640ec64676p-1, 0x1.3f1d850d04fap-2});
}

TEST(Orthogonal, RowsOrColumnsAreOrthonormal) {
  const double tolerance = is_double ? 1e-12 : 1e-5;
  for (const Shape& shape : {Shape{1, 1}, Shape{1, 5}, Shape{4, 1}, Shape{2, 2}, Shape{5, 5}, Shape{7, 3}, Shape{3, 7},
                             Shape{64, 64}, Shape{200, 30}, Shape{2, 3, 4}, Shape{2, 2, 9}, Shape{3, 3, 2, 5}}) {
    for (const double gain : {1.0, 0.5, -3.0}) {
      Tensor q = filled(orthogonal(gain), shape);
      q.reshape({shape.size() / shape[-1], shape[-1]});  // rows: all axes but the last
      const bool is_wide = q.shape()[0] < q.shape()[1];
      const Tensor gram = matmul(q, q, {.transpose_a = !is_wide, .transpose_b = is_wide});
      const Index n = gram.shape()[0];
      ASSERT_EQ(n, std::min(q.shape()[0], q.shape()[1]));
      for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j) {
          EXPECT_NEAR(gram.at({i, j}), i == j ? gain * gain : 0, gain * gain * tolerance) << to_string(shape);
        }
      }
    }
  }
}

// After subtracting two nearly parallel directions once, little but rounding errors remains.
TEST(Orthogonal, NearlyParallelDrawsBecomeOrthogonalToo) {
  double worst = 0;
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    const Tensor q = filled(orthogonal(), {2, 2}, seed);
    worst = std::max(worst, std::abs(static_cast<double>(q[0] * q[2] + q[1] * q[3])));
  }
  EXPECT_LT(worst, testing::rounding);
}

TEST(Orthogonal, HasGainOneByDefault) { EXPECT_EQ(filled(orthogonal(), {4, 3}), filled(orthogonal(1), {4, 3})); }

// Uniform over orthogonal matrices: as many rotations as reflections, and no preferred signs.
TEST(Orthogonal, PrefersNoDirection) {
  int reflections = 0, positive = 0;
  double sum_of_squares = 0;
  constexpr int count = 1000;
  for (int seed = 0; seed < count; ++seed) {
    const Tensor q = filled(orthogonal(), {2, 2}, static_cast<std::uint64_t>(seed));
    reflections += q[0] * q[3] - q[1] * q[2] < 0 ? 1 : 0;
    positive += q[0] > 0 ? 1 : 0;
    sum_of_squares += static_cast<double>(q[0]) * static_cast<double>(q[0]);
  }
  const double error = 4 * std::sqrt(0.25 * count);
  EXPECT_NEAR(reflections, count / 2, error);
  EXPECT_NEAR(positive, count / 2, error);
  EXPECT_NEAR(sum_of_squares, count / 2.0, 4 * std::sqrt(0.125 * count));  // cos^2 has variance 1/8
}

TEST(Orthogonal, RejectsParametersOfRankBelowTwo) {
  EXPECT_EQ(error_of<ShapeError>([] { filled(orthogonal(), {5}); }),
            "orthogonal: a parameter of shape (5,); rank 2 or more is required");
  EXPECT_EQ(error_of<ShapeError>([] { filled(orthogonal(), {}); }),
            "orthogonal: a parameter of shape (); rank 2 or more is required");
  EXPECT_EQ(error_of<ValueError>([] { (void)orthogonal(infinity); }), "orthogonal: gain is inf; it must be finite");
}

TEST(Initializers, RejectOptionsOutOfRange) {
  EXPECT_EQ(error_of<ValueError>([] { (void)random_normal(0, -1); }),
            "random_normal: mean is 0 and stddev is -1; both must be finite, and stddev not negative");
  EXPECT_EQ(error_of<ValueError>([] { (void)random_normal(infinity, 1); }),
            "random_normal: mean is inf and stddev is 1; both must be finite, and stddev not negative");
  EXPECT_EQ(error_of<ValueError>([] { (void)truncated_normal(0, std::nan("")); }),
            "truncated_normal: mean is 0 and stddev is nan; both must be finite, and stddev not negative");
  EXPECT_EQ(error_of<ValueError>([] { (void)truncated_normal(0, -0.5); }),
            "truncated_normal: mean is 0 and stddev is -0.5; both must be finite, and stddev not negative");
  EXPECT_EQ(error_of<ValueError>([] { (void)random_uniform(2, 1); }),
            "random_uniform: low is 2 and high is 1; a finite range with low not above high is required");
  EXPECT_EQ(error_of<ValueError>([] { (void)random_uniform(0, infinity); }),
            "random_uniform: low is 0 and high is inf; a finite range with low not above high is required");
  EXPECT_EQ(error_of<ValueError>([] { (void)random_uniform(std::nan(""), 1); }),
            "random_uniform: low is nan and high is 1; a finite range with low not above high is required");
}

}  // namespace
}  // namespace cornu
