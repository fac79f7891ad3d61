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

}  // namespace

Var softmax(Var x, Index axis) {
  const AxisSplit split(x.shape(), x.shape().normalized(axis));
  const Index n = split.n, stride = split.inner;
  Var y = x.tape().output(x.shape(), {x});
  each_slice(split, [&](Index at) {
    const Slice from{x.value().data() + at, n, stride};
    Real* const to = y.out().data() + at;
    const Real best = from.maximum();
    Real sum = 0;
    for (Index j = 0; j < n; ++j) sum += to[j * stride] = std::exp(from[j] - best);
    for (Index j = 0; j < n; ++j) to[j * stride] /= sum;
  });
  if (x.shape().normalized(axis) == x.rank() - 1) y.made_from_logits(x, true);
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      each_slice(split, [&](Index at) {
        const Slice s{y.value().data() + at, n, stride}, g{y.grad().data() + at, n, stride};
        Real* const to = dx.data() + at;
        Real product = 0;
        for (Index j = 0; j < n; ++j) product += g[j] * s[j];
        for (Index j = 0; j < n; ++j) {
          const Real contribution = s[j] * (g[j] - product);
          to[j * stride] = dx.accumulates() ? to[j * stride] + contribution : contribution;
        }
      });
    }
  });
}

Var log_softmax(Var x, Index axis) {
  const AxisSplit split(x.shape(), x.shape().normalized(axis));
  const Index n = split.n, stride = split.inner;
  Var y = x.tape().output(x.shape(), {x});
  each_slice(split, [&](Index at) {
    const Slice from{x.value().data() + at, n, stride};
    Real* const to = y.out().data() + at;
    const Real best = from.maximum();
    Real sum = 0;
    for (Index j = 0; j < n; ++j) sum += std::exp(from[j] - best);
    const Real log_sum = std::log(sum);
    for (Index j = 0; j < n; ++j) to[j * stride] = from[j] - best - log_sum;
  });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      each_slice(split, [&](Index at) {
        const Slice log_s{y.value().data() + at, n, stride}, g{y.grad().data() + at, n, stride};
        Real* const to = dx.data() + at;
        Real total = 0;
        for (Index j = 0; j < n; ++j) total += g[j];
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
