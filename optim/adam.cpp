#include "cornu/optim/adam.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/option_checks.h"

namespace cornu {

namespace {

template <class R>
void check_options(const char* name, const R& rule) {
  detail::require_decay_rate(name, "beta_1", rule.beta_1);
  detail::require_decay_rate(name, "beta_2", rule.beta_2);
  detail::require_not_negative(name, "epsilon", rule.epsilon);
}

template <class R>
void adam_update(const R& rule, View parameter, ConstView gradient, std::span<const View> state, const Step& step) {
  const auto t = static_cast<double>(step.iteration + 1);
  const double correction = std::sqrt(1 - std::pow(rule.beta_2, t)) / (1 - std::pow(rule.beta_1, t));
  const auto alpha = static_cast<Real>(step.learning_rate * correction), epsilon = static_cast<Real>(rule.epsilon);
  const auto new_m = static_cast<Real>(1 - rule.beta_1), new_v = static_cast<Real>(1 - rule.beta_2);
  const Index n = parameter.size();
  Real *const w = parameter.data(), *const m = state[0].data(), *const v = state[1].data();
  const Real* const g = gradient.data();
  if (rule.amsgrad) {
    Real* const largest = state[2].data();
    vectorized([=] {
      for (Index i = 0; i < n; ++i) {
        m[i] += new_m * (g[i] - m[i]);
        v[i] += new_v * (g[i] * g[i] - v[i]);
        largest[i] = std::max(v[i], largest[i]);  // in this order a NaN in v propagates
        w[i] -= alpha * m[i] / (std::sqrt(largest[i]) + epsilon);
      }
    });
  } else {
    vectorized([=] {
      for (Index i = 0; i < n; ++i) {
        m[i] += new_m * (g[i] - m[i]);
        v[i] += new_v * (g[i] * g[i] - v[i]);
        w[i] -= alpha * m[i] / (std::sqrt(v[i]) + epsilon);
      }
    });
  }
}

}  // namespace

void Adam::check() const { check_options("Adam", *this); }

void Adam::update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
  adam_update(*this, parameter, gradient, state, step);
}

void AdamW::check() const { check_options("AdamW", *this); }

void AdamW::update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
  adam_update(*this, parameter, gradient, state, step);
}

}  // namespace cornu
