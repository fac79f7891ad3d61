#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/eager.h"
#include "cornu/tests/core/ops/op_reference.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/print.h"
#include "cornu/tests/support/special_values.h"

namespace cornu::testing {
namespace {

constexpr bool in_double = std::is_same_v<Real, double>;

/// Equal to a few units in the last place of the larger elements; expected values have 17 digits.
void expect_near(const ConstView& got, std::initializer_list<double> expected, double epsilons = 4) {
  ASSERT_EQ(got.size(), static_cast<Index>(expected.size()));
  Index i = 0;
  for (const double want : expected) {
    const double allowed = epsilons * static_cast<double>(std::numeric_limits<Real>::epsilon());
    EXPECT_NEAR(static_cast<double>(got[i]), want, allowed * std::max(1.0, std::abs(want))) << "at " << i;
    ++i;
  }
}

/// Equal elements, and NaN where NaN is expected.
void expect_same(const ConstView& got, std::initializer_list<Real> expected) {
  ASSERT_EQ(got.size(), static_cast<Index>(expected.size()));
  Index i = 0;
  for (const Real want : expected) {
    EXPECT_TRUE(std::isnan(want) ? std::isnan(got[i]) : got[i] == want) << got[i] << ", not " << want << ", at " << i;
    ++i;
  }
}

/// f(x) and the gradient of <weights, f(x)> for a function of one tensor.
struct Pass {
  Tensor value, gradient;
};

template <class F>
Pass pass_of(F f, const Tensor& x, const Tensor& weights) {
  Tape tape;
  const Var v = tape.variable(x), y = f(v);
  const Gradients gradients = tape.backward(y, weights);
  return {Tensor(y.value()), Tensor(gradients[v])};
}

template <class F>
Pass pass_of(F f, const Tensor& x) {
  return pass_of(f, x, Tensor::full(x.shape(), 1));
}

TEST(Numerics, SoftmaxOfVectors) {
  expect_near(softmax(Tensor::vector({3, 4, 1})), {.25949646034241913, .70538451269824121, .035119026959339723});
  expect_near(softmax(Tensor::vector({1, 2, 3})), {.090030573170380462, .24472847105479764, .6652409557748219});
  expect_near(softmax(Tensor::vector({1, 2, 3, 4})),
              {.032058603280084988, .087144318742032573, .23688281808991013, .64391425988797235});
  expect_near(log_softmax(Tensor::vector({3, 4, 1})), {-1.3490122167681864, -.34901221676818639, -3.3490122167681862});
}

TEST(Numerics, SoftmaxOverEitherAxisOfAMatrix) {
  const Tensor x = Tensor::matrix({{1, 2, 3, 4}, {4, 3, 2, 1}});
  const double a = 1 / (1 + std::exp(3.0)), b = 1 / (1 + std::exp(1.0));
  EXPECT_NEAR(a, .04742587, 1e-8);
  EXPECT_NEAR(b, .26894142, 1e-8);
  expect_near(softmax(x, 0), {a, b, 1 - b, 1 - a, 1 - a, 1 - b, b, a});
  const double p = .032058603280084988, q = .087144318742032573, r = .23688281808991013, s = .64391425988797235;
  expect_near(softmax(x, 1), {p, q, r, s, s, r, q, p});
}

TEST(Numerics, TheWholeJacobianOfSoftmax) {
  const double s[] = {.090030573170380462, .24472847105479764, .6652409557748219};
  const Tensor x = Tensor::vector({1, 2, 3});
  for (Index row = 0; row < 3; ++row) {
    Tensor one(Shape{3});
    one[row] = 1;
    const Tensor got = pass_of([](Var v) { return softmax(v); }, x, one).gradient;
    expect_near(got, {s[row] * ((row == 0) - s[0]), s[row] * ((row == 1) - s[1]), s[row] * ((row == 2) - s[2])});
    if (row == 0) expect_near(got, {.081925069, -.022033045, -.059892025}, in_double ? 1e7 : 4);
    if (row == 1) expect_near(got, {-.022033045, .184836447, -.162803402}, in_double ? 1e7 : 4);
    if (row == 2) expect_near(got, {-.059892025, -.162803402, .222695427}, in_double ? 1e7 : 4);
  }
}

TEST(Numerics, SoftmaxSubtractsTheMaximumOfEachSlice) {
  // Subtracting the maximum of the whole matrix, or none, would make every row but one 0/0.
  const Tensor x = Tensor::matrix({{1e4, 1e4}, {0, 0}, {-1e4, -1e4}});
  expect_same(softmax(x), {.5, .5, .5, .5, .5, .5});
  expect_same(softmax(transpose(x), 0), {.5, .5, .5, .5, .5, .5});
  const double half = -.69314718055994529;
  expect_near(log_softmax(x), {half, half, half, half, half, half});
  // Exact where softmax underflows to 0.
  expect_same(log_softmax(Tensor::vector({1e4, 0, -1e4})), {0, -1e4, -2e4});
}

TEST(Numerics, SoftmaxOfInfinitiesAndNaN) {
  const Tensor x = Tensor::matrix({{-infinity, 0, 0},
                                   {-infinity, -infinity, -infinity},
                                   {infinity, 0, 0},
                                   {0, nan, 0},
                                   {nan, 0, -infinity},
                                   {5, -infinity, -infinity}});
  expect_same(softmax(x), {0, .5, .5,                     //
                           nan, nan, nan,                 //
                           nan, nan, nan, nan, nan, nan,  //
                           nan, nan, nan, 1, 0, 0});
  expect_same(transpose(softmax(transpose(x), 0)), {0, .5, .5,                     //
                                                    nan, nan, nan,                 //
                                                    nan, nan, nan, nan, nan, nan,  //
                                                    nan, nan, nan, 1, 0, 0});
  const Tensor logs = log_softmax(x);
  EXPECT_EQ(logs[0], -infinity);
  expect_near(ConstView(logs.data() + 1, {2}), {-.69314718055994529, -.69314718055994529});
  for (Index i = 3; i < 15; ++i) EXPECT_TRUE(std::isnan(logs[i])) << i;
  expect_same(ConstView(logs.data() + 15, {3}), {0, -infinity, -infinity});

  const Tensor masked = Tensor::vector({-infinity, 1, 1});
  expect_near(pass_of([](Var v) { return softmax(v); }, masked, Tensor::vector({5, 1, 3})).gradient, {0, -.5, .5});
}

TEST(Numerics, SigmoidAndItsDerivative) {
  const auto f = [](Var v) { return sigmoid(v); };
  const Pass pass = pass_of(f, Tensor::vector({0, 1, -1, 2}));
  expect_near(pass.value, {.5, .73105857863000488, .26894142136999512, .88079707797788244});
  expect_near(pass.gradient, {.25, .19661193324148185, .19661193324148185, .10499358540350652});
}

TEST(Numerics, SoftplusAndSwishAtExtremeValues) {
  const Tensor x = Tensor::vector({-1e4, -30, -10, 10, 30, 1e4, infinity, nan});
  const Pass softplus_pass = pass_of([](Var v) { return softplus(v); }, x);
  const double small = 9.3576229688397367794e-14, swish_small = -2.8072868906517896862e-12;
  const double precision = 4 * static_cast<double>(std::numeric_limits<Real>::epsilon());
  EXPECT_NEAR(softplus_pass.value[1], small, precision * small) << "and not rounded to 0";
  EXPECT_NEAR(softplus_pass.gradient[1], swish_small / -30, precision * small);
  expect_same(ConstView(softplus_pass.value.data() + 5, {3}), {1e4, infinity, nan});
  expect_same(ConstView(softplus_pass.gradient.data() + 5, {3}), {1, 1, nan});
  const Pass swish_pass = pass_of([](Var v) { return swish(v); }, x);
  EXPECT_EQ(swish_pass.value[0], 0);
  EXPECT_NEAR(swish_pass.value[1], swish_small, precision * 2e-12);
  expect_near(ConstView(swish_pass.value.data() + 2, {3}),
              {-0.00045397868702434394505, 9.9995460213129756561, 29.999999999997192713});
  expect_same(ConstView(swish_pass.gradient.data() + 5, {1}), {1});
}

TEST(Numerics, GeluAtExtremeValues) {
  const Real huge = std::numeric_limits<Real>::max();
  for (const bool approximate : {false, true}) {
    const Pass pass = pass_of([=](Var v) { return gelu(v, {.approximate = approximate}); },
                              Tensor::vector({-huge, -1e4, 1e4, huge, infinity, nan}));
    expect_same(pass.value, {0, 0, 1e4, huge, infinity, nan});
    expect_same(ConstView(pass.gradient.data(), {4}), {0, 0, 1, 1});
  }
  const double tail = -7.619853024160526066e-23;  // at -10, where 1 + erf is 0 in float and double
  EXPECT_NEAR(gelu(Tensor::vector({-10}))[0], tail,
              8 * static_cast<double>(std::numeric_limits<Real>::epsilon()) * -tail);
}

TEST(Numerics, SigmoidSaturatesWithoutOverflow) {
  const Pass pass = pass_of([](Var v) { return sigmoid(v); }, Tensor::vector({infinity, 1000, -1000, -infinity, nan}));
  expect_same(pass.value, {1, 1, 0, 0, nan});
  expect_same(pass.gradient, {0, 0, 0, 0, nan});
  if constexpr (!in_double) {  // exactly 1 from 16.6355324 on, not before
    EXPECT_EQ(sigmoid(Tensor::scalar(16.6355324f)).item(), 1);
    EXPECT_LT(sigmoid(Tensor::scalar(16.6f)).item(), 1);
    EXPECT_GT(sigmoid(Tensor::scalar(-88.7f)).item(), 0) << "e^88.7 is still finite in float";
  }
}

TEST(Numerics, ReluAndAbsHaveGradientZeroAtTheKink) {
  const Tensor x = Tensor::vector({-2, 0, 3, nan, infinity, -infinity});
  Pass pass = pass_of([](Var v) { return relu(v); }, x);
  expect_same(pass.value, {0, 0, 3, nan, infinity, 0});
  expect_same(ConstView(pass.gradient.data(), {3}), {0, 0, 1});
  pass = pass_of([](Var v) { return abs(v); }, x);
  expect_same(pass.value, {2, 0, 3, nan, infinity, infinity});
  expect_same(ConstView(pass.gradient.data(), {3}), {-1, 0, 1});
}

TEST(Numerics, LogAndSqrtAtZeroAndBelow) {
  const Tensor x = Tensor::vector({0, -1, infinity});
  Pass pass = pass_of([](Var v) { return log(v); }, x);
  expect_same(pass.value, {-infinity, nan, infinity});
  EXPECT_EQ(pass.gradient[0], infinity);
  pass = pass_of([](Var v) { return sqrt(v); }, x);
  expect_same(pass.value, {0, nan, infinity});
  EXPECT_EQ(pass.gradient[0], infinity);
}

TEST(Numerics, ExpOverflowsOnlyIfTheResultDoes) {
  const Real last = in_double ? Real(709.7) : Real(88.72), first = in_double ? Real(709.8) : Real(88.73);
  EXPECT_TRUE(std::isfinite(exp(Tensor::scalar(last)).item()));
  EXPECT_EQ(exp(Tensor::scalar(first)).item(), infinity);
  EXPECT_EQ(exp(Tensor::scalar(-infinity)).item(), 0);
}

TEST(Numerics, PowAtSpecialValues) {
  struct Edge {
    Real base, exponent, value, by_base, by_exponent;
  };
  const Real log_2 = std::log(Real{2});
  for (const Edge& edge : std::initializer_list<Edge>{{0, 0, 1, 0, 0},
                                                      {0, 1, 0, 1, 0},
                                                      {0, 2, 0, 0, 0},
                                                      {0, .5, 0, infinity, 0},
                                                      {0, -1, infinity, -infinity, -infinity},
                                                      {-2, 2, 4, -4, nan},
                                                      {-2, 3, -8, 12, nan},
                                                      {-2, .5, nan, nan, nan},
                                                      {5, 0, 1, 0, std::log(Real{5})},
                                                      {2, 3, 8, 12, 8 * log_2},
                                                      {nan, 2, nan, nan, nan},
                                                      {2, nan, nan, nan, nan},
                                                      {nan, 0, 1, 0, nan},     // as in C, NumPy and PyTorch,
                                                      {1, nan, 1, nan, 0}}) {  // NaN^0 and 1^NaN are 1
    SCOPED_TRACE(message("{}^{}", edge.base, edge.exponent));
    const Tensor base = Tensor::scalar(edge.base), exponent = Tensor::scalar(edge.exponent);
    Tape tape;
    const Var a = tape.variable(base), b = tape.variable(exponent), y = pow(a, b);
    const Gradients gradients = tape.backward(y);
    expect_same(y.value(), {edge.value});
    expect_same(gradients[a], {edge.by_base});
    expect_same(gradients[b], {edge.by_exponent});
  }
}

TEST(Numerics, EqualElementsShareTheGradientOfMaximumAndMinimum) {
  const Tensor left = Tensor::vector({1, 2, 3, nan, 1}), right = Tensor::vector({2, 2, 2, 1, nan});
  Tape tape;
  const Var a = tape.variable(left), b = tape.variable(right);
  const Tensor ones = Tensor::full({5}, 1);
  expect_same(maximum(a, b).value(), {2, 2, 3, nan, nan});
  expect_same(minimum(a, b).value(), {1, 2, 2, nan, nan});
  Gradients gradients = tape.backward(maximum(a, b), ones);
  expect_same(ConstView(gradients[a].data(), {3}), {0, .5, 1});
  expect_same(ConstView(gradients[b].data(), {3}), {1, .5, 0});
  gradients = tape.backward(minimum(a, b), ones);
  expect_same(ConstView(gradients[a].data(), {3}), {1, .5, 0});
  expect_same(ConstView(gradients[b].data(), {3}), {0, .5, 1});
}

TEST(Numerics, EqualElementsShareTheGradientOfMax) {
  const Tensor x = Tensor::matrix({{1, 3, 3, 2}, {4, 4, 4, 4}, {-infinity, -infinity, 0, -infinity}});
  const Tensor weights = Tensor::vector({1, 2, 3});
  const Pass pass = pass_of([](Var v) { return max(v, 1); }, x, weights);
  expect_same(pass.value, {3, 4, 0});
  expect_same(pass.gradient, {0, .5, .5, 0, .5, .5, .5, .5, 0, 0, 3, 0});
  const Tensor broken = Tensor::vector({1, nan, 2});
  const Pass of_nan = pass_of([](Var v) { return max(v); }, broken, Tensor::scalar(1));
  expect_same(of_nan.value, {nan});
  expect_same(of_nan.gradient, {nan, nan, nan});
}

TEST(Numerics, ArgmaxIsTheFirstMaximumOrTheFirstNaN) {
  const Tensor x = Tensor::matrix({{1, 3, 3}, {2, nan, nan}, {-infinity, -infinity, -infinity}});
  expect_same(argmax(x), {1, 1, 0});
  expect_same(argmax(x, 0), {1, 1, 1});
  EXPECT_EQ(argmax(Tensor(Shape{2, 3, 4}), 1).shape(), (Shape{2, 4}));
  EXPECT_EQ(error_of<ShapeError>([] {
              argmax(Tensor(Shape{2, 0}));
            }),
            "argmax: axis -1 of shape (2, 0) has no elements");
  EXPECT_EQ(error_of<ShapeError>([] { argmax(Tensor(Shape{2}), 1); }),
            "axis 1 is out of range for shape (2,) of rank 1");
}

TEST(Numerics, SumsOfManyElementsAreAccurate) {
  // 47,040,000 uniforms, the size of 60,000 images of 28 x 28. A sequential float sum would stop at 16,777,216.
  constexpr Index rows = in_double ? 6000 : 60000, columns = 784;
  Tensor x(Shape{rows, columns});
  Rng rng(1);
  long double exact = 0;
  std::vector<long double> exact_columns(columns);
  for (Index i = 0; i < x.size(); ++i) {
    x[i] = rng.uniform();
    exact += x[i];
    exact_columns[static_cast<std::size_t>(i % columns)] += x[i];
  }
  const auto relative_error = [](Real got, long double want) {
    return static_cast<double>(std::abs(got - want) / want);
  };
  const double allowed = in_double ? 1e-15 : 5e-7;
  Tape tape(Mode::inference);
  const Var v = tape.input(x);
  EXPECT_LT(relative_error(sum(v).item(), exact), allowed);
  EXPECT_LT(relative_error(mean(v).item(), exact / (rows * columns)), allowed);
  EXPECT_LT(relative_error(sum_all(x), exact), allowed);
  const ConstView sums = sum(v, 0).value();
  for (Index j = 0; j < columns; ++j) {
    ASSERT_LT(relative_error(sums[j], exact_columns[static_cast<std::size_t>(j)]), allowed) << "column " << j;
  }
}

TEST(Numerics, SoftmaxOfManyEqualElementsSumsToOne) {
  // A sequential float sum of ones stops at 2^24.
  constexpr Index n = in_double ? 1000 : (Index{1} << 24) + (Index{1} << 22);
  const Tensor s = softmax(Tensor(Shape{n}));
  EXPECT_NEAR(static_cast<double>(s[0]) * static_cast<double>(n), 1, 1e-6);
}

TEST(Numerics, MatmulOfAllSmallSizesEqualsThreeLoops) {
  const Index sizes[] = {0, 1, 2, 3, 7, 8, 9, 16, 17, 33};
  Rng rng(1);
  for (const Index m : sizes) {
    for (const Index k : sizes) {
      for (const Index n : sizes) {
        Tensor a(Shape{m, k}), b(Shape{k, n});
        rng.fill_uniform(a, -1, 1);
        rng.fill_uniform(b, -1, 1);
        const Tensor c = matmul(a, b);
        ASSERT_EQ(c.shape(), (Shape{m, n}));
        for (Index i = 0; i < m; ++i) {
          for (Index j = 0; j < n; ++j) {
            long double sum = 0;
            for (Index l = 0; l < k; ++l) sum += static_cast<long double>(a[i * k + l]) * b[l * n + j];
            ASSERT_NEAR(static_cast<double>(c[i * n + j] - sum), 0, in_double ? 1e-14 : 4e-6)
                << m << " x " << k << " x " << n;
          }
        }
      }
    }
  }
}

TEST(Numerics, GemmAccumulatesIfItsSinkDoes) {
  const Tensor a = Tensor::matrix({{1, 2}, {3, 4}}), b = Tensor::matrix({{5, 6}, {7, 8}});
  Tensor c = Tensor::full({2, 2}, 100);
  gemm(a.view(), transposed(b.view()), accumulate_into(c));
  EXPECT_EQ(c, Tensor::matrix({{117, 123}, {139, 153}}));
  gemm(a.view(), b.view(), overwrite(c));
  EXPECT_EQ(c, Tensor::matrix({{19, 22}, {43, 50}}));
  // An empty sum is 0, and accumulating it adds nothing.
  const Tensor no_columns(Shape{2, 0}), no_rows(Shape{0, 2});
  gemm(no_columns.view(), no_rows.view(), accumulate_into(c));
  EXPECT_EQ(c, Tensor::matrix({{19, 22}, {43, 50}}));
  c.fill(nan);
  gemm(no_columns.view(), no_rows.view(), overwrite(c));
  EXPECT_EQ(c, Tensor(Shape{2, 2}));
}

TEST(Numerics, MatmulRejectsSizesBeyond32Bits) {
  // The shapes are larger than the memory: an op that read elements or allocated the result would crash.
  const Index huge = (Index{1} << 31);
  const std::string text = ": a dimension of 2147483648 is beyond BLAS's 32-bit sizes";
  Real number = 0;
  Tape tape;
  const Var tall = tape.input(ConstView(&number, {huge, 1})), wide = tape.input(ConstView(&number, {1, huge}));
  EXPECT_EQ(error_of<ShapeError>([&] { matmul(wide, tall); }), "matmul" + text);
  EXPECT_EQ(error_of<ShapeError>([&] { matmul(tall, tape.input(ConstView(&number, {1, 0}))); }), "matmul" + text);
  EXPECT_EQ(error_of<ShapeError>([&] { matmul(tape.input(ConstView(&number, {0, 1})), wide); }), "matmul" + text);
  EXPECT_EQ(error_of<ShapeError>([&] { affine(wide, tall, tape.input(ConstView(&number, {1}))); }), "affine" + text);
  // The same with a result of that size.
  EXPECT_EQ(error_of<ShapeError>([&] { matmul(tall, tape.input(ConstView(&number, {1, 1}))); }), "matmul" + text);
  EXPECT_EQ(error_of<ShapeError>([&] {
              affine(tall, tape.input(ConstView(&number, {1, 1})), tape.input(ConstView(&number, {1})));
            }),
            "affine" + text);
  EXPECT_EQ(error_of<ShapeError>([&] {
              matmul(tape.input(ConstView(&number, {Index{1} << 40, 1})),
                     tape.input(ConstView(&number, {1, Index{1} << 40})));
            }),
            "matmul: a dimension of 1099511627776 is beyond BLAS's 32-bit sizes");
  EXPECT_LT(tape.capacity(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace cornu::testing
