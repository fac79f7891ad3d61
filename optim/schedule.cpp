#include "cornu/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "cornu/core/error.h"
#include "cornu/core/option_checks.h"

namespace cornu {

namespace {

/// step / decay_steps. Throws ValueError unless decay_steps is positive.
double progress(const char* schedule, Index step, Index decay_steps) {
  detail::require_positive(schedule, "decay_steps", decay_steps);
  return static_cast<double>(step) / static_cast<double>(decay_steps);
}

/// Falls from 1 to 0 as `done` goes from 0 to 1.
double half_cosine(double done) { return (1 + std::cos(std::numbers::pi * done)) / 2; }

}  // namespace

double ExponentialDecay::operator()(Index step) const {
  const double done = progress("ExponentialDecay", step, decay_steps);
  return initial_learning_rate * std::pow(decay_rate, staircase ? std::floor(done) : done);
}

double PiecewiseConstantDecay::operator()(Index step) const {
  require<ValueError>(
      values.size() == boundaries.size() + 1,
      "PiecewiseConstantDecay: {} boundaries and {} values; there must be one more value than boundaries",
      boundaries.size(), values.size());
  require<ValueError>(std::is_sorted(boundaries.begin(), boundaries.end()),
                      "PiecewiseConstantDecay: the boundaries must be in ascending order");
  const auto passed = std::lower_bound(boundaries.begin(), boundaries.end(), step) - boundaries.begin();
  return values[static_cast<std::size_t>(passed)];
}

double InverseTimeDecay::operator()(Index step) const {
  const double done = progress("InverseTimeDecay", step, decay_steps);
  return initial_learning_rate / (1 + decay_rate * (staircase ? std::floor(done) : done));
}

double PolynomialDecay::operator()(Index step) const {
  double done = progress("PolynomialDecay", step, decay_steps);
  done = cycle ? done / std::max(1.0, std::ceil(done)) : std::min(done, 1.0);
  return (initial_learning_rate - end_learning_rate) * std::pow(1 - done, power) + end_learning_rate;
}

double CosineDecay::operator()(Index step) const {
  detail::require_not_negative("CosineDecay", "warmup_steps", warmup_steps);
  require<ValueError>(warmup_steps == 0 || warmup_target.has_value(),
                      "CosineDecay: warmup_steps is {}, but warmup_target is not set", warmup_steps);
  const double done = progress("CosineDecay", step - warmup_steps, decay_steps);
  const double top = warmup_target.value_or(initial_learning_rate);
  if (done < 0) {
    const double ratio = static_cast<double>(step) / static_cast<double>(warmup_steps);
    return initial_learning_rate + (top - initial_learning_rate) * ratio;
  }
  return top * ((1 - alpha) * half_cosine(std::min(1.0, done)) + alpha);
}

double CosineDecayRestarts::operator()(Index step) const {
  detail::require_positive("CosineDecayRestarts", "first_decay_steps", first_decay_steps);
  require<ValueError>(t_mul >= 1, "CosineDecayRestarts: t_mul is {}; it must be at least 1", t_mul);
  const double now = static_cast<double>(step) / static_cast<double>(first_decay_steps);
  // Period i begins at 1 + t_mul + ... + t_mul^(i - 1), in units of first_decay_steps.
  const auto begin = [&](double i) { return t_mul == 1 ? i : (std::pow(t_mul, i) - 1) / (t_mul - 1); };
  double i = std::floor(t_mul == 1 ? now : std::log1p(now * (t_mul - 1)) / std::log(t_mul));
  if (begin(i) > now) --i;  // at a restart, the logarithms may round to either side
  if (begin(i + 1) <= now) ++i;
  const double done = (now - begin(i)) / std::pow(t_mul, i);
  return initial_learning_rate * ((1 - alpha) * std::pow(m_mul, i) * half_cosine(done) + alpha);
}

double LinearWarmup::operator()(Index step) const {
  detail::require_not_negative("LinearWarmup", "warmup_steps", warmup_steps);
  if (step >= warmup_steps) return learning_rate.at(step - warmup_steps);
  const double done = static_cast<double>(step) / static_cast<double>(warmup_steps);
  return initial_learning_rate + (learning_rate.at(0) - initial_learning_rate) * done;
}

double OneCycle::operator()(Index step) const {
  detail::require_positive("OneCycle", "total_steps", total_steps);
  detail::require_fraction("OneCycle", "pct_start", pct_start);
  detail::require_positive("OneCycle", "div_factor", div_factor);
  detail::require_positive("OneCycle", "final_div_factor", final_div_factor);
  const double first = max_learning_rate / div_factor, last = first / final_div_factor;
  const auto now = static_cast<double>(step), end = static_cast<double>(total_steps - 1);
  const double top = pct_start * static_cast<double>(total_steps) - 1;  // step of the maximum
  if (now <= top) return first + (max_learning_rate - first) * half_cosine(top > 0 ? 1 - now / top : 0);
  if (now >= end) return last;
  const double begin = std::max(top, 0.0);
  return last + (max_learning_rate - last) * half_cosine((now - begin) / (end - begin));
}

}  // namespace cornu
