#include "cornu/optim/lion.h"

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/option_checks.h"

namespace cornu {

void Lion::check() const {
  require<ValueError>(beta_1 > 0 && beta_1 <= 1, "Lion: beta_1 is {}; it must be in (0, 1]", beta_1);
  detail::require_decay_rate("Lion", "beta_2", beta_2);
}

void Lion::update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
  const auto lr = static_cast<Real>(step.learning_rate);
  const auto b1 = static_cast<Real>(beta_1), new_1 = static_cast<Real>(1 - beta_1);
  const auto b2 = static_cast<Real>(beta_2), new_2 = static_cast<Real>(1 - beta_2);
  const Index n = parameter.size();
  Real *const w = parameter.data(), *const m = state[0].data();
  const Real* const g = gradient.data();
  vectorized([=] {
    for (Index i = 0; i < n; ++i) {
      const Real direction = b1 * m[i] + new_1 * g[i];
      w[i] -= direction > 0 ? lr : direction < 0 ? -lr : direction;  // the last case: 0 or NaN
      m[i] = b2 * m[i] + new_2 * g[i];
    }
  });
}

}  // namespace cornu
