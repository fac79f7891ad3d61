#include "cornu/optim/rmsprop.h"

#include <cmath>

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/option_checks.h"

namespace cornu {

namespace {

/// The arrays and coefficients of a loop. `a` and `b` may be null if unused.
struct Loop {
  Real *w, *v, *a, *b;
  const Real* g;
  Index n;
  Real lr, old, fresh, momentum, epsilon;
};

template <bool centered, bool has_momentum>
void run(const Loop& loop) {
  vectorized([loop] {
    const auto [w, v, a, b, g, n, lr, old, fresh, momentum, epsilon] = loop;
    for (Index i = 0; i < n; ++i) {
      v[i] = old * v[i] + fresh * (g[i] * g[i]);
      Real variance = v[i];
      if constexpr (centered) {
        a[i] = old * a[i] + fresh * g[i];
        variance -= a[i] * a[i];
        variance = variance < 0 ? Real{0} : variance;  // rounding can make it negative; a NaN propagates
      }
      const Real change = lr * g[i] / std::sqrt(variance + epsilon);
      if constexpr (has_momentum) {
        b[i] = momentum * b[i] + change;
        w[i] -= b[i];
      } else {
        w[i] -= change;
      }
    }
  });
}

}  // namespace

void RMSprop::check() const {
  detail::require_decay_rate("RMSprop", "rho", rho);
  detail::require_decay_rate("RMSprop", "momentum", momentum);
  detail::require_not_negative("RMSprop", "epsilon", epsilon);
}

void RMSprop::update(View parameter, ConstView gradient, std::span<const View> state, const Step& step) const {
  const bool has_momentum = momentum != 0;
  const Loop loop{.w = parameter.data(),
                  .v = state[0].data(),
                  .a = centered ? state[1].data() : nullptr,
                  .b = has_momentum ? state.back().data() : nullptr,
                  .g = gradient.data(),
                  .n = parameter.size(),
                  .lr = static_cast<Real>(step.learning_rate),
                  .old = static_cast<Real>(rho),
                  .fresh = static_cast<Real>(1 - rho),
                  .momentum = static_cast<Real>(momentum),
                  .epsilon = static_cast<Real>(epsilon)};
  if (centered) {
    has_momentum ? run<true, true>(loop) : run<true, false>(loop);
  } else {
    has_momentum ? run<false, true>(loop) : run<false, false>(loop);
  }
}

}  // namespace cornu
