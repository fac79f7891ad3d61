#include "cornu/optim/sgd.h"

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/option_checks.h"

namespace cornu {

void SGD::check() const { detail::require_fraction("SGD", "momentum", momentum); }

void SGD::update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
  const auto lr = static_cast<Real>(step.learning_rate), m = static_cast<Real>(momentum);
  Real* const w = parameter.data();
  const Real* const g = gradient.data();
  const Index n = parameter.size();
  if (state.empty()) {
    vectorized([=] {
      for (Index i = 0; i < n; ++i) w[i] -= lr * g[i];
    });
    return;
  }
  Real* const v = state[0].data();
  if (nesterov) {
    vectorized([=] {
      for (Index i = 0; i < n; ++i) {
        v[i] = m * v[i] - lr * g[i];
        w[i] += m * v[i] - lr * g[i];
      }
    });
  } else {
    vectorized([=] {
      for (Index i = 0; i < n; ++i) {
        v[i] = m * v[i] - lr * g[i];
        w[i] += v[i];
      }
    });
  }
}

}  // namespace cornu
