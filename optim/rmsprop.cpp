#include "cornu/optim/rmsprop.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/vectorized.h"
#include "cornu/optim/rule_checks.h"

namespace cornu {

void RMSprop::check() const {
  detail::require_kept_fraction("RMSprop", "rho", rho);
  detail::require_kept_fraction("RMSprop", "momentum", momentum);
  detail::require_not_negative("RMSprop", "epsilon", epsilon);
}

void RMSprop::update(View parameter, ConstView gradient, std::span<const View> slots, const Step& step) const {
  const auto lr = static_cast<Real>(step.learning_rate), kept = static_cast<Real>(momentum);
  const auto old = static_cast<Real>(rho), fresh = static_cast<Real>(1 - rho), small = static_cast<Real>(epsilon);
  const Index n = parameter.size();
  Real *const w = parameter.data(), *const v = slots[0].data();
  const Real* const g = gradient.data();

  // `variance(i)` advances the averages; `change(i, x)` applies what would be subtracted.
  const auto loop = [=](auto variance, auto change) {
    vectorized([=] {
      for (Index i = 0; i < n; ++i) change(i, lr * g[i] / std::sqrt(variance(i) + small));
    });
  };
  const auto with_variance = [=, centers = centered](auto change) {
    const auto square = [=](Index i) { return v[i] = old * v[i] + fresh * (g[i] * g[i]); };
    if (centers) {
      Real* const a = slots[1].data();
      loop(
          [=](Index i) {
            a[i] = old * a[i] + fresh * g[i];
            return std::max(square(i) - a[i] * a[i], Real{0});  // rounding can make it negative; a NaN stays
          },
          change);
    } else {
      loop(square, change);
    }
  };
  if (momentum != 0) {
    Real* const b = slots.back().data();
    with_variance([=](Index i, Real x) { w[i] -= b[i] = kept * b[i] + x; });
  } else {
    with_variance([=](Index i, Real x) { w[i] -= x; });
  }
}

}  // namespace cornu
