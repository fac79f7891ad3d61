#include "cornu/onnx/broadcast.h"

#include <algorithm>
#include <numeric>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/ops.h"

namespace cornu::onnx::detail {

Var take(Var x, Index axis, std::span<const Index> positions, Real fill) {
  const Index at = x.along(axis);
  const AxisSplit split(x.shape(), at);
  for (const Index position : positions) {
    require(-1 <= position && position < split.n, "position {} is outside of axis {} of {}", position, at, x.shape());
  }
  const auto n = static_cast<Index>(positions.size());
  Var y = x.tape().output(x.shape().with(at, n), {x});
  // The backward rule reads the positions later: keep them in the tape's memory.
  const std::span<Index> kept = tape_memory<Index>(x.tape(), positions.size());
  std::copy(positions.begin(), positions.end(), kept.begin());
  const Index inner = split.inner, outer = split.outer, extent = split.n;
  const Index* const from = kept.data();
  const Real* in = x.value().data();
  Real* out = y.out().data();
  for (Index o = 0; o < outer; ++o, in += extent * inner) {
    for (Index i = 0; i < n; ++i, out += inner) {
      if (from[i] < 0) {
        std::fill_n(out, inner, fill);
      } else {
        std::copy_n(in + from[i] * inner, inner, out);
      }
    }
  }
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      if (!dx.accumulates()) cornu::fill(dx.view(), 0);
      const Real* g = y.grad().data();
      Real* to = dx.data();
      for (Index o = 0; o < outer; ++o, to += extent * inner) {
        for (Index i = 0; i < n; ++i, g += inner) {
          if (from[i] >= 0) assign(to + from[i] * inner, inner, true, [g](Index j) { return g[j]; });
        }
      }
    }
  });
}

std::span<Index> broadcast_positions(Tape& tape, const Shape& from, const Shape& shape) {
  const std::span<Index> result = tape_memory<Index>(tape, static_cast<std::size_t>(shape.size()));
  Broadcast(from, shape, shape).each([&](Index i, Index position, Index) {
    result[static_cast<std::size_t>(i)] = position;
  });
  return result;
}

Var expand(Var x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const Shape result = broadcast(x.shape(), shape, "expand");
  return reshape(take(reshape(x, {x.size()}), 0, broadcast_positions(x.tape(), x.shape(), result)), result);
}

}  // namespace cornu::onnx::detail
