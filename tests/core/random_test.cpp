#include "cornu/core/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>
#include <type_traits>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_error;

std::vector<std::uint64_t> first_bits(Rng rng, int count) {
  std::vector<std::uint64_t> result;
  for (int i = 0; i < count; ++i) result.push_back(rng.bits());
  return result;
}

// The words 6627e8d5 e169c58d bc57ac4c 9b00dbd8 from Random123's known answers for philox4x32-10, lowest first.
TEST(Rng, MatchesTheKnownAnswersOfPhilox) {
  EXPECT_EQ(first_bits(Rng(0, 0), 2), (std::vector<std::uint64_t>{0xe169c58d6627e8d5, 0x9b00dbd8bc57ac4c}));
}

// These values must never change: they make training from a seed reproducible across versions.
TEST(Rng, ValuesForASeedNeverChange) {
  EXPECT_EQ(first_bits(Rng(1), 3),
            (std::vector<std::uint64_t>{0xe50a0ebce3e80670, 0xb615aa2795f222c0, 0xdfc5ccbeac08141b}));
  EXPECT_EQ(first_bits(Rng(0x123456789abcdef0, 0xfedcba9876543210), 1),
            (std::vector<std::uint64_t>{0x2d4a0d9390aafdc4}));
  EXPECT_EQ(Rng(42).permutation(10), (std::vector<Index>{0, 9, 1, 7, 5, 6, 8, 2, 3, 4}));
  Rng rng(7);
  constexpr bool is_float = std::is_same_v<Real, float>;
  EXPECT_EQ(rng.uniform(), is_float ? static_cast<Real>(0x1.8013f2p-1) : static_cast<Real>(0x1.8013f3b9e8c0fp-1));
  EXPECT_EQ(rng.normal(), static_cast<Real>(0x1.45cfd756d52c5p-1));
  EXPECT_EQ(rng.normal(), static_cast<Real>(-0x1.d2f77e32af7dep-2));
  EXPECT_EQ(rng.below(1000), 139);
}

TEST(Rng, ACopyContinuesWhereTheOriginalIs) {
  Rng rng(3);
  (void)rng.normal();
  Rng copy = rng;
  EXPECT_EQ(rng.normal(), copy.normal());
  EXPECT_EQ(rng.bits(), copy.bits());
}

TEST(Rng, SeedsAndStreamsGiveDifferentSequences) {
  std::set<std::uint64_t> seen;
  for (const std::uint64_t seed : {0U, 1U, 2U}) {
    for (const std::uint64_t stream : {0U, 1U, 2U}) {
      const auto bits = first_bits(Rng(seed, stream), 100);
      seen.insert(bits.begin(), bits.end());
    }
  }
  EXPECT_EQ(seen.size(), 900U);
}

TEST(Rng, UniformCoversItsRange) {
  Rng rng(11);
  double sum = 0;
  Real lowest = 1;
  Real highest = 0;
  constexpr int count = 100000;
  for (int i = 0; i < count; ++i) {
    const Real value = rng.uniform();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    lowest = std::min(value, lowest);
    highest = std::max(value, highest);
    sum += value;
  }
  EXPECT_LT(lowest, 1e-3);
  EXPECT_GT(highest, 1 - 1e-3);
  EXPECT_NEAR(sum / count, 0.5, 4 * std::sqrt(1.0 / 12 / count));
}

TEST(Rng, UniformStaysBetweenItsBounds) {
  Rng rng(12);
  for (int i = 0; i < 10000; ++i) {
    const Real value = rng.uniform(-3, 5);
    ASSERT_GE(value, -3);
    ASSERT_LE(value, 5);
  }
}

TEST(Rng, NormalHasTheMomentsOfANormalDistribution) {
  Rng rng(13);
  constexpr int count = 200000;
  double moments[5] = {};
  for (int i = 0; i < count; ++i) {
    const double value = rng.normal();
    ASSERT_TRUE(std::isfinite(value));
    double power = 1;
    for (double& moment : moments) {
      moment += power / count;
      power *= value;
    }
  }
  // Four standard errors each. The variances of the sample moments are 1, 2, 15 and 96, divided by the count.
  EXPECT_NEAR(moments[1], 0, 4 * std::sqrt(1.0 / count));
  EXPECT_NEAR(moments[2], 1, 4 * std::sqrt(2.0 / count));
  EXPECT_NEAR(moments[3], 0, 4 * std::sqrt(15.0 / count));
  EXPECT_NEAR(moments[4], 3, 4 * std::sqrt(96.0 / count));
}

TEST(Rng, NormalScalesByMeanAndDeviation) {
  Rng standard(14);
  Rng shifted(14);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(shifted.normal(10, 2), 10 + 2 * standard.normal());
}

TEST(Rng, BelowIsUnbiased) {
  Rng rng(15);
  constexpr int count = 60000;
  std::vector<int> seen(6);
  for (int i = 0; i < count; ++i) ++seen[static_cast<std::size_t>(rng.below(6))];
  double chi_squared = 0;
  for (const int n : seen) chi_squared += (n - count / 6.0) * (n - count / 6.0) / (count / 6.0);
  EXPECT_LT(chi_squared, 20.5);  // 5 degrees of freedom: 1 in 1000
}

// With a bound of 3 * 2^61 a quarter of the draws is rejected; without rejection every third value would be more
// likely.
TEST(Rng, BelowIsUnbiasedForBoundsNearTheRangeOfTheGenerator) {
  Rng rng(16);
  constexpr Index bound = Index{3} << 61;
  constexpr int count = 30000;
  std::vector<int> seen(3);
  for (int i = 0; i < count; ++i) {
    const Index value = rng.below(bound);
    ASSERT_GE(value, 0);
    ASSERT_LT(value, bound);
    ++seen[static_cast<std::size_t>(value % 3)];
  }
  double chi_squared = 0;
  for (const int n : seen) chi_squared += (n - count / 3.0) * (n - count / 3.0) / (count / 3.0);
  EXPECT_LT(chi_squared, 13.9);  // 2 degrees of freedom: 1 in 1000
}

TEST(Rng, BelowOneIsZero) { EXPECT_EQ(Rng(1).below(1), 0); }

TEST(Rng, BelowRejectsABoundThatIsNotPositive) {
  expect_error<ValueError>([] { (void)Rng().below(0); }, "Rng::below: the bound is 0; it must be positive");
  expect_error<ValueError>([] { (void)Rng().below(-2); }, "Rng::below: the bound is -2; it must be positive");
}

TEST(Rng, APermutationHasEveryIndexOnce) {
  for (const Index n : {0, 1, 2, 1000}) {
    std::vector<Index> sorted = Rng(17).permutation(n);
    std::sort(sorted.begin(), sorted.end());
    std::vector<Index> expected(static_cast<std::size_t>(n));
    std::iota(expected.begin(), expected.end(), Index{0});
    EXPECT_EQ(sorted, expected);
  }
}

TEST(Rng, PermutationsAreEquallyLikely) {
  Rng rng(18);
  std::vector<int> seen(27);
  constexpr int count = 12000;
  for (int i = 0; i < count; ++i) {
    const auto p = rng.permutation(3);
    ++seen[static_cast<std::size_t>(p[0] * 9 + p[1] * 3 + p[2])];
  }
  EXPECT_EQ(std::count(seen.begin(), seen.end(), 0), 27 - 6);
  for (const int n : seen) {
    if (n > 0) {
      EXPECT_NEAR(n, count / 6.0, 5 * std::sqrt(count / 6.0));
    }
  }
}

TEST(Rng, APermutationRejectsANegativeSize) {
  expect_error<ValueError>([] { (void)Rng().permutation(-1); }, "Rng::permutation: -1 items; there must be at least 0");
}

TEST(Rng, ShuffleGivesTheSameOrderAsPermutation) {
  std::vector<Index> items{0, 1, 2, 3, 4, 5};
  Rng(19).shuffle(items);
  EXPECT_EQ(items, Rng(19).permutation(6));
}

TEST(Rng, FillingGivesTheSameValuesAsSingleDraws) {
  Tensor uniform(Shape{2, 3});
  Tensor normal(Shape{2, 3});
  Rng(20).fill_uniform(uniform, -1, 1);
  Rng(21).fill_normal(normal, 1, 3);
  Rng a(20);
  Rng b(21);
  for (Index i = 0; i < 6; ++i) {
    EXPECT_EQ(uniform[i], a.uniform(-1, 1));
    EXPECT_EQ(normal[i], b.normal(1, 3));
  }
}

}  // namespace
}  // namespace cornu
