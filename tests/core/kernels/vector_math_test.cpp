#include "cornu/core/kernels/vector_math.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/eager.h"
#include "cornu/core/random.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::infinity;
using testing::nan;

using Limits = std::numeric_limits<Real>;
using Bits = math::detail::Bits<Real>;

/// Values with every exponent and both signs, including subnormal ones, and more values between -2 and 2.
std::vector<Real> sweep() {
  std::vector<Real> result;
  Rng rng(7);
  const Bits exponents = 2 * (2 * Bits(Limits::max_exponent) - 1);  // with the sign bit, without inf and NaN
  const int fraction = Limits::digits - 1;
  const int each = std::is_same_v<Real, float> ? 200 : 25;
  for (Bits exponent = 0; exponent <= exponents; ++exponent) {
    for (int i = 0; i < each; ++i) {
      const Bits random = static_cast<Bits>(rng.bits() >> (64 - fraction));
      const Bits edge[] = {0, 1, (Bits{1} << fraction) - 1};
      const Real x = std::bit_cast<Real>(exponent << fraction | (i < 3 ? edge[i] : random));
      if (std::isfinite(x)) result.push_back(x);
    }
  }
  for (int i = 0; i < 20000; ++i) result.push_back(rng.uniform(-2, 2));
  const Real range = std::is_same_v<Real, float> ? Real(110) : Real(760);
  for (int i = 0; i < 20000; ++i) result.push_back(rng.uniform(-range, range));
  for (const Real x : {infinity, -infinity, Real(0), -Real(0), nan}) result.push_back(x);
  return result;
}

/// The error of `got` in units in the last place of `want` as a Real.
long double ulps(Real got, long double want) {
  const auto rounded = static_cast<Real>(want);
  if (std::isnan(want)) return std::isnan(got) ? 0 : 1e9L;
  if (std::isinf(rounded) || std::isinf(got)) return got == rounded ? 0 : 1e9L;
  const int exponent = std::max(want == 0 ? Limits::min_exponent : std::ilogb(want) + 1, Limits::min_exponent);
  return std::abs(static_cast<long double>(got) - want) / std::ldexp(1.0L, exponent - Limits::digits);
}

struct Function {
  std::string name;
  Real (*one)(Real);
  Tensor (*all)(const Tensor&);  // the op that uses the function, with the widest vectors; may be null
  long double (*exact)(long double);
  long double allowed;
};

void PrintTo(const Function& function, std::ostream* out) { *out << function.name; }

long double exact_sigmoid(long double x) { return 1 / (1 + std::exp(-x)); }

long double exact_cumulative(long double x) { return std::erfc(-x / std::sqrt(2.0L)) / 2; }

long double exact_density(long double x) { return std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0L)); }

// Lambdas select between the overloads of math::, cornu:: and <cmath>.
const Function functions[] = {
    {"Exp", [](Real x) { return math::exp(x); }, [](const Tensor& x) { return exp(x); },
     [](long double x) { return std::exp(x); }, 1.5L},
    {"Expm1", [](Real x) { return math::expm1(x); }, [](const Tensor& x) { return expm1(x); },
     [](long double x) { return std::expm1(x); }, 2},
    {"Log", [](Real x) { return math::log(x); }, [](const Tensor& x) { return log(x); },
     [](long double x) { return std::log(x); }, 1.5L},
    {"Log1p", [](Real x) { return math::log1p(x); }, [](const Tensor& x) { return log1p(x); },
     [](long double x) { return std::log1p(x); }, 2},
    {"Tanh", [](Real x) { return math::tanh(x); }, [](const Tensor& x) { return tanh(x); },
     [](long double x) { return std::tanh(x); }, 2.5L},
    {"Sigmoid", [](Real x) { return math::sigmoid(x); }, [](const Tensor& x) { return sigmoid(x); }, exact_sigmoid,
     2.5L},
    {"NormalDensity", [](Real x) { return math::normal(x).density; }, nullptr, exact_density, 3},
    {"NormalCumulative", [](Real x) { return math::normal(x).cumulative; },
     [](const Tensor& x) {
       Tensor y(x.shape());
       assign(View(y), [from = x.data()](Index i) { return math::normal(from[i]).cumulative; });
       return y;
     },
     exact_cumulative, 5},
    {"Erf", [](Real x) { return math::erf(x); }, [](const Tensor& x) { return erf(x); },
     [](long double x) { return std::erf(x); }, 2},
};

class VectorMath : public ::testing::TestWithParam<Function> {};

TEST_P(VectorMath, HasErrorsOfAFewUlpsForEveryExponent) {
  const Function& f = GetParam();
  const std::vector<Real> numbers = sweep();
  Tensor x(Shape{static_cast<Index>(numbers.size())}, numbers);
  const Tensor in_vectors = f.all == nullptr ? Tensor() : f.all(x);
  long double worst = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const long double want = f.exact(x[i]);
    const long double one = ulps(f.one(x[i]), want), many = f.all == nullptr ? 0 : ulps(in_vectors[i], want);
    ASSERT_LE(one, f.allowed) << "at " << x[i] << ": " << f.one(x[i]);
    ASSERT_LE(many, f.allowed) << "at " << x[i] << " in vectors: " << in_vectors[i];
    worst = std::max({worst, one, many});
  }
  RecordProperty("worst_in_ulps", std::to_string(worst));
}

INSTANTIATE_TEST_SUITE_P(Core, VectorMath, ::testing::ValuesIn(functions),
                         [](const auto& test) { return test.param.name; });

TEST(VectorMath, ExpHasSubnormalResultsAndOverflowsAtTheRightPoint) {
  const bool single = std::is_same_v<Real, float>;
  EXPECT_EQ(math::exp(Real(0)), 1);
  EXPECT_EQ(math::exp(-infinity), 0);
  EXPECT_EQ(math::exp(infinity), infinity);
  EXPECT_EQ(math::exp(single ? Real(88.7228394) : Real(709.782712893385)), infinity);
  EXPECT_LT(math::exp(single ? Real(88.7228317) : Real(709.782712893383)), infinity);
  EXPECT_EQ(math::exp(single ? Real(-103.2789) : Real(-744.4400719213812)), Limits::denorm_min());
  EXPECT_EQ(math::exp(single ? Real(-104.5) : Real(-746)), 0);
}

TEST(VectorMath, SigmoidAndTanhSaturateExactly) {
  if (std::is_same_v<Real, float>) {
    EXPECT_EQ(math::sigmoid(Real(16.6355324)), 1);
    EXPECT_LT(math::sigmoid(Real(16.6)), 1);
  }
  for (const Real x : {Real(40), Real(1e4), Limits::max(), infinity}) {
    EXPECT_EQ(math::sigmoid(x), 1) << x;
    EXPECT_EQ(math::tanh(x), 1) << x;
    EXPECT_EQ(math::tanh(-x), -1) << x;
  }
  EXPECT_EQ(math::sigmoid(-infinity), 0);
  EXPECT_EQ(math::sigmoid(Real(0)), Real(0.5));
}

TEST(VectorMath, TanhAndExpm1KeepTinyValuesAndTheSignOfZero) {
  for (const Real x : {Limits::denorm_min(), Limits::min(), Real(1e-20)}) {
    EXPECT_EQ(math::tanh(x), x);
    EXPECT_EQ(math::tanh(-x), -x);
    EXPECT_EQ(math::expm1(x), x);
    EXPECT_EQ(math::log1p(x), x);
  }
  EXPECT_TRUE(std::signbit(math::tanh(-Real(0))));
  EXPECT_TRUE(std::signbit(math::expm1(-Real(0))));
  EXPECT_TRUE(std::signbit(math::log1p(-Real(0))));
}

TEST(VectorMath, TanhIsOdd) {
  for (const Real x : sweep()) {
    if (std::isnan(x)) continue;
    ASSERT_EQ(math::tanh(-x), -math::tanh(x)) << x;
  }
}

TEST(VectorMath, LogarithmsAreMinusInfinityAtThePoleAndNaNBelow) {
  EXPECT_EQ(math::log(Real(0)), -infinity);
  EXPECT_EQ(math::log(-Real(0)), -infinity);
  EXPECT_EQ(math::log(infinity), infinity);
  EXPECT_EQ(math::log(Real(1)), 0);
  EXPECT_EQ(math::log1p(Real(-1)), -infinity);
  EXPECT_EQ(math::log1p(infinity), infinity);
  for (const Real x : {-Limits::denorm_min(), Real(-1), -Limits::max(), -infinity}) {
    EXPECT_TRUE(std::isnan(math::log(x))) << x;
    EXPECT_TRUE(std::isnan(math::log1p(x - 2))) << x;
  }
}

}  // namespace
}  // namespace cornu
