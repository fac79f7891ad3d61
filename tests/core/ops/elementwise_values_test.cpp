#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/ops/eager.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/special_values.h"
#include "cornu/tests/support/tensors.h"

/// Values and gradients at kinks, infinities, NaN and zeros of both signs.
namespace cornu::testing {
namespace {

constexpr Real epsilon_of_real = std::numeric_limits<Real>::epsilon();

struct ElementwisePass {
  Tensor value, gradient;
};

/// f(x), and its gradient where the gradient of each element of f(x) is `scale`.
template <class F>
ElementwisePass elementwise_pass(F f, const Tensor& x, Real scale = 1) {
  Tape tape;
  const Var v = tape.variable(x), y = f(v);
  const Gradients gradients = tape.backward(y, Tensor::full(y.shape(), scale));
  return {Tensor(y.value()), Tensor(gradients[v])};
}

/// Equal to 4 units in the last place; the signs of zeros count, too.
void expect_elements(const Tensor& got, const std::vector<Real>& expected) {
  ASSERT_EQ(got.size(), std::ssize(expected));
  for (Index i = 0; i < got.size(); ++i) {
    const Real want = expected[static_cast<std::size_t>(i)];
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(got[i])) << got[i] << " at " << i;
    } else if (want == 0 || std::isinf(want)) {
      EXPECT_EQ(got[i], want) << "at " << i;
      EXPECT_EQ(std::signbit(got[i]), std::signbit(want)) << "at " << i;
    } else {
      EXPECT_NEAR(got[i], want, 4 * epsilon_of_real * std::abs(want)) << "at " << i;
    }
  }
}

struct EdgeCase {
  std::string name;
  Var (*f)(Var);
  std::vector<Real> x, value, slope;
};

std::vector<EdgeCase> edge_cases() {
  const Real huge = std::numeric_limits<Real>::max(), none = -Real(0);
  return {
      {"clip",
       [](Var v) { return clip(v, -1, 1); },  //
       {-2, -1, none, 1, 2, nan, infinity, -infinity},
       {-1, -1, none, 1, 1, nan, 1, -1},
       {0, 1, 1, 1, 0, 0, 0, 0}},
      {"clip below",
       [](Var v) { return clip(v, -1, std::numeric_limits<double>::infinity()); },  //
       {-2, -1, 5, nan, infinity, -infinity},
       {-1, -1, 5, nan, infinity, -1},
       {0, 1, 1, 0, 1, 0}},
      {"sign",
       sign,  //
       {-3, none, 0, 2, nan, infinity, -infinity},
       {-1, 0, 0, 1, nan, 1, -1},
       {0, 0, 0, 0, 0, 0, 0}},
      {"floor",
       floor,  //
       {-1.5, -1, none, 0.5, 2, nan, infinity, -infinity, huge},
       {-2, -1, none, 0, 2, nan, infinity, -infinity, huge},
       {0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"ceil",
       ceil,  //
       {-1.5, -0.5, 0, 0.5, 2, nan, infinity, -infinity, huge},
       {-1, none, 0, 1, 2, nan, infinity, -infinity, huge},
       {0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"round",
       round,  //
       {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.75, nan, infinity},
       {-2, -2, none, 0, 2, 2, 3, nan, infinity},
       {0, 0, 0, 0, 0, 0, 0, 0, 0}},
      {"erf",
       erf,  //
       {none, 0, 10, -10, nan, infinity, -infinity},
       {none, 0, 1, -1, nan, 1, -1},
       {Real(1.1283791670955126), Real(1.1283791670955126), Real(1.1283791670955126) * std::exp(Real(-100)),
        Real(1.1283791670955126) * std::exp(Real(-100)), nan, 0, 0}},
      {"log1p",
       log1p,  //
       {none, Real(1e-30), -1, -2, nan, infinity},
       {none, Real(1e-30), -infinity, nan, nan, infinity},
       {1, 1, infinity, -1, nan, 0}},
      {"expm1",
       expm1,  //
       {none, Real(1e-30), nan, infinity, -infinity},
       {none, Real(1e-30), nan, infinity, -1},
       {1, 1, nan, infinity, 0}},
      {"sin", sin, {none, nan, infinity}, {none, nan, nan}, {1, nan, nan}},
      {"cos", cos, {0, nan, infinity}, {1, nan, nan}, {none, nan, nan}},
      {"hard_sigmoid",
       hard_sigmoid,  //
       {-infinity, -4, -3, 0, 3, 4, infinity, nan},
       {0, 0, 0, 0.5, 1, 1, 1, nan},
       {0, 0, 0, Real(1) / 6, 0, 0, 0, 0}},
      {"hard_silu",
       hard_silu,  //
       {-infinity, -4, -3, 0, 3, 4, infinity, nan},
       {0, 0, 0, 0, 3, 4, infinity, nan},
       {0, 0, 0, 0.5, 1, 1, 1, nan}},
      {"softsign",
       softsign,  //
       {none, 1, -3, huge, nan, infinity},
       {none, 0.5, -0.75, 1, nan, nan},
       {1, 0.25, 0.0625, 0, nan, 0}},
      {"mish",
       mish,  //
       {-huge, -1000, 0, 25, 1000, huge, infinity, nan},
       {none, none, 0, 25, 1000, huge, infinity, nan},
       {none, none, Real(0.6), 1, 1, 1, 1, nan}},
      {"relu6",
       relu6,  //
       {-1, 0, 3, 6, 7, infinity, -infinity, nan},
       {0, 0, 3, 6, 6, 6, 0, nan},
       {0, 0, 1, 0.5, 0, 0, 0, 0}},
      {"selu",
       selu,  //
       {-infinity, 0, 1, infinity, nan},
       {Real(-1.7580993408473768), 0, Real(1.0507009873554805), infinity, nan},
       {0, Real(1.7580993408473768), Real(1.0507009873554805), Real(1.0507009873554805), nan}},
      {"log_sigmoid",
       log_sigmoid,  //
       {-1000, 1000, infinity, -infinity, nan},
       {-1000, none, none, -infinity, nan},
       {1, 0, 0, 1, nan}},
  };
}

TEST(ElementwiseValues, AreRightAtKinksAndInfinities) {
  for (const EdgeCase& each : edge_cases()) {
    SCOPED_TRACE(each.name);
    const Tensor x({static_cast<Index>(each.x.size())}, each.x);
    const ElementwisePass pass = elementwise_pass(each.f, x);
    expect_elements(pass.value, each.value);
    // A gradient of 0 may have either sign, and mish's slope for very negative values is a product with 0.
    Tensor gradient = pass.gradient;
    std::vector<Real> slope = each.slope;
    for (Real& number : gradient) number = number == 0 ? 0 : number;
    for (Real& number : slope) number = number == 0 ? 0 : number;
    expect_elements(gradient, slope);
  }
}

TEST(ElementwiseValues, StepsHaveGradient0AlsoFromAnInfiniteGradient) {
  const Tensor x = Tensor::vector({-1, 0.5, 3});
  for (Var (*const f)(Var) : std::initializer_list<Var (*)(Var)>{sign, floor, ceil, round, isnan, isinf}) {
    EXPECT_EQ(elementwise_pass(f, x, infinity).gradient, Tensor(x.shape()));
  }
  for (Var (*const f)(Var) : std::initializer_list<Var (*)(Var)>{
           [](Var v) { return ops::greater(v, 1) + ops::greater_equal(1, v) + ops::less(v, v); },
           [](Var v) { return equal(v, 0.5) + ops::logical_or(v, 0) + ops::logical_not(v); }}) {
    EXPECT_EQ(elementwise_pass(f, x, infinity).gradient, Tensor(x.shape()));
  }
}

TEST(ElementwiseValues, ComparisonsAreThoseOfCpp) {
  const std::vector<Real> all{-infinity, -1, -Real(0), 0, std::numeric_limits<Real>::denorm_min(), 1, infinity, nan};
  const auto n = static_cast<Index>(all.size());
  const Tensor column({n, 1}, all), row({n}, all);
  struct Relation {
    const char* name;
    Tensor got;
    bool (*expected)(Real, Real);
  };
  const Relation relations[] = {
      {"equal", equal(column, row), [](Real a, Real b) { return a == b; }},
      {"not_equal", not_equal(column, row), [](Real a, Real b) { return a != b; }},
      {"greater", ops::greater(column, row), [](Real a, Real b) { return a > b; }},
      {"greater_equal", ops::greater_equal(column, row), [](Real a, Real b) { return a >= b; }},
      {"less", ops::less(column, row), [](Real a, Real b) { return a < b; }},
      {"less_equal", ops::less_equal(column, row), [](Real a, Real b) { return a <= b; }},
      {"logical_and", ops::logical_and(column, row), [](Real a, Real b) { return a != 0 && b != 0; }},
      {"logical_or", ops::logical_or(column, row), [](Real a, Real b) { return a != 0 || b != 0; }},
      {"logical_xor", ops::logical_xor(column, row), [](Real a, Real b) { return (a != 0) != (b != 0); }},
      {"logical_not", ops::logical_not(column) + 0 * equal(row, row), [](Real a, Real) { return a == 0; }},
      {"isnan", isnan(column) + 0 * equal(row, row), [](Real a, Real) { return std::isnan(a); }},
      {"isinf", isinf(column) + 0 * equal(row, row), [](Real a, Real) { return std::isinf(a); }},
      {"ops::equal", ops::equal(column, row), [](Real a, Real b) { return a == b; }},
      {"ops::not_equal", ops::not_equal(column, row), [](Real a, Real b) { return a != b; }},
  };
  for (const Relation& each : relations) {
    ASSERT_EQ(each.got.shape(), (Shape{n, n})) << each.name;
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        const Real a = column[i], b = row[j];
        EXPECT_EQ(each.got.at({i, j}), each.expected(a, b) ? 1 : 0) << each.name << " of " << a << " and " << b;
      }
    }
  }
}

TEST(ElementwiseValues, WhereKeepsOutWhatIsNotSelected) {
  const Tensor c = Tensor::vector({1, 0, nan, -Real(0), 2}), x = Tensor::vector({5, nan, 6, infinity, -infinity}),
               y = Tensor::vector({infinity, 7, nan, 8, nan});
  Tape tape;
  const Var vc = tape.variable(c), vx = tape.variable(x), vy = tape.variable(y), z = where(vc, vx, vy);
  EXPECT_EQ(Tensor(z.value()), Tensor::vector({5, 7, 6, 8, -infinity}));
  EXPECT_EQ(where(c, x, y), Tensor(z.value()));
  const Gradients gradients = tape.backward(z, Tensor::vector({infinity, 2, 3, -infinity, 4}));
  EXPECT_EQ(Tensor(gradients[vc]), Tensor(c.shape()));
  EXPECT_EQ(Tensor(gradients[vx]), Tensor::vector({infinity, 0, 3, 0, 4}));
  EXPECT_EQ(Tensor(gradients[vy]), Tensor::vector({0, 2, 0, -infinity, 0}));
  // As the doc comment says: with its operand selected, too, the logarithm gives no NaN.
  const auto logarithm = [](Var v) { return where(ops::greater(v, 0), log(where(ops::greater(v, 0), v, 1)), -1); };
  const ElementwisePass pass = elementwise_pass(logarithm, Tensor::vector({0, 4, -3}));
  expect_elements(pass.value, {-1, std::log(Real(4)), -1});
  EXPECT_EQ(pass.gradient, Tensor::vector({0, 0.25, 0}));
}

TEST(ElementwiseValues, WhereTakesNumbersInEachPlace) {
  const Tensor x = Tensor::vector({0, 2});
  EXPECT_EQ(where(x, 3, 4), Tensor::vector({4, 3}));
  EXPECT_EQ(where(1, x, 4), x);
  EXPECT_EQ(where(0, 4, x), x);
}

TEST(ElementwiseValues, ModHasTheSignOfTheDivisor) {
  const std::vector<std::array<Real, 4>> rows = {
      // a, b, Python's a % b, -floor(a / b)
      {7, 3, 1, -2}, {-7, 3, 2, 3},        {7, -3, -2, 3},   {-7, -3, -1, -2},  {5.5, 2, 1.5, -2},   {6, 3, 0, -2},
      {-6, 3, 0, 2}, {6, -3, -Real(0), 2}, {0.5, 8, 0.5, 0}, {-0.5, 8, 7.5, 1}, {1, infinity, 1, 0},
  };
  for (const auto& [a, b, rest, slope] : rows) {
    SCOPED_TRACE(message("{} mod {}", a, b));
    Tape tape;
    const Tensor one = Tensor::scalar(a), other = Tensor::scalar(b);
    const Var va = tape.variable(one), vb = tape.variable(other), y = mod(va, vb);
    const Gradients gradients = tape.backward(y);
    expect_elements(Tensor(y.value()), {rest});
    EXPECT_EQ(gradients[va][0], 1);
    EXPECT_EQ(gradients[vb][0], slope);
  }
  expect_elements(mod(Tensor::vector({1, infinity, nan, -1, -1}), Tensor::vector({0, 2, 1, infinity, nan})),
                  {nan, nan, nan, infinity, nan});
}

TEST(ElementwiseValues, RejectOptionsThatMakeNoSense) {
  const Tensor x = Tensor::vector({1});
  expect_error<ValueError>([&] { clip(x, 2, 1); },
                           "clip: the bounds are 2 and 1; numbers are required, the smaller one first");
  expect_error<ValueError>([&] { clip(x, std::nan(""), 1); },
                           "clip: the bounds are nan and 1; numbers are required, the smaller one first");
  expect_error<ValueError>([&] { celu(x, 0); }, "celu: alpha is 0; a finite number above 0 is required");
}

TEST(ReductionValues, ProductsWithZerosHaveTheRightGradients) {
  const Tensor x = Tensor::matrix({{2, 0, 5, -1}, {0, 0, 3, 1}, {2, 3, 5, 1}, {0, 0, 0, 0}});
  const ElementwisePass rows = elementwise_pass([](Var v) { return prod(v, 1); }, x, 2);
  EXPECT_EQ(rows.value, Tensor::vector({0, 0, 30, 0}));
  const Tensor expected = Tensor::matrix({{0, -20, 0, 0}, {0, 0, 0, 0}, {30, 20, 12, 60}, {0, 0, 0, 0}});
  EXPECT_EQ(rows.gradient, expected);
  const ElementwisePass columns = elementwise_pass([](Var v) { return prod(v, 0); }, transpose(x), 2);
  EXPECT_EQ(columns.gradient, transpose(expected));
  EXPECT_EQ(prod(Tensor({0})).item(), 1);
  EXPECT_EQ(prod(Tensor({2, 0}), 1), Tensor::vector({1, 1}));
  // No product of all elements is divided: it would be 0 or infinite.
  const Real small = std::sqrt(std::numeric_limits<Real>::min()) / 4;
  const ElementwisePass tiny = elementwise_pass([](Var v) { return prod(v); }, Tensor::vector({small, small, 2}));
  expect_elements(tiny.gradient, {2 * small, 2 * small, small * small});
}

TEST(ReductionValues, TheMinimumMirrorsTheMaximum) {
  const Tensor x = Tensor::matrix({{3, 1, 1, 2}, {infinity, infinity, infinity, infinity}, {nan, 1, 2, 3}});
  const ElementwisePass pass = elementwise_pass([](Var v) { return min(v, 1); }, x);
  expect_elements(pass.value, {1, infinity, nan});
  expect_elements(pass.gradient, {0, 0.5, 0.5, 0, 0.25, 0.25, 0.25, 0.25, nan, nan, nan, nan});
  for (const Shape& shape : {Shape{70}, Shape{37, 3}, Shape{3, 37}, Shape{5, 40, 33}}) {
    const Tensor values = normal(shape, 3);
    for (Index axis = 0; axis < shape.rank(); ++axis) EXPECT_EQ(min(values, axis), -max(-values, axis));
    EXPECT_EQ(min(values), -max(-values));
  }
}

TEST(ReductionValues, TheVarianceIsAccurateFarFrom0) {
  const Tensor x = Tensor::vector({1000001, 1000002, 1000003, 1000004});
  EXPECT_EQ(variance(x).item(), Real(1.25));
  EXPECT_EQ(variance(Tensor::vector({7})).item(), 0);
  EXPECT_TRUE(std::isnan(variance(Tensor({0})).item()));
  EXPECT_TRUE(std::isnan(variance(Tensor::vector({1, infinity})).item()));
}

TEST(ReductionValues, LogSumExpIsStable) {
  const Tensor x = Tensor::matrix({{1000, 1000, -infinity},
                                   {-1000, -1000, -2000},
                                   {-infinity, -infinity, -infinity},
                                   {-infinity, 2, -infinity},
                                   {1, infinity, 2},
                                   {nan, 1, infinity}});
  const Real two = std::log(Real(2));
  for (const bool along_rows : {true, false}) {
    const ElementwisePass pass =
        elementwise_pass([=](Var v) { return along_rows ? logsumexp(v, 1) : logsumexp(transpose(v), 0); }, x);
    expect_elements(pass.value, {1000 + two, two - 1000, -infinity, 2, infinity, nan});
    expect_elements(pass.gradient, {0.5, 0.5, 0, 0.5, 0.5, 0, 0, 0, 0, 0, 1, 0, 0, nan, 0, nan, nan, nan});
  }
  EXPECT_EQ(logsumexp(Tensor({0})).item(), -infinity);
  EXPECT_EQ(logsumexp(Tensor({2, 0}), 1), Tensor::vector({-infinity, -infinity}));
}

TEST(ReductionValues, CumulativeSumsCarryInfinitiesAndLoseNoDigits) {
  const Tensor x = Tensor::vector({1, infinity, -infinity, 2});
  expect_elements(cumsum(x, 0), {1, infinity, nan, nan});
  expect_elements(cumsum(x, 0, {.exclusive = true}), {0, 1, infinity, nan});
  expect_elements(cumsum(x, 0, {.reverse = true}), {nan, nan, -infinity, 2});
  expect_elements(cumsum(x, 0, {.exclusive = true, .reverse = true}), {nan, -infinity, 2, 0});
  constexpr Index n = 100000;
  const Real each = Real(0.1);
  const Tensor sums = cumsum(Tensor::full({n}, each), 0);
  const double exact = static_cast<double>(each) * n;
  EXPECT_NEAR(static_cast<double>(sums[n - 1]), exact,
              2 * static_cast<double>(epsilon_of_real) * exact + (sizeof(Real) > 4 ? 1e-7 : 0));
}

TEST(ReductionValues, AWarmPassOfTheNewOpsAllocatesNothing) {
  const Tensor data = uniform({6, 5}, 1, Real(0.2), 2);
  const Parameter p{uniform({5}, 2)};
  Tape tape;
  const auto pass = [&] {
    tape.clear();
    const Var x = tape.input(data) * p;
    Var y = where(ops::greater(x, p), sin(x), cos(x)) + mod(x, 3) + clip(x, -1, 1) + mish(x) + relu6(x) + erf(x);
    y = y + round(x) + hard_silu(x) + log1p(abs(x)) + cumsum(x, 1) + ops::logical_and(x, equal(x, 1)) + selu(x);
    const Var all = sum(y) + prod(x) + variance(x) + sum(min(x, 1)) + sum(logsumexp(x, 0)) + sum(variance(x, 1));
    return tape.backward(all)[p][0];
  };
  const Real cold = pass();
  EXPECT_EQ(allocations_of(pass), 0);
  EXPECT_EQ(pass(), cold);
  EXPECT_TRUE(std::isfinite(cold));
}

}  // namespace
}  // namespace cornu::testing
