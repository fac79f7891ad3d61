#include "cornu/layers/regularization/dropout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::run;

TEST(Dropout, DropsTheGivenFraction) {
  constexpr Index n = 200000;
  const Tensor ones = Tensor::full({2, n / 2}, 1);
  for (const double rate : {0.001, 0.1, 0.5, 0.9, 0.999}) {
    const Tensor y = run(Dropout{rate}, ones, Mode::training, 3);
    const auto dropped = static_cast<double>(std::count(y.begin(), y.end(), Real{0}));
    EXPECT_NEAR(dropped / n, rate, 4 * std::sqrt(rate * (1 - rate) / n)) << rate;
  }
}

TEST(Dropout, ScalesKeptElementsToPreserveTheExpectation) {
  const Tensor y = run(Dropout{.rate = 0.75}, Tensor::full({1000}, 3), Mode::training);
  for (const Real value : y) EXPECT_TRUE(value == 0 || value == 12) << value;
  EXPECT_NE(std::count(y.begin(), y.end(), Real{12}), 0);
  EXPECT_NE(std::count(y.begin(), y.end(), Real{0}), 0);
}

TEST(Dropout, DropsElementsIndependently) {
  constexpr Index n = 100000;
  const Tensor y = run(Dropout{}, Tensor::full({n}, 1), Mode::training, 4);
  for (const Index distance : {1, 2, 3, 4}) {  // a draw yields two elements, a block of the generator four
    double both = 0;
    for (Index i = distance; i < n; ++i) both += y[i] != 0 && y[i - distance] != 0 ? 1 : 0;
    EXPECT_NEAR(both / static_cast<double>(n - distance), 0.25, 5 * std::sqrt(0.25 * 0.75 / n)) << distance;
  }
}

TEST(Dropout, DropsHalfByDefault) { EXPECT_EQ(Dropout{}.rate, 0.5); }

TEST(Dropout, IsTheIdentityInInference) {
  const Tensor x = testing::normal({3, 5});
  Tape tape(Mode::inference);
  EXPECT_EQ(Dropout{0.9}.forward(tape.input(x)).value().data(), x.data());
}

TEST(Dropout, IsTheIdentityAtRateZero) {
  const Tensor x = testing::normal({3, 5});
  Tape tape(Mode::training);
  EXPECT_EQ(Dropout{0}.forward(tape.input(x)).value().data(), x.data());
}

TEST(Dropout, MaskDependsOnlyOnTheTapesSeed) {
  const Tensor ones = Tensor::full({9, 7}, 1);
  const Tensor y = run(Dropout{}, ones, Mode::training, 1);
  EXPECT_EQ(run(Dropout{}, ones, Mode::training, 1), y);
  EXPECT_FALSE(run(Dropout{}, ones, Mode::training, 2) == y);
  // The mask depends neither on the values nor on the shape.
  const Tensor twos = run(Dropout{}, Tensor::full({63}, 2), Mode::training, 1);
  for (Index i = 0; i < 63; ++i) EXPECT_EQ(twos[i], 2 * y[i]);
}

TEST(Dropout, EveryPassDrawsANewMask) {
  const Tensor ones = Tensor::full({9, 7}, 1);
  Tape tape(Mode::training, 1);
  const Var in = tape.input(ones);
  const Tensor first(Dropout{}.forward(in).value()), second(Dropout{}.forward(in).value());
  EXPECT_FALSE(first == second);
  tape.clear();
  const Tensor third(Dropout{}.forward(tape.input(ones)).value());
  EXPECT_FALSE(third == first || third == second);
  tape.clear();
  tape.rng() = Rng(1);
  EXPECT_EQ(Tensor(Dropout{}.forward(tape.input(ones)).value()), first);
}

// A promise, in float and in double: training is reproducible.
TEST(Dropout, ASeedGivesTheSameMaskInEveryVersion) {
  EXPECT_EQ(run(Dropout{}, Tensor::full({9}, 1), Mode::training, 42), Tensor::vector({2, 0, 0, 0, 2, 0, 2, 0, 2}));
}

TEST(Dropout, GradientIsMultipliedByTheMask) {
  const Tensor x = Tensor::full({4, 6}, 1), g = testing::normal({4, 6});
  Tape tape(Mode::training, 5);
  const Var in = tape.variable(x);
  const Var y = Dropout{0.25}.forward(in);
  const Tensor dx(tape.backward(y, g)[in]);
  for (Index i = 0; i < x.size(); ++i) EXPECT_EQ(dx[i], g[i] * y.value()[i]);
  EXPECT_NE(std::count(dx.begin(), dx.end(), Real{0}), 0);
}

TEST(Dropout, PassesCheckLayer) {
  for (const double rate : {0.0, 0.3, 0.5, 0.9}) {
    for (const Shape& input : {Shape{}, Shape{1}, Shape{7}, Shape{2, 3}, Shape{3, 1, 3}}) {
      testing::expect_passes(Dropout{rate}, input);
    }
  }
}

TEST(Dropout, AcceptsAnEmptyBatch) {
  EXPECT_EQ(run(Dropout{}, Tensor(Shape{0, 3}), Mode::training).shape(), (Shape{0, 3}));
}

TEST(Dropout, PropagatesNaN) {
  const Tensor y = run(Dropout{}, Tensor::full({64}, testing::nan), Mode::training);
  for (const Real value : y) EXPECT_TRUE(std::isnan(value));
}

TEST(Dropout, RejectsRatesOutOfRange) {
  const auto expect_refused = [](double rate, const std::string& shown) {
    const std::string text = "Dropout: rate is " + shown + "; at least 0 and less than 1 is required";
    Dropout layer{rate};
    Rng rng(1);
    EXPECT_EQ(error_of<ValueError>([&] { layer.build({3}, rng); }), text);
    for (const Mode mode : {Mode::training, Mode::inference}) {
      EXPECT_EQ(error_of<ValueError>([&] { run(layer, Tensor(Shape{2, 3}), mode); }), text);
    }
  };
  expect_refused(1, "1");
  expect_refused(-0.1, "-0.1");
  expect_refused(20, "20");
  expect_refused(testing::nan, "nan");
}

}  // namespace
}  // namespace cornu
