#include "cornu/core/kernels/small_products.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "cornu/core/kernels/blas.h"
#include "cornu/core/random.h"
#include "cornu/tests/support/special_values.h"
#include "cornu/tests/support/tensors.h"

namespace cornu {
namespace {

using testing::infinity;
using testing::nan;
using testing::uniform;

Real element(const MatrixView& m, Index i, Index j) {
  return m.transposed ? m.data[j * m.stride + i] : m.data[i * m.stride + j];
}

/// A (rows, columns) matrix, optionally stored transposed, with `gap` elements between stored rows.
MatrixView matrix(const Tensor& numbers, Index rows, Index columns, bool transposed, Index gap) {
  MatrixView result(numbers.data(), transposed ? columns : rows, transposed ? rows : columns, transposed);
  result.stride += gap;
  return result;
}

using Product = void (*)(const MatrixView&, const MatrixView&, Real, const Sink&);

void by_gemm(const MatrixView& a, const MatrixView& b, Real alpha, const Sink& c) { gemm(a, b, c, alpha); }

/// Compares c = alpha a b, or c += alpha a b, with the sum in long double, and checks that nothing is written beyond c.
void expect_product(Product product, Index m, Index k, Index n, bool transpose_a, bool transpose_b, bool accumulates,
                    Real alpha = 1, Index gap = 0) {
  SCOPED_TRACE(::testing::Message() << m << " x " << k << " x " << n << (transpose_a ? " T" : " N")
                                    << (transpose_b ? "T" : "N") << (accumulates ? " accumulating" : ""));
  const Tensor a_numbers = uniform({(m + gap) * (k + gap)}, 1), b_numbers = uniform({(k + gap) * (n + gap)}, 2);
  const Tensor before = uniform({m * n + 16}, 3);
  const MatrixView a = matrix(a_numbers, m, k, transpose_a, gap), b = matrix(b_numbers, k, n, transpose_b, gap);
  Tensor after = before;
  product(a, b, alpha, Sink(View(after.data(), {m, n}), accumulates));
  const long double epsilon = std::numeric_limits<Real>::epsilon();
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      long double sum = 0, size = 1;
      for (Index p = 0; p < k; ++p) {
        const long double term = static_cast<long double>(element(a, i, p)) * element(b, p, j);
        sum += term;
        size += std::abs(term);
      }
      const long double want = alpha * sum + (accumulates ? before[i * n + j] : 0);
      ASSERT_NEAR(static_cast<double>(after[i * n + j] - want), 0, static_cast<double>(32 * epsilon * size))
          << "at " << i << ", " << j;
    }
  }
  for (Index i = m * n; i < after.size(); ++i) ASSERT_EQ(after[i], before[i]) << "beyond the end";
}

TEST(SmallProducts, AreCorrectForOneRowOrOneColumn) {
  for (const Index k : {1, 2, 7, 16, 33, 130, 513}) {
    for (const Index n : {1, 2, 3, 5, 10, 16, 17, 31, 64, 100, 128, 150}) {
      for (const bool transpose_a : {false, true}) {
        for (const bool transpose_b : {false, true}) {
          for (const bool accumulates : {false, true}) {
            expect_product(detail::small_product, 1, k, n, transpose_a, transpose_b, accumulates);
            expect_product(detail::small_product, n, k, 1, transpose_a, transpose_b, accumulates, Real(-0.5));
          }
        }
      }
    }
  }
}

TEST(SmallProducts, AreCorrectForManyRowsTimesAFewColumns) {
  for (const Index m : {2, 3, 5, 6, 7, 8, 9, 16, 33}) {
    for (const Index k : {1, 3, 40, 513}) {
      for (const Index n : {2, 3, 7, 8, 9, 10, 15, 16, 17, 20}) {
        for (const bool transpose_b : {false, true}) {
          for (const bool accumulates : {false, true}) {
            expect_product(detail::small_product, m, k, n, false, transpose_b, accumulates,
                           accumulates ? Real(-0.5) : Real(2));
          }
        }
      }
    }
  }
}

TEST(SmallProducts, GemmIsCorrectForEveryShapeAndTranspose) {
  for (const Index m : {1, 2, 9, 40}) {
    for (const Index k : {0, 1, 5, 1200}) {
      for (const Index n : {1, 4, 10, 23}) {
        for (const bool transpose_a : {false, true}) {
          for (const bool transpose_b : {false, true}) {
            expect_product(by_gemm, m, k, n, transpose_a, transpose_b, false, Real(-0.5));
            expect_product(by_gemm, m, k, n, transpose_a, transpose_b, true, Real(0.5), 3);
          }
        }
      }
    }
  }
  expect_product(by_gemm, 250, 420, 10, false, false, false);
  expect_product(by_gemm, 250, 420, 10, false, true, true);
}

TEST(SmallProducts, HaveSmallErrorsForLongSums) {
  const Index k = 1'000'000;
  const Tensor x = Tensor::full({k}, Real(1) / 3), ones = Tensor::full({k * 10}, 30);
  const double allowed = std::is_same_v<Real, float> ? 100 : 1e-4;
  for (const Index n : {1, 10}) {
    Tensor y({2, n});
    detail::small_product({x.data(), 1, k}, {ones.data(), k, n}, 1, overwrite(View(y.data(), {1, n})));
    for (Index j = 0; j < n; ++j) EXPECT_NEAR(y[j], 1e7, allowed);
  }
}

TEST(SmallProducts, PropagateNaNAndInfinityToTheirRowOrColumnOnly) {
  for (const Index m : {1, 11}) {
    for (const Index n : {1, 10, 16}) {
      for (const Real special : {nan, infinity}) {
        for (const bool accumulates : {false, true}) {
          const Index k = 20;
          const Tensor b = uniform({k, n}, 2);
          Tensor a({m, k}), c({m, n});
          a.at({m / 2, 3}) = special;
          detail::small_product(a.view(), b.view(), 1, Sink(c, accumulates));
          for (Index i = 0; i < m * n; ++i) {
            EXPECT_EQ(std::isfinite(c[i]), i / n != m / 2) << m << " x " << n << " at " << i;
          }
          Tensor b2 = b;
          b2.at({3, n / 2}) = special;
          a.fill(0);
          c.fill(0);
          detail::small_product(a.view(), b2.view(), 1, Sink(c, accumulates));
          for (Index i = 0; i < m * n; ++i) {
            EXPECT_EQ(std::isnan(c[i]), i % n == n / 2) << "0 times " << special << " is NaN, at " << i;
          }
        }
      }
    }
  }
}

TEST(SmallProducts, SkipLongRowsMultipliedByZero) {
  const Index k = 600, n = 150;  // more than one part of k, and a last panel that is not full
  Tensor a = uniform({1, k}, 1), b = uniform({k, n}, 2), zeroed = b;
  for (const Index p : {Index{0}, Index{17}, Index{300}, k - 1}) {
    a[p] = p == 17 ? -Real{0} : Real{0};
    for (Index j = 0; j < n; ++j) {
      b.at({p, j}) = j % 2 == 0 ? nan : infinity;
      zeroed.at({p, j}) = 0;
    }
  }
  Tensor c({1, n}), expected({1, n});
  detail::small_product(a.view(), b.view(), 1, overwrite(c));
  detail::small_product(a.view(), zeroed.view(), 1, overwrite(expected));
  EXPECT_EQ(c, expected);
  for (Index j = 0; j < n; ++j) EXPECT_TRUE(std::isfinite(c[j])) << j;
  a[300] = nan;
  detail::small_product(a.view(), zeroed.view(), 1, overwrite(c));
  for (Index j = 0; j < n; ++j) EXPECT_TRUE(std::isnan(c[j])) << "NaN is not 0, at " << j;
}

TEST(SmallProducts, AreSelectedByShape) {
  const auto suits = [](Index m, Index k, Index n, bool transpose_a = false) {
    return detail::suits_small_product({nullptr, transpose_a ? k : m, transpose_a ? m : k, transpose_a},
                                       {nullptr, k, n});
  };
  EXPECT_TRUE(suits(1, 784, 128));
  EXPECT_TRUE(suits(784, 128, 1));
  EXPECT_TRUE(suits(2000, 784, 10));
  EXPECT_FALSE(suits(2000, 784, 10, true));
  EXPECT_FALSE(suits(32, 128, 10));
  EXPECT_FALSE(suits(2000, 784, 17));
  EXPECT_FALSE(suits(32, 784, 128));
}

}  // namespace
}  // namespace cornu
