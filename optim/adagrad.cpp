#include "cornu/optim/adagrad.h"

#include <cmath>

#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/option_checks.h"

namespace cornu {

void Adagrad::check() const {
  detail::require_not_negative("Adagrad", "initial_accumulator_value", initial_accumulator_value);
  detail::require_not_negative("Adagrad", "epsilon", epsilon);
}

void Adagrad::begin(std::span<const View> state) const { fill(state[0], static_cast<Real>(initial_accumulator_value)); }

void Adagrad::update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
  const auto lr = static_cast<Real>(step.learning_rate), small = static_cast<Real>(epsilon);
  const Index n = parameter.size();
  Real *const w = parameter.data(), *const v = state[0].data();
  const Real* const g = gradient.data();
  vectorized([=] {
    for (Index i = 0; i < n; ++i) {
      v[i] += g[i] * g[i];
      w[i] -= lr * g[i] / std::sqrt(v[i] + small);
    }
  });
}

}  // namespace cornu
