#pragma once

#include <concepts>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/core/shape.h"

namespace cornu {

/// A learning rate: a number, or a schedule, which is anything that gives a rate for a step (the number of updates made
/// so far): one of those below, or the user's own `double(Index step)`. The schedules below are Keras's, and two
/// more; they throw ValueError for options that they cannot have, as soon as they are put into an optimizer, which asks
/// for a rate. A schedule that was moved from can be assigned to or destroyed; asking it for a rate throws StateError.
class LearningRate {
 public:
  template <class T>
  requires std::is_arithmetic_v<T> LearningRate(T rate) : constant_(static_cast<double>(rate)) {}

  template <class S>
  requires(!std::is_arithmetic_v<S> && !std::same_as<S, LearningRate> && std::is_invocable_r_v<double, const S&, Index>)
      LearningRate(S schedule)
      : schedule_(std::move(schedule)) {
    require<ValueError>(static_cast<bool>(schedule_), "learning_rate: the schedule is an empty function");
  }

  double at(Index step) const {
    if (constant_) return *constant_;
    detail::require_held(static_cast<bool>(schedule_));
    return schedule_(step);
  }
  bool is_schedule() const { return !constant_; }
  /// The schedule itself if it is an S, else null.
  template <class S>
  const S* as() const {
    return schedule_.target<S>();
  }

 private:
  std::optional<double> constant_;
  std::function<double(Index)> schedule_;
};

/// initial * rate^(step / decay_steps); in whole powers if `staircase`.
struct ExponentialDecay {
  double initial_learning_rate;
  Index decay_steps;
  double decay_rate;
  bool staircase = false;
  void options(auto& visit) {
    visit("initial_learning_rate", initial_learning_rate);
    visit("decay_steps", decay_steps);
    visit("decay_rate", decay_rate);
    visit("staircase", staircase);
  }
  double operator()(Index step) const;
};

/// values[0] up to and including step boundaries[0], values[1] up to boundaries[1], ...; one value more than
/// boundaries.
struct PiecewiseConstantDecay {
  std::vector<Index> boundaries;
  std::vector<double> values;
  void options(auto& visit) {
    visit("boundaries", boundaries);
    visit("values", values);
  }
  double operator()(Index step) const;
};

/// initial / (1 + rate * step / decay_steps); in whole steps if `staircase`.
struct InverseTimeDecay {
  double initial_learning_rate;
  Index decay_steps;
  double decay_rate;
  bool staircase = false;
  void options(auto& visit) {
    visit("initial_learning_rate", initial_learning_rate);
    visit("decay_steps", decay_steps);
    visit("decay_rate", decay_rate);
    visit("staircase", staircase);
  }
  double operator()(Index step) const;
};

/// From initial to end in decay_steps, as (1 - step / decay_steps)^power; start over, each time longer, if `cycle`.
struct PolynomialDecay {
  double initial_learning_rate;
  Index decay_steps;
  double end_learning_rate = 0.0001;
  double power = 1.0;
  bool cycle = false;
  void options(auto& visit) {
    visit("initial_learning_rate", initial_learning_rate);
    visit("decay_steps", decay_steps);
    visit("end_learning_rate", end_learning_rate);
    visit("power", power);
    visit("cycle", cycle);
  }
  double operator()(Index step) const;
};

/// Half a cosine from initial down to alpha * initial in decay_steps (Loshchilov and Hutter, 2016). With a
/// warmup_target, first a straight line from initial to there in warmup_steps; the cosine then starts from the target.
struct CosineDecay {
  double initial_learning_rate;
  Index decay_steps;
  double alpha = 0.0;
  std::optional<double> warmup_target{};
  Index warmup_steps = 0;
  void options(auto& visit) {
    visit("initial_learning_rate", initial_learning_rate);
    visit("decay_steps", decay_steps);
    visit("alpha", alpha);
    visit("warmup_target", warmup_target);
    visit("warmup_steps", warmup_steps);
  }
  double operator()(Index step) const;
};

/// The same half cosine over and over, each t_mul times as long as the one before and its height m_mul times as large:
/// initial * ((1 - alpha) m_mul^i (1 + cos(pi * done)) / 2 + alpha) in period i (Loshchilov and Hutter, 2016).
struct CosineDecayRestarts {
  double initial_learning_rate;
  Index first_decay_steps;
  double t_mul = 2.0;  ///< at least 1
  double m_mul = 1.0;
  double alpha = 0.0;
  void options(auto& visit) {
    visit("initial_learning_rate", initial_learning_rate);
    visit("first_decay_steps", first_decay_steps);
    visit("t_mul", t_mul);
    visit("m_mul", m_mul);
    visit("alpha", alpha);
  }
  double operator()(Index step) const;
};

/// Any rate or schedule, preceded by a straight line from initial_learning_rate up to where it begins: step
/// warmup_steps is its step 0.
///     LinearWarmup{.learning_rate = CosineDecay{0.1, 10000}, .warmup_steps = 500}
struct LinearWarmup {
  LearningRate learning_rate;
  Index warmup_steps;
  double initial_learning_rate = 0.0;
  void options(auto& visit) {
    visit("learning_rate", learning_rate);
    visit("warmup_steps", warmup_steps);
    visit("initial_learning_rate", initial_learning_rate);
  }
  double operator()(Index step) const;
};

/// One cycle (Smith and Topin, 2018), as PyTorch's OneCycleLR: half a cosine from max / div_factor up to the maximum in
/// the first pct_start of total_steps, and half a cosine from there down to 1 / final_div_factor of where it began,
/// which it reaches in step total_steps - 1 and keeps.
struct OneCycle {
  double max_learning_rate;
  Index total_steps;
  double pct_start = 0.3;
  double div_factor = 25.0;
  double final_div_factor = 1e4;
  void options(auto& visit) {
    visit("max_learning_rate", max_learning_rate);
    visit("total_steps", total_steps);
    visit("pct_start", pct_start);
    visit("div_factor", div_factor);
    visit("final_div_factor", final_div_factor);
  }
  double operator()(Index step) const;
};

}  // namespace cornu
