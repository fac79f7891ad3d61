// Compares a hundred steps with each optimizer, and the rates of schedules, with PyTorch's. fixtures/trajectories.py
// wrote the expected values; the environment variable CORNU_TRAJECTORIES names another file to compare with.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cornu/optim/adagrad.h"
#include "cornu/optim/adam.h"
#include "cornu/optim/nadam.h"
#include "cornu/optim/rmsprop.h"
#include "cornu/optim/sgd.h"
#include "cornu/tests/optim/stepping.h"
#include "cornu/tests/support/fixture.h"

namespace cornu {
namespace {

using Numbers = std::vector<double>;

struct Row {
  Index step = 0;
  Numbers numbers;
};

/// The rows of the file, by case.
std::map<std::string, std::vector<Row>> trajectories() {
  std::ifstream file = testing::open_fixture("CORNU_TRAJECTORIES", "tests/optim/fixtures/trajectories.txt");
  std::map<std::string, std::vector<Row>> result;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string which;
    Row row;
    words >> which >> row.step;
    for (std::string word; words >> word;) row.numbers.push_back(std::stod(word));
    result[which].push_back(std::move(row));
  }
  return result;
}

constexpr Index kernel_size = 6, size = 9;

/// The initial weights of both libraries, and the gradients of step t = 1, 2, ...
Parameter start(Index begin, Index end) {
  Parameter result{Tensor({end - begin})};
  for (Index i = begin; i < end; ++i) result.value[i - begin] = std::cos(static_cast<double>(1 + i));
  return result;
}

Tensor gradient(const Parameter& p, Index begin, Index t) {
  Tensor result(p.shape());
  for (Index k = 0; k < result.size(); ++k) {
    const auto i = static_cast<double>(begin + k);
    result[k] =
        (0.5 + 0.25 * i) * (p.value[k] - std::sin(2 * i)) + 0.3 * std::sin(1.7 * i + 0.9 * static_cast<double>(t));
  }
  return result;
}

void expect_trajectory(const AnyOptimizer& rule, const std::vector<Row>& rows) {
  Parameter kernel = start(0, kernel_size), bias = start(kernel_size, size);
  Optimizer optimizer(rule, {{"dense/kernel", &kernel}, {"dense/bias", &bias}});
  const bool averages = rule.extras().use_ema && rule.extras().ema_overwrite_frequency == 0;
  std::size_t next = 0;
  for (Index t = 1; t <= 100; ++t) {
    testing::step(optimizer, kernel, gradient(kernel, 0, t), bias, gradient(bias, kernel_size, t));
    if (next == rows.size() || rows[next].step != t) continue;
    if (averages) optimizer.swap_averages();
    for (Index i = 0; i < size; ++i) {
      EXPECT_NEAR(i < kernel_size ? kernel.value[i] : bias.value[i - kernel_size],
                  rows[next].numbers.at(static_cast<std::size_t>(i)), 1e-10)
          << "number " << i << " after step " << t;
    }
    if (averages) optimizer.swap_averages();
    ++next;
  }
  EXPECT_EQ(next, rows.size());
}

const std::vector<std::pair<std::string, AnyOptimizer>>& optimizers() {
  const ExponentialDecay from_005{.initial_learning_rate = 0.05, .decay_steps = 1, .decay_rate = 0.98};
  const ExponentialDecay from_002{.initial_learning_rate = 0.02, .decay_steps = 1, .decay_rate = 0.98};
  const InverseTimeDecay inverse{.initial_learning_rate = 0.1, .decay_steps = 1, .decay_rate = 0.05};
  static const std::vector<std::pair<std::string, AnyOptimizer>> result{
      {"sgd", SGD{.learning_rate = 0.05}},
      {"sgd_momentum", SGD{.learning_rate = 0.05, .momentum = 0.9}},
      {"sgd_nesterov", SGD{.learning_rate = 0.05, .momentum = 0.9, .nesterov = true}},
      {"sgd_schedule", SGD{.learning_rate = from_005}},
      {"sgd_clipvalue", SGD{.learning_rate = 0.05, .clipvalue = 0.2}},
      {"sgd_clipnorm", SGD{.learning_rate = 0.05, .clipnorm = 0.3}},
      {"sgd_global_clipnorm", SGD{.learning_rate = 0.05, .global_clipnorm = 0.4}},
      {"sgd_bias_rate", {SGD{.learning_rate = 0.05}, {.learning_rate_multipliers = {{"bias", 0.1}}}}},
      {"adam", Adam{.learning_rate = 0.02}},
      {"adam_epsilon", Adam{.learning_rate = 0.02, .epsilon = 1e-3}},
      {"adam_betas", Adam{.learning_rate = 0.02, .beta_1 = 0.8, .beta_2 = 0.95}},
      {"adam_amsgrad", Adam{.learning_rate = 0.02, .beta_2 = 0.9, .amsgrad = true}},
      {"adam_schedule", Adam{.learning_rate = from_002}},
      {"adam_bias_rate", {Adam{.learning_rate = 0.02}, {.learning_rate_multipliers = {{"bias", 5}}}}},
      {"adam_global_clipnorm", Adam{.learning_rate = 0.02, .global_clipnorm = 0.4}},
      {"adam_ema", {Adam{.learning_rate = 0.02}, {.use_ema = true, .ema_momentum = 0.9}}},
      {"adam_ema_overwrite",
       {Adam{.learning_rate = 0.02}, {.use_ema = true, .ema_momentum = 0.9, .ema_overwrite_frequency = 7}}},
      {"adamw", AdamW{.learning_rate = 0.02}},
      {"adamw_decay", AdamW{.learning_rate = 0.02, .weight_decay = 0.3}},
      {"adamw_amsgrad", AdamW{.learning_rate = 0.02, .beta_2 = 0.9, .amsgrad = true, .weight_decay = 0.3}},
      {"adamw_excluded", {AdamW{.learning_rate = 0.02, .weight_decay = 0.3}, {.exclude_from_weight_decay = {"bias"}}}},
      {"adamw_excluded_rate",
       {AdamW{.learning_rate = 0.02, .weight_decay = 0.3},
        {.exclude_from_weight_decay = {"bias"}, .learning_rate_multipliers = {{"dense/bias", 3}}}}},
      {"nadam", Nadam{.learning_rate = 0.02}},
      {"nadam_betas", Nadam{.learning_rate = 0.02, .beta_1 = 0.8, .beta_2 = 0.95, .epsilon = 1e-3}},
      {"rmsprop", RMSprop{.learning_rate = 0.01, .epsilon = 0}},
      {"rmsprop_momentum", RMSprop{.learning_rate = 0.01, .rho = 0.95, .momentum = 0.8, .epsilon = 0}},
      {"rmsprop_centered", RMSprop{.learning_rate = 0.01, .epsilon = 0, .centered = true}},
      {"rmsprop_centered_momentum",
       RMSprop{.learning_rate = 0.01, .rho = 0.95, .momentum = 0.8, .epsilon = 0, .centered = true}},
      {"adagrad", Adagrad{.learning_rate = 0.1}},
      {"adagrad_decay", Adagrad{.learning_rate = inverse, .initial_accumulator_value = 0.5}},
  };
  return result;
}

const std::vector<std::pair<std::string, LearningRate>>& schedules() {
  const ExponentialDecay exponential{.initial_learning_rate = 0.5, .decay_steps = 1, .decay_rate = 0.9};
  static const std::vector<std::pair<std::string, LearningRate>> result{
      {"schedule_exponential", exponential},
      {"schedule_piecewise", PiecewiseConstantDecay{.boundaries = {9, 24, 39}, .values = {0.5, 0.05, 0.005, 0.0005}}},
      {"schedule_inverse_time", InverseTimeDecay{.initial_learning_rate = 0.5, .decay_steps = 1, .decay_rate = 0.3}},
      {"schedule_polynomial",
       PolynomialDecay{.initial_learning_rate = 0.5, .decay_steps = 50, .end_learning_rate = 0, .power = 2}},
      {"schedule_cosine", CosineDecay{.initial_learning_rate = 0.5, .decay_steps = 59, .alpha = 0.1}},
      {"schedule_cosine_restarts",
       CosineDecayRestarts{.initial_learning_rate = 0.5, .first_decay_steps = 7, .alpha = 0.1}},
      {"schedule_warmup", LinearWarmup{.learning_rate = 0.5, .warmup_steps = 12, .initial_learning_rate = 0.05}},
      {"schedule_warmup_exponential",
       LinearWarmup{.learning_rate = exponential, .warmup_steps = 12, .initial_learning_rate = 0.05}},
      {"schedule_one_cycle", OneCycle{.max_learning_rate = 0.5, .total_steps = 60}},
      {"schedule_one_cycle_options",
       OneCycle{
           .max_learning_rate = 0.5, .total_steps = 60, .pct_start = 0.5, .div_factor = 10, .final_div_factor = 100}},
      {"schedule_one_cycle_rising", OneCycle{.max_learning_rate = 0.5, .total_steps = 60, .pct_start = 1}},
  };
  return result;
}

TEST(Trajectories, EqualPyTorchs) {
  const auto cases = trajectories();
  for (const auto& [name, rule] : optimizers()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(cases.contains(name));
    EXPECT_EQ(cases.at(name).size(), 6U);
    expect_trajectory(rule, cases.at(name));
  }
}

TEST(Trajectories, HaveTheRatesOfPyTorchsSchedulers) {
  const auto cases = trajectories();
  for (const auto& [name, rate] : schedules()) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(cases.contains(name));
    const Numbers& expected = cases.at(name).at(0).numbers;
    ASSERT_EQ(expected.size(), 60U);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(rate.at(static_cast<Index>(i)), expected[i], 1e-12) << "step " << i;
    }
  }
}

TEST(Trajectories, AreAllCompared) {
  std::set<std::string> known;
  for (const auto& [name, rule] : optimizers()) known.insert(name);
  for (const auto& [name, rate] : schedules()) known.insert(name);
  for (const auto& [name, rows] : trajectories()) EXPECT_TRUE(known.contains(name)) << name;
}

}  // namespace
}  // namespace cornu
