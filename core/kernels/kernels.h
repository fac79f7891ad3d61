#pragma once

#include <algorithm>
#include <array>
#include <type_traits>

#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/sink.h"

// Where a loop says "ivdep", none of its turns reads what another one wrote: results never lie in part over operands.
// g++ then leaves out the check of that and the second loop for where it fails: a third of what ops are compiled to.
// clang does not know the word.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

/// The loops that ops are made of. They trust their arguments: whoever calls them has checked the shapes.
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

/// out[i] = f(i) for every element, or += f(i) where the sink accumulates. The loop is compiled for wide vectors too.
template <class F>
void assign(const Sink& out, F f) {
  vectorized([to = out.data(), n = out.size(), accumulates = out.accumulates(), f] { assign(to, n, accumulates, f); });
}

/// out[i] = f(i) for every element.
template <class F>
void assign(const View& out, F f) {
  vectorized([to = out.data(), n = out.size(), f] { assign(to, n, false, f); });
}

/// to[i] = f(to[i]) for n elements. (Not `assign`: two pointers to one place would keep a loop from being vectorised.)
template <class F>
void transform(Real* to, Index n, F f) {
  vectorized([=] {
    for (Index i = 0; i < n; ++i) to[i] = f(to[i]);
  });
}

/// out = x, element by element in flat order.
inline void copy(const ConstView& x, const Sink& out) {
  assign(out, [from = x.data()](Index i) { return from[i]; });
}

/// out = a b, element by element.
void multiply(const Real* a, const Real* b, const Sink& out);

/// The position of the largest of n > 0 numbers, `stride` apart: the first of equal ones, of a NaN its position.
inline Index position_of_max(const Real* x, Index n, Index stride = 1) {
  Index best = 0;
  for (Index j = 1; j < n && x[best * stride] == x[best * stride]; ++j) {
    if (!(x[j * stride] <= x[best * stride])) best = j;
  }
  return best;
}

inline void fill(const View& out, Real value) { std::fill(out.begin(), out.end(), value); }

/// Every row of `out` becomes `row`: out (..., n), row (n).
void fill_rows(const View& out, const ConstView& row);

/// A tensor's shape seen from one axis: `outer` blocks, each of `n` slices of `inner` contiguous numbers.
struct AxisSplit {
  Index outer = 1, n = 1, inner = 1;

  AxisSplit(Index outer_count, Index count, Index inner_count) : outer(outer_count), n(count), inner(inner_count) {}
  /// Axes [first, last) of the shape taken as one.
  AxisSplit(const Shape& shape, Index first, Index last)
      : outer(shape.sub(0, first).size()), n(shape.sub(first, last).size()), inner(shape.sub(last).size()) {}
  AxisSplit(const Shape& shape, Index axis) : AxisSplit(shape, axis, axis + 1) {}

  Index size() const { return outer * n * inner; }
  Index slices() const { return outer * inner; }
};

/// out[o, i] = scale * sum over j of x[o, j, i]. Sums pairwise, so that the error grows with log n, not with n.
void sum_axis(const Real* x, const AxisSplit& split, Real scale, const Sink& out);

/// out[o, i] = the largest x[o, j, i] over j, for n > 0; NaN where there is one.
void max_axis(const Real* x, const AxisSplit& split, Real* out);

/// Sum of every number, pairwise.
Real sum_all(const ConstView& x);

/// The sum over all rows: g (..., n), out (n). The gradient of fill_rows.
void sum_rows(const ConstView& g, const Sink& out);

/// The gradient of broadcasting: sums `g` over the axes along which `out`'s shape was stretched to g's.
/// `scratch(n)` gives memory for n numbers; it is asked only where stretched axes are not neighbours.
template <class Scratch>
void sum_to_shape(ConstView g, const Sink& out, Scratch scratch) {
  Shape from = g.shape();
  const Index lead = from.rank() - out.shape().rank();
  const auto stretched = [&](Index axis) { return axis < lead || out.shape()[axis - lead] != g.shape()[axis]; };
  // `from` is g's shape with the axes summed so far set to 1; each round sums one run of neighbouring stretched axes.
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
    g = ConstView(partial.data(), g.shape());  // the shape of old, to ask which axes are stretched
    first = next;
  }
}

/// How the flat positions of two operands follow those of the shape to which they broadcast. Neighbouring axes along
/// which both operands move alike are merged, so that most operations are one or two plain loops.
class Broadcast {
 public:
  Broadcast(const Shape& a, const Shape& b, const Shape& out);

  /// Calls f(i, ia, ib) for every position i of the result, in order.
  template <class F>
  void each(F f) const {
    choose([f](Index start, Index n, Index ia, Index ib, auto step_a, auto step_b) {
      for (Index j = 0; j < n; ++j) f(start + j, ia + j * step_a, ib + j * step_b);
    });
  }

  /// The same, several at a time, for an f of which no call reads what another one wrote.
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
    } else {  // at most one of them is stretched; or there is a single element, and no step
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
      for (Index axis = axes_ - 1; axis >= 0; --axis) {  // to the next block, as an odometer
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
  Index outer_ = 1, axes_ = 0;                 // the others
  Axes extent_{}, stride_a_{}, stride_b_{};
};

/// out = x with its axes in the order `axes`: out.shape[i] = x.shape[axes[i]].
void permute(const ConstView& x, std::span<const Index> axes, const Sink& out);

}  // namespace cornu

#pragma GCC diagnostic pop
