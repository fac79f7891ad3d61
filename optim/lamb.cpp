#include "cornu/optim/lamb.h"

#include <cmath>

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/option_checks.h"

namespace cornu {

void Lamb::check() const {
  detail::require_decay_rate("Lamb", "beta_1", beta_1);
  detail::require_decay_rate("Lamb", "beta_2", beta_2);
  detail::require_not_negative("Lamb", "epsilon", epsilon);
}

void Lamb::update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
  const auto t = static_cast<double>(step.iteration + 1);
  const auto scale_m = static_cast<Real>(1 / (1 - std::pow(beta_1, t))),
             scale_v = static_cast<Real>(1 / (1 - std::pow(beta_2, t)));
  const auto new_m = static_cast<Real>(1 - beta_1), new_v = static_cast<Real>(1 - beta_2);
  const auto small = static_cast<Real>(epsilon);
  const Index n = parameter.size();
  Real *const w = parameter.data(), *const m = state[0].data(), *const v = state[1].data();
  const Real* const g = gradient.data();
  double w_squared = 0, u_squared = 0;
  for (Index i = 0; i < n; ++i) {
    m[i] += new_m * (g[i] - m[i]);
    v[i] += new_v * (g[i] * g[i] - v[i]);
    const auto u = static_cast<double>(scale_m * m[i] / (std::sqrt(scale_v * v[i]) + small));
    w_squared += static_cast<double>(w[i]) * static_cast<double>(w[i]);
    u_squared += u * u;
  }
  const double ratio = w_squared > 0 && u_squared > 0 ? std::sqrt(w_squared / u_squared) : 1;
  const auto rate = static_cast<Real>(step.learning_rate * ratio);
  vectorized([=] {
    for (Index i = 0; i < n; ++i) w[i] -= rate * scale_m * m[i] / (std::sqrt(scale_v * v[i]) + small);
  });
}

}  // namespace cornu
