#pragma once

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "cornu/core/autodiff/operand.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/loops.h"

/// What the elementwise ops of one operand share. Internal.
namespace cornu::detail {

/// F: a unary op: its name, value(x), and slope(x, y), its derivative given x and y = value(x). Options are members.
template <class F>
Var pointwise(Var x, F op, OpDescription&& described) {
  Var y = x.tape().output(x.shape(), {x}, std::move(described));
  y.masked_as(x);
  assign(y.out(), [op, from = x.value().data()](Index i) { return op.value(from[i]); });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      const Real *const vx = x.value().data(), *const vy = y.value().data(), *const g = y.grad().data();
      assign(dx, [=](Index i) { return g[i] * op.slope(vx[i], vy[i]); });
    }
  });
}

template <class F>
Var pointwise(Var x) {
  return pointwise(x, F{}, F::name);
}

/// The value and slope of a function, for functions where they share most of their work.
struct Point {
  Real value, slope;
};

template <class F>
Var with_slopes(Var x, OpDescription&& described, F f) {
  Var y = x.tape().output(x.shape(), {x}, std::move(described));
  y.masked_as(x);
  // Without a gradient the slopes are not needed: each goes into y and is then overwritten by its value.
  Real* const slopes = y.wants_gradient() ? x.tape().scratch(x.shape()).data() : y.out().data();
  assign(y.out(), [f, slopes, from = x.value().data()](Index i) {
    const Point point = f(from[i]);
    slopes[i] = point.slope;
    return point.value;
  });
  return y.backward([=] {
    if (Sink dx = x.sink()) multiply(y.grad().data(), slopes, dx);
  });
}

// ---- Loops without a tape ----

template <class F>
void loop(const Real* x, Index n, Real* y) {
  vectorized([=] {
    for (Index i = 0; i < n; ++i) y[i] = F::value(x[i]);
  });
}

template <std::size_t count>
PointwiseLoop loop_named(std::string_view name,
                         const std::array<std::pair<std::string_view, PointwiseLoop>, count>& loops) {
  const auto found = std::find_if(loops.begin(), loops.end(), [&](const auto& row) { return row.first == name; });
  return found == loops.end() ? nullptr : found->second;
}

}  // namespace cornu::detail
