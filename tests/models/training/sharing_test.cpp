#include "cornu/models/sharing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "cornu/core/random.h"
#include "cornu/core/tensor.h"

namespace cornu {
namespace {

bool operator==(const detail::Sharding& a, const detail::Sharding& b) { return a.size == b.size && a.count == b.count; }

// 784-128-10: elements of a sample and its layers' outputs, and of the parameters.
constexpr Index mlp_numbers = 784 + 128 + 10, mlp_parameters = 784 * 128 + 128 + 1280 + 10;
// LeNet for images of 28 x 28.
constexpr Index lenet_numbers = 784 + 2 * 4704 + 1176 + 2 * 1600 + 400 + 2 * 204 + 10, lenet_parameters = 61706;

TEST(Sharding, KeepsASmallBatchWhole) {
  for (const Index threads : {1, 2, 64}) {
    EXPECT_TRUE(detail::divide({32, mlp_numbers, mlp_parameters}, threads, 0) == (detail::Sharding{32, 1}));
    EXPECT_TRUE(detail::divide({96, mlp_numbers, mlp_parameters}, threads, 0) == (detail::Sharding{96, 1}))
        << "a step of 0.3 ms";
    EXPECT_TRUE(detail::divide({1, mlp_numbers, mlp_parameters}, threads, 0) == (detail::Sharding{1, 1}));
    EXPECT_TRUE(detail::divide({1000, 2, 30}, threads, 0) == (detail::Sharding{1000, 1})) << "too little to do";
  }
}

TEST(Sharding, GivesEachThreadEnoughWork) {
  EXPECT_TRUE(detail::divide({128, mlp_numbers, mlp_parameters}, 1, 0) == (detail::Sharding{128, 1}));
  EXPECT_TRUE(detail::divide({128, mlp_numbers, mlp_parameters}, 2, 0) == (detail::Sharding{64, 2}));
  EXPECT_TRUE(detail::divide({256, mlp_numbers, mlp_parameters}, 64, 0) == (detail::Sharding{64, 4}));
  EXPECT_TRUE(detail::divide({131, mlp_numbers, mlp_parameters}, 2, 0) == (detail::Sharding{66, 2}));
  EXPECT_TRUE(detail::divide({64, lenet_numbers, lenet_parameters}, 2, 0) == (detail::Sharding{32, 2}));
}

TEST(Sharding, KeepsShardsInTheCacheIfGradientsAreSmall) {
  const detail::Sharding one = detail::divide({60000, 794, 7850}, 1, 0), two = detail::divide({60000, 794, 7850}, 2, 0);
  EXPECT_TRUE(one == two) << "the same sums whatever the number of threads";
  EXPECT_LT(one.size * 794 * static_cast<Index>(sizeof(Real)), 1 << 20);
  EXPECT_EQ(one.count, (60000 + one.size - 1) / one.size);
}

TEST(Sharding, KeepsShardsInTheCacheIfGradientsAreLarge) {
  for (const Index threads : {1, 2}) {
    for (const Index samples : {512 * threads, Index{2048}, Index{8192}, Index{60000}}) {
      const detail::Sharding shards = detail::divide({samples, mlp_numbers, mlp_parameters}, threads, 0);
      EXPECT_TRUE(shards.in_turn);
      EXPECT_LT(shards.size * mlp_numbers * static_cast<Index>(sizeof(Real)), 2 << 20) << samples;
      EXPECT_GT(shards.size, 128) << samples;
      EXPECT_EQ(shards.count, (samples + shards.size - 1) / shards.size);
      EXPECT_EQ(shards.count % threads, 0) << samples;
    }
  }
  EXPECT_TRUE(detail::divide({256, mlp_numbers, mlp_parameters}, 1, 0) == (detail::Sharding{256, 1}));
  // 784-1024-1024-10: the gradients are as large as the activations of a thousand samples.
  EXPECT_TRUE(detail::divide({2048, 784 + 1024 + 1024 + 10, 1863690}, 1, 0) == (detail::Sharding{2048, 1}));
}

TEST(Sharding, UsesTheGivenSize) {
  EXPECT_TRUE(detail::divide({100, 2, 30}, 1, 30) == (detail::Sharding{30, 4}));
  EXPECT_TRUE(detail::divide({100, 2, 30}, 2, 1000) == (detail::Sharding{100, 1}));
  EXPECT_TRUE(detail::divide({60000, 794, 7850}, 2, 60000) == (detail::Sharding{60000, 1}));
}

TEST(Sharding, IsExpectedToPayIfArithmeticOutweighsTheExchange) {
  EXPECT_TRUE(detail::should_pay_to_share({128, mlp_numbers, mlp_parameters}, 2));
  EXPECT_TRUE(detail::should_pay_to_share({64, lenet_numbers, lenet_parameters}, 2));
  EXPECT_FALSE(detail::should_pay_to_share({16, mlp_numbers, mlp_parameters}, 2)) << "all weights for a few samples";
}

// ---- The choice, with a simulated clock ----

/// Duration of a step at the clock's time, shared or not, in units of a quiet step that is not shared.
struct Clock {
  Rng rng;
  Index step = 0;
  double time = 0;  // seconds since the start

  double uniform() { return static_cast<double>(rng.uniform()); }
  bool happens(double probability) { return uniform() < probability; }
  /// A random factor of at least 1, and 1 + `width` on average.
  double noise(double width) { return 1 - width * std::log(1 - 0.999 * uniform()); }
};
using StepTime = std::function<double(Clock&, bool shared)>;

struct Scenario {
  std::string name;
  StepTime step;
  bool is_wild = false;  // single runs may exceed the bound
};

/// A quiet machine on which a shared step takes `ratio` times as long. `more` adds other effects.
StepTime quiet_machine(double ratio, std::function<double(Clock&, bool shared)> more = nullptr) {
  return [=](Clock& clock, bool shared) {
    const double time = (shared ? ratio : 1) * clock.noise(0.04);
    return more == nullptr ? time : time * more(clock, shared);
  };
}

std::vector<Scenario> scenarios() {
  std::vector<Scenario> result;
  for (const double ratio : {0.5, 0.6, 0.8, 0.95, 1.05, 1.2, 2.0}) {
    result.push_back({"shared takes " + std::to_string(ratio), quiet_machine(ratio)});
  }
  const auto cold = [](Clock& clock, bool) { return clock.step < 3 ? 5.0 : 1.0; };
  for (const double ratio : {0.5, 1.5}) result.push_back({"cold at first", quiet_machine(ratio, cold)});
  result.push_back({"a cold second thread", quiet_machine(0.55, [](Clock& clock, bool shared) {
                      return shared && clock.step < 4 ? 20.0 : 1.0;
                    })});
  for (const Index at : {0, 3, 300, 1000}) {
    result.push_back({"a core is stolen for 50 steps", quiet_machine(0.55, [=](Clock& clock, bool shared) {
                        return shared && clock.step >= at && clock.step < at + 50 ? 4.0 : 1.0;
                      })});
    result.push_back({"a core goes away for good", quiet_machine(0.55, [=](Clock& clock, bool shared) {
                        return shared && clock.step >= at ? 3.0 : 1.0;
                      })});
    result.push_back({"a core comes", quiet_machine(0.55, [=](Clock& clock, bool shared) {
                        return shared && clock.step < at ? 3.0 : 1.0;
                      })});
    result.push_back(
        {"all becomes slower", quiet_machine(0.6, [=](Clock& clock, bool) { return clock.step >= at ? 1.4 : 1.0; })});
  }
  result.push_back({"a core comes and goes", quiet_machine(0.55, [](Clock& clock, bool shared) {
                      return shared && clock.step / 40 % 2 == 1 ? 2.5 : 1.0;
                    })});
  result.push_back({"one step in 500 takes 20 more", quiet_machine(0.55, [](Clock& clock, bool shared) {
                      return clock.happens(0.002) ? 1 + 20 / (shared ? 0.55 : 1) : 1.0;
                    })});
  result.push_back({"every other step takes 1.5",
                    quiet_machine(0.6, [](Clock& clock, bool) { return clock.happens(0.5) ? 1.5 : 1.0; })});
  for (const double ratio : {0.55, 0.8, 1.3}) {
    const auto wide = [=](Clock& clock, bool shared) { return (shared ? ratio : 1) * clock.noise(0.4); };
    result.push_back({"wide noise", wide, true});
    result.push_back({"one step in 10 takes 5",
                      quiet_machine(ratio, [](Clock& clock, bool) { return clock.happens(0.1) ? 5.0 : 1.0; }), true});
  }
  return result;
}

constexpr Index simulated_steps = 2000;

double total(const Scenario& scenario, std::uint64_t seed, double seconds, std::function<bool()> shares,
             const std::function<void(double)>& took) {
  Clock clock{Rng(seed)};
  for (; clock.step < simulated_steps; ++clock.step) {
    const double time = scenario.step(clock, shares());
    clock.time += time * seconds;
    took(time * seconds);
  }
  return clock.time / seconds;
}

/// Duration of 2000 steps relative to the better mode, in each of many runs.
template <class Choice>
std::vector<double> regrets(const Scenario& scenario, double seconds, const Choice& fresh) {
  std::vector<double> result;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto ignore = [](double) {};
    const double alone = total(
        scenario, seed, seconds, [] { return false; }, ignore);
    const double shared = total(
        scenario, seed, seconds, [] { return true; }, ignore);
    Choice choice = fresh;
    const double chosen = total(
        scenario, seed, seconds, [&] { return choice.shares(); }, [&](double time) { choice.took(time, 64); });
    result.push_back(chosen / std::min(alone, shared));
  }
  return result;
}

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

constexpr double bound = 1.05;

Index beyond_bound(const std::vector<double>& values) {
  return std::count_if(values.begin(), values.end(), [](double value) { return value > bound; });
}

TEST(SharingChoice, CostsLittleMoreThanTheBetterMode) {
  for (const Scenario& scenario : scenarios()) {
    for (const bool shares_at_first : {true, false}) {
      for (const double seconds : {0.2e-3, 2e-3, 30e-3}) {  // per step
        const std::vector<double> found = regrets(scenario, seconds, detail::SharingChoice(shares_at_first));
        const auto text = scenario.name + ", " + std::to_string(seconds) + " s a step, at first " +
                          (shares_at_first ? "shared" : "alone");
        EXPECT_LE(mean_of(found), bound) << text;
        EXPECT_LE(beyond_bound(found), scenario.is_wild ? std::ssize(found) / 4 : 0) << text;
      }
    }
  }
}

/// A simpler rule: every thousand steps, compares the medians of three steps in each mode.
class ThreeTimings {
 public:
  bool shares() const { return shares_; }
  void took(double seconds, Index) {
    if (jobs_ < 6) {
      seconds_[shares_ ? 1 : 0][jobs_ / 2] = seconds;
      shares_ = !shares_;
    }
    if (++jobs_ == 6) {
      for (auto& times : seconds_) std::sort(times.begin(), times.end());
      shares_ = seconds_[1][1] < seconds_[0][1];
    } else if (jobs_ == 1000) {
      jobs_ = 0;
    }
  }

 private:
  std::array<std::array<double, 3>, 2> seconds_{};
  std::size_t jobs_ = 0;
  bool shares_ = true;
};

TEST(SharingChoice, IsTestedByScenariosThatThreeTimingsFail) {
  Index failed = 0;
  const std::vector<Scenario> all = scenarios();
  for (const Scenario& scenario : all) failed += beyond_bound(regrets(scenario, 2e-3, ThreeTimings())) > 0 ? 1 : 0;
  EXPECT_GT(failed, std::ssize(all) / 3);
}

/// A busy core that runs the second thread in every other slice of 3 ms.
TEST(SharingChoice, NoticesThatSharedStepsWaitEvenIfMostAreFast) {
  for (const double ratio : {0.55, 0.7}) {
    const Scenario scenario{"", [=](Clock& clock, bool shared) {
                              constexpr double unit = 0.2e-3, slice = 3e-3;
                              double left = (shared ? ratio : 1) * clock.noise(0.04) * unit, time = 0;
                              while (shared && left > 0) {
                                const double phase = std::fmod(clock.time + time, 2 * slice);
                                const double done = phase < slice ? std::min(left, slice - phase) : 0;
                                left -= done;
                                time += done > 0 ? done + 1e-9 : 2 * slice - phase + 1e-9;
                              }
                              return (time + left) / unit;
                            }};
    for (const bool shares_at_first : {true, false}) {
      const double always_shared = ratio * 2;
      EXPECT_LE(mean_of(regrets(scenario, 0.2e-3, detail::SharingChoice(shares_at_first))),
                1 + (always_shared - 1) * 0.7);
    }
  }
}

/// Number of steps with the given times until the choice is `shares`; 1000 if it never is.
Index steps_until(bool shares, double shared, double alone, detail::SharingChoice& choice, Index samples = 64) {
  Index count = 0;
  while (choice.shares() != shares && count < 1000) {
    choice.took(choice.shares() ? shared : alone, samples);
    ++count;
  }
  return count;
}

void run(Index count, double shared, double alone, detail::SharingChoice& choice, Index samples = 64) {
  for (Index i = 0; i < count; ++i) choice.took(choice.shares() ? shared : alone, samples);
}

TEST(SharingChoice, KeepsTheExpectedModeIfBothCostTheSame) {
  for (const bool expected : {true, false}) {
    detail::SharingChoice choice(expected);
    Index otherwise = 0;
    for (int i = 0; i < 1000; ++i) {
      otherwise += choice.shares() == expected ? 0 : 1;
      choice.took(1, 64);
    }
    EXPECT_LE(otherwise, 30);
  }
}

TEST(SharingChoice, CostsLittleInAShortRunThatBeginsInTheBetterMode) {
  for (const double shared : {0.55, 0.6, 0.8}) {
    detail::SharingChoice choice(true);
    double time = 0;
    for (int i = 0; i < 64; ++i) {
      const double step = choice.shares() ? shared : 1;
      choice.took(step, 64);
      time += step;
    }
    EXPECT_LE(time, 1.04 * 64 * shared) << shared;
  }
}

TEST(SharingChoice, NoticesAMistakeWithinAFewSteps) {
  detail::SharingChoice expected_wrongly(true);
  EXPECT_LE(steps_until(false, 2, 1, expected_wrongly), 8);
  detail::SharingChoice choice(true);
  run(1000, 1, 2, choice);
  EXPECT_LE(steps_until(false, 4, 2, choice), 15) << "one core became unavailable";
}

TEST(SharingChoice, IgnoresAShorterLastBatch) {
  detail::SharingChoice choice(true);
  for (int epoch = 0; epoch < 100; ++epoch) {
    run(20, 1, 2, choice);
    choice.took(0.01, 3);  // in either mode, by far the fastest step
  }
  Index shared = 0;
  for (int i = 0; i < 100; ++i) {
    shared += choice.shares() ? 1 : 0;
    choice.took(choice.shares() ? 1 : 2, 64);
  }
  EXPECT_GE(shared, 95);
}

TEST(SharingChoice, RestartsWhenTheBatchSizeChanges) {
  detail::SharingChoice choice(true);
  run(1000, 1, 2, choice);
  run(20, 0.1, 0.05, choice, 8);
  Index alone = 0;
  for (int i = 0; i < 100; ++i) {
    alone += choice.shares() ? 0 : 1;
    choice.took(choice.shares() ? 0.1 : 0.05, 8);
  }
  EXPECT_GE(alone, 90);
}

}  // namespace
}  // namespace cornu
