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

/// A learning rate: a number or a schedule. A schedule is any callable `double(Index step)`: one of the structs below
/// or a user's function. `step` is the number of updates so far.
/// The schedules below are Keras's, plus LinearWarmup and OneCycle. They throw ValueError for invalid options when they
/// are evaluated, as the constructor of an optimizer does.
/// A moved-from schedule can be assigned to or destroyed; evaluating it throws StateError.
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

namespace detail {

/// The options of ExponentialDecay and InverseTimeDecay.
template <class S>
void visit_decay_options(S& schedule, auto& visit) {
  visit("initial_learning_rate", schedule.initial_learning_rate);
  visit("decay_steps", schedule.decay_steps);
  visit("decay_rate", schedule.decay_rate);
  visit("staircase", schedule.staircase);
}

}  // namespace detail

/// initial * rate^(step / decay_steps); the exponent is rounded down if `staircase`.
struct ExponentialDecay {
  double initial_learning_rate;
  Index decay_steps;
  double decay_rate;
  bool staircase = false;
  void options(auto& visit) { detail::visit_decay_options(*this, visit); }
  double operator()(Index step) const;
};

/// values[0] up to and including step boundaries[0], then values[1] up to boundaries[1], and so on. There must be one
/// more value than boundaries.
struct PiecewiseConstantDecay {
  std::vector<Index> boundaries;
  std::vector<double> values;
  void options(auto& visit) {
    visit("boundaries", boundaries);
    visit("values", values);
  }
  double operator()(Index step) const;
};

/// initial / (1 + rate * step / decay_steps); step / decay_steps is rounded down if `staircase`.
struct InverseTimeDecay {
  double initial_learning_rate;
  Index decay_steps;
  double decay_rate;
  bool staircase = false;
  void options(auto& visit) { detail::visit_decay_options(*this, visit); }
  double operator()(Index step) const;
};

/// (initial - end) * (1 - step / decay_steps)^power + end, constant after decay_steps. If `cycle`, decay_steps is
/// replaced by its smallest multiple that is at least step.
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
/// warmup_target, the rate first changes linearly from initial to the target in warmup_steps; the cosine then goes from
/// the target down to alpha * target.
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

/// Cosine decay with warm restarts (Loshchilov and Hutter, 2016). Period i = 0, 1, ... lasts first_decay_steps *
/// t_mul^i steps. In each period the rate falls along half a cosine; f in [0, 1) is the fraction of the period that has
/// passed:
///   rate = initial * (alpha + (1 - alpha) * m_mul^i * (1 + cos(pi f)) / 2)
struct CosineDecayRestarts {
  double initial_learning_rate;
  Index first_decay_steps;
  double t_mul = 2.0;  ///< length of a period relative to the one before; at least 1
  double m_mul = 1.0;  ///< height of its cosine relative to the one before
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

/// Linear warmup from initial_learning_rate to the value of learning_rate at step 0, then learning_rate itself,
/// counting its steps from the end of the warmup.
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

/// One cycle (Smith and Topin, 2018), as PyTorch's OneCycleLR: half a cosine from max / div_factor up to max in the
/// first pct_start * total_steps steps, then half a cosine down to max / div_factor / final_div_factor, reached at step
/// total_steps - 1 and kept from there on.
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
