#pragma once

#include <algorithm>
#include <array>
#include <type_traits>

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/sink.h"

// "ivdep" marks loops in which no iteration reads what another one wrote: results never partially overlap operands.
// g++ then omits the overlap check and the scalar fallback loop, which were a third of the code of ops.
// clang ignores this pragma and would warn about it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

/// The loops of the ops. Shapes are not checked: the caller must do so.
namespace cornu {

/// to[i] = f(i) for n elements, or += f(i).
template <class F>
void assign(Real* to, Index n, bool accumulates, F f) {
  if (accumulates) {
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) to[i] += f(i);
  } else {
#pragma GCC ivdep
    for (Index i = 0; i < n; ++i) to[i] = f(i);
  }
}

/// out[i] = f(i) for every element, or += f(i) if the sink accumulates. Vectorized.
template <class F>
void assign(const Sink& out, F f) {
  vectorized([to = out.data(), n = out.size(), accumulates = out.accumulates(), f] { assign(to, n, accumulates, f); });
}

/// out[i] = f(i) for every element. Vectorized.
template <class F>
void assign(const View& out, F f) {
  vectorized([to = out.data(), n = out.size(), f] { assign(to, n, false, f); });
}

/// to[i] = f(to[i]) for n elements. (Not `assign`, because two pointers to the same memory would prevent
/// vectorization.)
template <class F>
void transform(Real* to, Index n, F f) {
  vectorized([=] {
    for (Index i = 0; i < n; ++i) to[i] = f(to[i]);
  });
}

/// out = x, elementwise in row-major order; only the sizes must match.
inline void copy(const ConstView& x, const Sink& out) {
  assign(out, [from = x.data()](Index i) { return from[i]; });
}

/// out = a b, elementwise.
void multiply(const Real* a, const Real* b, const Sink& out);

/// The index of the maximum of n > 0 elements at distance `stride`: the first of equal maxima, or the first NaN.
inline Index position_of_max(const Real* x, Index n, Index stride = 1) {
  Index best = 0;
  for (Index j = 1; j < n && x[best * stride] == x[best * stride]; ++j) {
    if (!(x[j * stride] <= x[best * stride])) best = j;
  }
  return best;
}

inline void fill(const View& out, Real value) { std::fill(out.begin(), out.end(), value); }

/// Copies `row` to every row of `out`: out (..., n), row (n).
void fill_rows(const View& out, const ConstView& row);

/// A shape split at one axis: (outer, n, inner). Slices along the axis have n elements at distance `inner`.
struct AxisSplit {
  Index outer = 1, n = 1, inner = 1;

  AxisSplit(Index outer_count, Index count, Index inner_count) : outer(outer_count), n(count), inner(inner_count) {}
  /// Axes [first, last) of the shape merged into one.
  AxisSplit(const Shape& shape, Index first, Index last)
      : outer(shape.sub(0, first).size()), n(shape.sub(first, last).size()), inner(shape.sub(last).size()) {}
  AxisSplit(const Shape& shape, Index axis) : AxisSplit(shape, axis, axis + 1) {}

  Index size() const { return outer * n * inner; }
  Index slices() const { return outer * inner; }
};

/// out[o, i] = scale * sum over j of x[o, j, i]. Sums pairwise: the error grows with log n, not with n.
void sum_axis(const Real* x, const AxisSplit& split, Real scale, const Sink& out);

/// out[o, i] = max over j of x[o, j, i], for n > 0; NaN if any of the elements is.
void max_axis(const Real* x, const AxisSplit& split, Real* out);
/// The same for the minimum.
void min_axis(const Real* x, const AxisSplit& split, Real* out);

/// Sum of all elements, pairwise.
Real sum_all(const ConstView& x);

/// Sum over all axes but the last: g (..., n), out (n). The gradient of fill_rows.
void sum_rows(const ConstView& g, const Sink& out);

/// The gradient of broadcasting: sums `g` over the axes along which `out` was broadcast to g's shape.
/// `scratch(n)` returns memory for n elements; it is called only if the broadcast axes are not adjacent.
template <class Scratch>
void sum_to_shape(ConstView g, const Sink& out, Scratch scratch) {
  Shape from = g.shape();
  const Index lead = from.rank() - out.shape().rank();
  const auto stretched = [&](Index axis) { return axis < lead || out.shape()[axis - lead] != g.shape()[axis]; };
  // `from` is g's shape with the axes summed so far set to 1; each round sums one run of adjacent broadcast axes.
  Index first = 0;
  while (first < from.rank() && !stretched(first)) ++first;
  while (true) {
    Index last = first;
    while (last < from.rank() && stretched(last)) ++last;
    Index next = last;
    while (next < from.rank() && !stretched(next)) ++next;
    const AxisSplit split(from, first, last);
    if (next == from.rank()) return sum_axis(g.data(), split, 1, out);
    for (Index axis = first; axis < last; ++axis) from = from.with(axis, 1);
    const View partial(scratch(from.size()), from);
    sum_axis(g.data(), split, 1, overwrite(partial));
    g = ConstView(partial.data(), g.shape());  // keeps the original shape, which `stretched` compares with
    first = next;
  }
}

/// Maps positions of a broadcast result to positions of the two operands. Adjacent axes with compatible strides are
/// merged, so that most ops are one or two nested loops.
class Broadcast {
 public:
  Broadcast(const Shape& a, const Shape& b, const Shape& out);

  /// Calls f(i, ia, ib) for every position i of the result, in order; ia and ib are the operands' positions.
  template <class F>
  void each(F f) const {
    choose([f](Index start, Index n, Index ia, Index ib, auto step_a, auto step_b) {
      for (Index j = 0; j < n; ++j) f(start + j, ia + j * step_a, ib + j * step_b);
    });
  }

  /// Like `each`, vectorized: no call of f may read what another one wrote.
  template <class F>
  void each_number(F f) const {
    choose([f](Index start, Index n, Index ia, Index ib, auto step_a, auto step_b) {
#pragma GCC ivdep
      for (Index j = 0; j < n; ++j) f(start + j, ia + j * step_a, ib + j * step_b);
    });
  }

 private:
  template <Index step>
  using Step = std::integral_constant<Index, step>;

  template <class Run>
  void choose(Run run) const {
    if (inner_ == 0 || outer_ == 0) return;
    if (step_a_ == 1 && step_b_ == 1) {
      each_run(run, Step<1>(), Step<1>());
    } else if (step_a_ == 1) {
      each_run(run, Step<1>(), Step<0>());
    } else {  // an axis is broadcast in at most one operand; for a single element the steps do not matter
      each_run(run, Step<0>(), Step<1>());
    }
  }

  /// Calls run(start, n, ia, ib, step_a, step_b) for each run of n results along the innermost axis.
  template <class Run, class StepA, class StepB>
  void each_run(Run run, StepA step_a, StepB step_b) const {
    std::array<Index, Shape::max_rank> position{};
    Index ia = 0, ib = 0;
    for (Index block = 0; block < outer_; ++block) {
      run(block * inner_, inner_, ia, ib, step_a, step_b);
      for (Index axis = axes_ - 1; axis >= 0; --axis) {  // advance to the next block, like an odometer
        const auto k = static_cast<std::size_t>(axis);
        ia += stride_a_[k];
        ib += stride_b_[k];
        if (++position[k] < extent_[k]) break;
        ia -= extent_[k] * stride_a_[k];
        ib -= extent_[k] * stride_b_[k];
        position[k] = 0;
      }
    }
  }

  using Axes = std::array<Index, Shape::max_rank>;
  Index inner_ = 1, step_a_ = 0, step_b_ = 0;  // the innermost merged axis
  Index outer_ = 1, axes_ = 0;                 // the other axes: their size and count
  Axes extent_{}, stride_a_{}, stride_b_{};
};

/// out = x with its axes in the order `axes`: out.shape[i] = x.shape[axes[i]].
void permute(const ConstView& x, std::span<const Index> axes, const Sink& out);

}  // namespace cornu

#pragma GCC diagnostic pop
