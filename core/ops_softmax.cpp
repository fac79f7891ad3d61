#include <algorithm>

#include "cornu/core/kernels.h"
#include "cornu/core/ops.h"
#include "cornu/core/vector_math.h"

namespace cornu {

namespace {

/// Calls f(at, part) for blocks of whole slices, which start at flat position `at`: what several loops go over one
/// after the other stays in the nearest cache.
template <class F>
void each_block(const AxisSplit& split, F f) {
  constexpr Index block = 4096;
  const Index size = split.n * split.inner;
  if (size == 0) return;
  const Index most = std::max(block / size, Index{1});
  for (Index o = 0; o < split.outer; o += most) {
    f(o * size, AxisSplit(std::min(most, split.outer - o), split.n, split.inner));
  }
}

/// Memory for a number a slice, and for a number an element, of the largest of the blocks.
struct Scratch {
  Real *slices = nullptr, *elements = nullptr;

  Scratch(Tape& tape, const AxisSplit& split) {
    each_block(split, [&](Index at, const AxisSplit& part) {
      if (at != 0) return;
      slices = tape.scratch({part.slices()}).data();
      elements = tape.scratch({part.size()}).data();
    });
  }
};

/// to = x less the largest number of its slice, which goes to `largest`.
void subtract_largest(const Real* x, const AxisSplit& split, Real* largest, Real* to) {
  max_axis(x, split, largest);
  each_in_slices(split, largest, [=](Index i, Real peak) { to[i] = x[i] - peak; });
}

[[gnu::noinline]] void assign_exp(const Real* x, const View& to) {
  assign(to, [=](Index i) { return math::exp(x[i]); });
}

/// dx = slope(y, g, element, sum), number by number, where `sum` is that of some terms over the slice.
/// prepare(y, g, elements) fills the elements of a block and returns where its terms are.
template <class Prepare, class Slope>
void slices_backward(Var x, Var y, const AxisSplit& split, Prepare prepare, Slope slope) {
  const Sink dx = x.sink();
  if (!dx) return;
  const Scratch scratch(y.tape(), split);
  each_block(split, [&](Index at, const AxisSplit& part) {
    const Real *const values = y.value().data() + at, *const g = y.grad().data() + at;
    Real *const to = dx.data() + at, *const elements = scratch.elements;
    const Real* const terms = prepare(values, g, View(elements, {part.size()}));
    sum_axis(terms, part, 1, overwrite(View(scratch.slices, {part.slices()})));
    each_in_slices(part, scratch.slices, [=, accumulates = dx.accumulates()](Index i, Real sum) {
      const Real contribution = slope(values[i], g[i], elements[i], sum);
      to[i] = accumulates ? to[i] + contribution : contribution;
    });
  });
}

}  // namespace

Var softmax(Var x, Index axis) {
  const AxisSplit split(x.shape(), x.along(axis));
  Var y = x.tape().output(x.shape(), {x});
  const Scratch scratch(x.tape(), split);
  each_block(split, [&](Index at, const AxisSplit& part) {
    const Real* const from = x.value().data() + at;
    Real* const to = y.out().data() + at;
    const View slices(scratch.slices, {part.slices()});
    subtract_largest(from, part, slices.data(), to);
    transform(to, part.size(), [](Real d) { return math::exp(d); });
    sum_axis(to, part, 1, overwrite(slices));
    each_in_slices(part, slices.data(), [=](Index i, Real sum) { to[i] /= sum; });
  });
  if (x.shape().normalized(axis) == x.rank() - 1) y.made_from_logits(x, true);
  return y.backward([=] {
    slices_backward(
        x, y, split,
        [](const Real* s, const Real* g, const View& products) {
          assign(products, [=](Index i) { return g[i] * s[i]; });
          return products.data();
        },
        [](Real s, Real g, Real, Real product) { return s * (g - product); });
  });
}

Var log_softmax(Var x, Index axis) {
  const AxisSplit split(x.shape(), x.along(axis));
  Var y = x.tape().output(x.shape(), {x});
  const Scratch scratch(x.tape(), split);
  each_block(split, [&](Index at, const AxisSplit& part) {
    const Real* const from = x.value().data() + at;
    Real* const to = y.out().data() + at;
    const View slices(scratch.slices, {part.slices()}), exponentials(scratch.elements, {part.size()});
    subtract_largest(from, part, slices.data(), to);
    assign_exp(to, exponentials);
    sum_axis(exponentials.data(), part, 1, overwrite(slices));
    transform(slices.data(), slices.size(), [](Real sum) { return math::log(sum); });
    each_in_slices(part, slices.data(), [=](Index i, Real log_sum) { to[i] -= log_sum; });
  });
  return y.backward([=] {
    slices_backward(
        x, y, split,
        [](const Real* log_s, const Real* g, const View& probabilities) {
          assign_exp(log_s, probabilities);
          return g;
        },
        [](Real, Real g, Real probability, Real total) { return g - probability * total; });
  });
}

Var softmax(Var x) { return softmax(x, -1); }
Var log_softmax(Var x) { return log_softmax(x, -1); }

}  // namespace cornu
