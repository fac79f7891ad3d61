#include "cornu/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "cornu/core/error.h"
#include "cornu/optim/sgd.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::expect_error;

TEST(LearningRate, CanBeAnyNumber) {
  EXPECT_EQ(LearningRate(1).at(5), 1);
  EXPECT_EQ(LearningRate(0.1).at(0), 0.1);
  EXPECT_EQ(LearningRate(0.5F).at(1000), 0.5);
  EXPECT_FALSE(LearningRate(0.1).is_schedule());
}

struct Halving {
  double operator()(Index step) const { return std::ldexp(1.0, -static_cast<int>(step)); }
};

TEST(LearningRate, CanBeAnyFunctionOfTheStep) {
  const LearningRate from_struct = Halving{};
  EXPECT_TRUE(from_struct.is_schedule());
  EXPECT_EQ(from_struct.at(0), 1);
  EXPECT_EQ(from_struct.at(3), 0.125);
  const double slope = 0.01;
  const LearningRate from_lambda = [slope](Index step) { return slope * static_cast<double>(step); };
  EXPECT_DOUBLE_EQ(from_lambda.at(7), 0.07);
  const LearningRate copy = from_lambda;
  EXPECT_DOUBLE_EQ(copy.at(7), 0.07);
  const LearningRate in_single = [](Index) { return 0.5F; };
  EXPECT_EQ(in_single.at(1), 0.5);
  static_assert(!std::is_constructible_v<LearningRate, const char*>);
}

TEST(LearningRate, IsAnOptionOfAnOptimizer) {
  const SGD sgd{.learning_rate = ExponentialDecay{.initial_learning_rate = 0.1, .decay_steps = 10, .decay_rate = 0.5}};
  EXPECT_DOUBLE_EQ(sgd.learning_rate.at(10), 0.05);
}

TEST(ExponentialDecay, FollowsItsFormula) {
  const ExponentialDecay decay{.initial_learning_rate = 0.1, .decay_steps = 100, .decay_rate = 0.96};
  EXPECT_DOUBLE_EQ(decay(0), 0.1);
  EXPECT_DOUBLE_EQ(decay(50), 0.1 * std::sqrt(0.96));
  EXPECT_DOUBLE_EQ(decay(100), 0.1 * 0.96);
  EXPECT_DOUBLE_EQ(decay(250), 0.1 * std::pow(0.96, 2.5));
}

TEST(ExponentialDecay, StepsDownAStaircase) {
  const ExponentialDecay decay{.initial_learning_rate = 0.1, .decay_steps = 100, .decay_rate = 0.5, .staircase = true};
  EXPECT_DOUBLE_EQ(decay(99), 0.1);
  EXPECT_DOUBLE_EQ(decay(100), 0.05);
  EXPECT_DOUBLE_EQ(decay(299), 0.025);
}

TEST(PiecewiseConstantDecay, KeepsAValueThroughItsBoundary) {
  const PiecewiseConstantDecay decay{.boundaries = {100, 110}, .values = {1.0, 0.5, 0.1}};
  EXPECT_EQ(decay(0), 1.0);
  EXPECT_EQ(decay(100), 1.0);
  EXPECT_EQ(decay(101), 0.5);
  EXPECT_EQ(decay(110), 0.5);
  EXPECT_EQ(decay(111), 0.1);
  EXPECT_EQ(decay(1'000'000), 0.1);
  EXPECT_EQ((PiecewiseConstantDecay{.boundaries = {}, .values = {0.3}}(5)), 0.3);
}

TEST(InverseTimeDecay, FollowsItsFormula) {
  InverseTimeDecay decay{.initial_learning_rate = 0.1, .decay_steps = 10, .decay_rate = 0.5};
  EXPECT_DOUBLE_EQ(decay(0), 0.1);
  EXPECT_DOUBLE_EQ(decay(15), 0.1 / 1.75);
  decay.staircase = true;
  EXPECT_DOUBLE_EQ(decay(9), 0.1);
  EXPECT_DOUBLE_EQ(decay(15), 0.1 / 1.5);
}

TEST(PolynomialDecay, EndsAtTheEndRateAndStaysThere) {
  const PolynomialDecay straight{.initial_learning_rate = 0.1, .decay_steps = 100, .end_learning_rate = 0.01};
  EXPECT_DOUBLE_EQ(straight(0), 0.1);
  EXPECT_DOUBLE_EQ(straight(50), 0.055);
  EXPECT_DOUBLE_EQ(straight(100), 0.01);
  EXPECT_DOUBLE_EQ(straight(1000), 0.01);
  const PolynomialDecay root{.initial_learning_rate = 0.1, .decay_steps = 100, .end_learning_rate = 0.01, .power = 0.5};
  EXPECT_DOUBLE_EQ(root(36), 0.09 * 0.8 + 0.01);
  EXPECT_DOUBLE_EQ((PolynomialDecay{.initial_learning_rate = 0.1, .decay_steps = 100}(100)), 0.0001);
}

TEST(PolynomialDecay, CyclesWithMultiplesOfItsSteps) {
  const PolynomialDecay decay{.initial_learning_rate = 1, .decay_steps = 100, .end_learning_rate = 0, .cycle = true};
  EXPECT_DOUBLE_EQ(decay(0), 1);  // at step 0 decay_steps is not replaced by its multiple 0
  EXPECT_DOUBLE_EQ(decay(50), 0.5);
  EXPECT_DOUBLE_EQ(decay(100), 0);  // a multiple of decay_steps ends a cycle
  EXPECT_DOUBLE_EQ(decay(101), 1 - 101 / 200.0);
  EXPECT_DOUBLE_EQ(decay(200), 0);
  EXPECT_DOUBLE_EQ(decay(250), 1 - 250 / 300.0);
}

TEST(CosineDecay, FallsAlongHalfACosineAndStaysThere) {
  const CosineDecay decay{.initial_learning_rate = 0.1, .decay_steps = 100};
  EXPECT_DOUBLE_EQ(decay(0), 0.1);
  EXPECT_DOUBLE_EQ(decay(25), 0.05 * (1 + std::sqrt(0.5)));
  EXPECT_DOUBLE_EQ(decay(50), 0.05);
  EXPECT_NEAR(decay(100), 0, 1e-17);
  EXPECT_NEAR(decay(5000), 0, 1e-17);
  const CosineDecay floored{.initial_learning_rate = 0.1, .decay_steps = 100, .alpha = 0.2};
  EXPECT_DOUBLE_EQ(floored(50), 0.1 * (0.8 * 0.5 + 0.2));
  EXPECT_DOUBLE_EQ(floored(100), 0.02);
}

TEST(CosineDecay, WarmsUpLinearlyAndDecaysFromTheTarget) {
  const CosineDecay decay{
      .initial_learning_rate = 0.02, .decay_steps = 100, .alpha = 0.1, .warmup_target = 0.1, .warmup_steps = 40};
  EXPECT_DOUBLE_EQ(decay(0), 0.02);
  EXPECT_DOUBLE_EQ(decay(10), 0.04);
  EXPECT_DOUBLE_EQ(decay(40), 0.1);
  EXPECT_DOUBLE_EQ(decay(90), 0.1 * (0.9 * 0.5 + 0.1));
  EXPECT_DOUBLE_EQ(decay(140), 0.01);
  EXPECT_DOUBLE_EQ(decay(141), 0.01);
}

TEST(CosineDecay, WithATargetButNoWarmupStartsAtTheTarget) {
  const CosineDecay decay{.initial_learning_rate = 0.02, .decay_steps = 100, .warmup_target = 0.1};
  EXPECT_DOUBLE_EQ(decay(0), 0.1);
  EXPECT_DOUBLE_EQ(decay(50), 0.05);
}

/// The definition, evaluated period by period.
double restarted(const CosineDecayRestarts& options, Index step) {
  double rest = static_cast<double>(step), length = static_cast<double>(options.first_decay_steps), height = 1;
  while (rest >= length) {
    rest -= length;
    length *= options.t_mul;
    height *= options.m_mul;
  }
  const double cosine = (1 + std::cos(std::numbers::pi * rest / length)) / 2;
  return options.initial_learning_rate * ((1 - options.alpha) * height * cosine + options.alpha);
}

TEST(CosineDecayRestarts, RestartsWithLongerPeriodsAndLowerPeaks) {
  const CosineDecayRestarts decay{
      .initial_learning_rate = 0.1, .first_decay_steps = 10, .t_mul = 2, .m_mul = 0.5, .alpha = 0.1};
  EXPECT_DOUBLE_EQ(decay(0), 0.1);
  EXPECT_DOUBLE_EQ(decay(5), 0.1 * (0.9 * 0.5 + 0.1));
  EXPECT_DOUBLE_EQ(decay(10), 0.1 * (0.9 * 0.5 + 0.1));
  EXPECT_DOUBLE_EQ(decay(20), 0.1 * (0.9 * 0.5 * 0.5 + 0.1));
  EXPECT_DOUBLE_EQ(decay(30), 0.1 * (0.9 * 0.25 + 0.1));
  EXPECT_DOUBLE_EQ(decay(70), 0.1 * (0.9 * 0.125 + 0.1));
}

TEST(CosineDecayRestarts, FollowsItsDefinitionAtEveryStep) {
  for (const double t_mul : {1.0, 2.0, 3.0, 1.5}) {
    for (const Index first : {1, 3, 7, 10}) {
      const CosineDecayRestarts decay{
          .initial_learning_rate = 0.1, .first_decay_steps = first, .t_mul = t_mul, .m_mul = 0.9, .alpha = 0.05};
      for (Index step = 0; step < 3000; ++step) {
        ASSERT_NEAR(decay(step), restarted(decay, step), 1e-12) << t_mul << " " << first << " " << step;
      }
    }
  }
}

TEST(CosineDecayRestarts, FindsThePeriodDespiteRoundingOfTheLogarithms) {
  const CosineDecayRestarts decay{.initial_learning_rate = 0.1, .first_decay_steps = 1};
  constexpr Index restart = (Index{1} << 52) - 1;
  EXPECT_NEAR(decay(restart - 1), 0, 1e-15);
  EXPECT_DOUBLE_EQ(decay(restart), 0.1);
}

TEST(CosineDecayRestarts, DoublesThePeriodByDefault) {
  const CosineDecayRestarts decay{.initial_learning_rate = 0.1, .first_decay_steps = 10};
  EXPECT_DOUBLE_EQ(decay(10), 0.1);
  EXPECT_DOUBLE_EQ(decay(20), 0.05);
  EXPECT_DOUBLE_EQ(decay(30), 0.1);
}

TEST(LinearWarmup, RisesLinearlyToTheStartOfAnySchedule) {
  const LinearWarmup to_a_number{.learning_rate = 0.1, .warmup_steps = 4};
  EXPECT_EQ(to_a_number(0), 0);
  EXPECT_DOUBLE_EQ(to_a_number(1), 0.025);
  EXPECT_EQ(to_a_number(4), 0.1);
  EXPECT_EQ(to_a_number(1000), 0.1);
  const ExponentialDecay decay{.initial_learning_rate = 0.1, .decay_steps = 10, .decay_rate = 0.5};
  const LinearWarmup warmup{.learning_rate = decay, .warmup_steps = 10, .initial_learning_rate = 0.05};
  EXPECT_EQ(warmup(0), 0.05);
  EXPECT_DOUBLE_EQ(warmup(5), 0.075);
  for (const Index step : {0, 1, 10, 25}) EXPECT_EQ(warmup(10 + step), decay(step));
  EXPECT_EQ((LinearWarmup{.learning_rate = decay, .warmup_steps = 0}(0)), 0.1);
}

TEST(LinearWarmup, EqualsTheWarmupOfCosineDecay) {
  const CosineDecay with{
      .initial_learning_rate = 0.02, .decay_steps = 100, .alpha = 0.1, .warmup_target = 0.1, .warmup_steps = 40};
  const CosineDecay without{.initial_learning_rate = 0.1, .decay_steps = 100, .alpha = 0.1};
  const LinearWarmup around{.learning_rate = without, .warmup_steps = 40, .initial_learning_rate = 0.02};
  for (Index step = 0; step < 200; ++step) ASSERT_DOUBLE_EQ(around(step), with(step)) << step;
}

TEST(OneCycle, RisesToItsMaximumAndFallsBelowItsStart) {
  const OneCycle cycle{.max_learning_rate = 1, .total_steps = 11, .pct_start = 5 / 11.0};
  EXPECT_DOUBLE_EQ(cycle(0), 0.04);
  EXPECT_DOUBLE_EQ(cycle(2), 0.52);
  EXPECT_DOUBLE_EQ(cycle(4), 1);
  EXPECT_DOUBLE_EQ(cycle(7), (1 + 0.04e-4) / 2);
  EXPECT_DOUBLE_EQ(cycle(10), 0.04e-4);
  EXPECT_DOUBLE_EQ(cycle(1000), 0.04e-4);
}

TEST(OneCycle, WithoutStepsToRiseStartsAtItsMaximum) {
  for (const double pct_start : {0.0, 0.1, 0.2}) {
    const OneCycle cycle{.max_learning_rate = 1, .total_steps = 5, .pct_start = pct_start};
    EXPECT_DOUBLE_EQ(cycle(0), 1);
    EXPECT_DOUBLE_EQ(cycle(4), 0.04e-4);
  }
}

/// An invalid schedule throws when an optimizer is constructed with it, and when it is called.
template <class Schedule>
void expect_schedule_error(const Schedule& schedule, std::string_view text) {
  expect_error<ValueError>([&] { AnyOptimizer optimizer(SGD{.learning_rate = schedule}); }, text);
  expect_error<ValueError>([&] { schedule(3); }, text);
}

TEST(ScheduleErrors, AreThrownBeforeTrainingBegins) {
  expect_schedule_error(ExponentialDecay{0.1, 0, 0.5}, "ExponentialDecay: decay_steps is 0; it must be positive");
  expect_schedule_error(InverseTimeDecay{0.1, -1, 0.5}, "InverseTimeDecay: decay_steps is -1; it must be positive");
  expect_schedule_error(PolynomialDecay{0.1, 0}, "PolynomialDecay: decay_steps is 0; it must be positive");
  expect_schedule_error(CosineDecay{0.1, 0}, "CosineDecay: decay_steps is 0; it must be positive");
  expect_schedule_error(
      CosineDecay{.initial_learning_rate = 0, .decay_steps = 0, .warmup_target = 1, .warmup_steps = 9},
      "CosineDecay: decay_steps is 0; it must be positive");
  expect_schedule_error(CosineDecay{.initial_learning_rate = 0.1, .decay_steps = 5, .warmup_steps = 9},
                        "CosineDecay: warmup_steps is 9, but warmup_target is not set");
  expect_schedule_error(
      CosineDecay{.initial_learning_rate = 0.1, .decay_steps = 5, .warmup_target = 1, .warmup_steps = -9},
      "CosineDecay: warmup_steps is -9; it must not be negative");
  expect_schedule_error(CosineDecayRestarts{0.1, 0},
                        "CosineDecayRestarts: first_decay_steps is 0; it must be positive");
  expect_schedule_error(CosineDecayRestarts{0.1, 10, 0.5}, "CosineDecayRestarts: t_mul is 0.5; it must be at least 1");
  expect_schedule_error(LinearWarmup{.learning_rate = 0.1, .warmup_steps = -1},
                        "LinearWarmup: warmup_steps is -1; it must not be negative");
  expect_schedule_error(OneCycle{1, 0}, "OneCycle: total_steps is 0; it must be positive");
  expect_schedule_error(OneCycle{1, 10, 1.5}, "OneCycle: pct_start is 1.5; it must be in [0, 1]");
  expect_schedule_error(OneCycle{1, 10, 0.3, 0}, "OneCycle: div_factor is 0; it must be positive");
  expect_schedule_error(OneCycle{1, 10, 0.3, 25, -1}, "OneCycle: final_div_factor is -1; it must be positive");
  expect_schedule_error(
      PiecewiseConstantDecay{{1, 2}, {0.1, 0.2}},
      "PiecewiseConstantDecay: 2 boundaries and 2 values; there must be one more value than boundaries");
  expect_schedule_error(PiecewiseConstantDecay{{2, 1}, {0.1, 0.2, 0.3}},
                        "PiecewiseConstantDecay: the boundaries must be in ascending order");
}

}  // namespace
}  // namespace cornu
