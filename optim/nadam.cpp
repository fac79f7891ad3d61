#include "cornu/optim/nadam.h"

#include <algorithm>
#include <cmath>

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/option_checks.h"

namespace cornu {

namespace {

double momentum_of_step(double beta_1, Index t) { return beta_1 * (1 - std::pow(0.96, static_cast<double>(t)) / 2); }

/// u_1 ... u_t = beta_1^t (1 - 0.96 / 2) ... (1 - 0.96^t / 2). Computed from t alone, so that a run can be resumed from
/// its step number. Returns 0 once beta_1^t is negligible compared with 1; 0.96^k is negligible after 1000 factors.
double product_of_momenta(double beta_1, Index t) {
  double product = std::pow(beta_1, static_cast<double>(t)), power = 1;
  if (product < 1e-20) return 0;
  for (Index k = 1; k <= std::min(t, Index{1000}); ++k) product *= 1 - (power *= 0.96) / 2;
  return product;
}

}  // namespace

void Nadam::check() const {
  detail::require_decay_rate("Nadam", "beta_1", beta_1);
  detail::require_decay_rate("Nadam", "beta_2", beta_2);
  detail::require_not_negative("Nadam", "epsilon", epsilon);
}

void Nadam::update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
  const Index t = step.iteration + 1, n = parameter.size();
  const double u = momentum_of_step(beta_1, t), next_u = momentum_of_step(beta_1, t + 1);
  const double product = product_of_momenta(beta_1, t);
  const auto of_m = static_cast<Real>(step.learning_rate * next_u / (1 - product * next_u));
  const auto of_g = static_cast<Real>(step.learning_rate * (1 - u) / (1 - product));
  const auto of_v = static_cast<Real>(1 / (1 - std::pow(beta_2, static_cast<double>(t))));
  const auto new_m = static_cast<Real>(1 - beta_1), new_v = static_cast<Real>(1 - beta_2);
  const auto small = static_cast<Real>(epsilon);
  Real *const w = parameter.data(), *const m = state[0].data(), *const v = state[1].data();
  const Real* const g = gradient.data();
  vectorized([=] {
    for (Index i = 0; i < n; ++i) {
      m[i] += new_m * (g[i] - m[i]);
      v[i] += new_v * (g[i] * g[i] - v[i]);
      w[i] -= (of_m * m[i] + of_g * g[i]) / (std::sqrt(of_v * v[i]) + small);
    }
  });
}

}  // namespace cornu
