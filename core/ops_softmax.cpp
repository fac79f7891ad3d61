#include <algorithm>
#include <cmath>

#include "cornu/core/kernels.h"
#include "cornu/core/ops.h"

namespace cornu {

namespace {

/// One slice along the axis: n numbers, `stride` apart.
struct Slice {
  const Real* from;
  Index n, stride;
  Real operator[](Index j) const { return from[j * stride]; }

  Real maximum() const {
    Real best = from[0];
    for (Index j = 1; j < n; ++j) best = (*this)[j] > best ? (*this)[j] : best;  // a NaN shows in the sum
    return best;
  }
};

/// Calls f(offset) with the flat position of the first number of every slice along the axis.
template <class F>
void each_slice(const AxisSplit& split, F f) {
  if (split.n == 0) return;
  for (Index o = 0; o < split.outer; ++o) {
    for (Index i = 0; i < split.inner; ++i) f(o * split.n * split.inner + i);
  }
}

/// The sum of f(0), ..., f(n - 1), by blocks: a float that numbers below 1 are added to stops at 2^24.
template <class F>
Real sum_of(Index n, F f) {
  constexpr Index block = 1024;
  Real total = 0;
  for (Index start = 0; start < n; start += block) {
    Real part = 0;
    for (Index j = start; j < std::min(n, start + block); ++j) part += f(j);
    total += part;
  }
  return total;
}

}  // namespace

Var softmax(Var x, Index axis) {
  const AxisSplit split(x.shape(), x.along(axis));
  const Index n = split.n, stride = split.inner;
  Var y = x.tape().output(x.shape(), {x});
  each_slice(split, [&](Index at) {
    const Slice from{x.value().data() + at, n, stride};
    Real* const to = y.out().data() + at;
    const Real best = from.maximum();
    const Real sum = sum_of(n, [&](Index j) { return to[j * stride] = std::exp(from[j] - best); });
    for (Index j = 0; j < n; ++j) to[j * stride] /= sum;
  });
  if (x.shape().normalized(axis) == x.rank() - 1) y.made_from_logits(x, true);
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      each_slice(split, [&](Index at) {
        const Slice s{y.value().data() + at, n, stride}, g{y.grad().data() + at, n, stride};
        Real* const to = dx.data() + at;
        const Real product = sum_of(n, [&](Index j) { return g[j] * s[j]; });
        for (Index j = 0; j < n; ++j) {
          const Real contribution = s[j] * (g[j] - product);
          to[j * stride] = dx.accumulates() ? to[j * stride] + contribution : contribution;
        }
      });
    }
  });
}

Var log_softmax(Var x, Index axis) {
  const AxisSplit split(x.shape(), x.along(axis));
  const Index n = split.n, stride = split.inner;
  Var y = x.tape().output(x.shape(), {x});
  each_slice(split, [&](Index at) {
    const Slice from{x.value().data() + at, n, stride};
    Real* const to = y.out().data() + at;
    const Real best = from.maximum();
    const Real log_sum = std::log(sum_of(n, [&](Index j) { return std::exp(from[j] - best); }));
    for (Index j = 0; j < n; ++j) to[j * stride] = from[j] - best - log_sum;
  });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      each_slice(split, [&](Index at) {
        const Slice log_s{y.value().data() + at, n, stride}, g{y.grad().data() + at, n, stride};
        Real* const to = dx.data() + at;
        const Real total = sum_of(n, [&](Index j) { return g[j]; });
        for (Index j = 0; j < n; ++j) {
          const Real contribution = g[j] - std::exp(log_s[j]) * total;
          to[j * stride] = dx.accumulates() ? to[j * stride] + contribution : contribution;
        }
      });
    }
  });
}

Var softmax(Var x) { return softmax(x, -1); }
Var log_softmax(Var x) { return log_softmax(x, -1); }

}  // namespace cornu
