#include "cornu/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "cornu/core/error.h"

namespace cornu {

namespace {

/// step / decay_steps, checked; in whole numbers if `staircase`.
double progress(const char* schedule, Index step, Index decay_steps, bool staircase = false) {
  require<ValueError>(decay_steps > 0, "{}: decay_steps is {}; it must be positive", schedule, decay_steps);
  const double ratio = static_cast<double>(step) / static_cast<double>(decay_steps);
  return staircase ? std::floor(ratio) : ratio;
}

}  // namespace

double ExponentialDecay::operator()(Index step) const {
  return initial_learning_rate * std::pow(decay_rate, progress("ExponentialDecay", step, decay_steps, staircase));
}

double PiecewiseConstantDecay::operator()(Index step) const {
  require<ValueError>(values.size() == boundaries.size() + 1,
                      "PiecewiseConstantDecay: {} boundaries and {} values; there must be one value more",
                      boundaries.size(), values.size());
  const auto passed = std::lower_bound(boundaries.begin(), boundaries.end(), step) - boundaries.begin();
  return values[static_cast<std::size_t>(passed)];
}

double InverseTimeDecay::operator()(Index step) const {
  return initial_learning_rate / (1 + decay_rate * progress("InverseTimeDecay", step, decay_steps, staircase));
}

double PolynomialDecay::operator()(Index step) const {
  double ratio = progress("PolynomialDecay", step, decay_steps);
  ratio = cycle ? ratio / std::max(1.0, std::ceil(ratio)) : std::min(ratio, 1.0);
  return (initial_learning_rate - end_learning_rate) * std::pow(1 - ratio, power) + end_learning_rate;
}

double CosineDecay::operator()(Index step) const {
  if (step < warmup_steps) {
    const double ratio = static_cast<double>(step) / static_cast<double>(warmup_steps);
    return initial_learning_rate + (warmup_target - initial_learning_rate) * ratio;
  }
  const double start = warmup_steps > 0 ? warmup_target : initial_learning_rate;
  const double ratio = std::min(1.0, progress("CosineDecay", step - warmup_steps, decay_steps));
  const double cosine = (1 + std::cos(std::numbers::pi * ratio)) / 2;
  return start * ((1 - alpha) * cosine + alpha);
}

}  // namespace cornu
