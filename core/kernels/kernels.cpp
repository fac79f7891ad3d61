#include "cornu/core/kernels/kernels.h"

#include "cornu/core/kernels/lanes.h"

namespace cornu {

void multiply(const Real* a, const Real* b, const Sink& out) {
  assign(out, [=](Index i) { return a[i] * b[i]; });
}

void fill_rows(const View& out, const ConstView& row) {
  const Index n = row.size();
  if (n == 0) return;
  for (Real* to = out.begin(); to != out.end(); to += n) std::copy(row.begin(), row.end(), to);
}

void sum_axis(const Real* x, const AxisSplit& split, Real scale, const Sink& out) {
  vectorized(
      [=, to = out.data(), accumulates = out.accumulates(), outer = split.outer, n = split.n, inner = split.inner] {
        const auto put = [=](Index at, Real sum) { to[at] = accumulates ? to[at] + scale * sum : scale * sum; };
        for (Index o = 0; o < outer; ++o) {
          const Real* const block = x + o * n * inner;
          if (inner == 1) {
            put(o, sum_numbers(n, [=](Index i) { return block[i]; }));
          } else {
            sum_columns(
                n, inner, [=](Index i, Index j) { return block[i * inner + j]; },
                [=](Index j, Real sum) { put(o * inner + j, sum); });
          }
        }
      });
}

namespace {

template <class Pick>
[[gnu::always_inline]] inline Real extreme_contiguous(const Real* x, Index n, Pick pick) {
  Real best = x[0];
  const Index rows = n / lane_count;
  if (rows > 1) {
    for (const Real candidate : extreme_tile(x, rows, lane_count, lane_count, pick)) best = pick(best, candidate);
  }
  for (Index i = rows > 1 ? rows * lane_count : 1; i < n; ++i) best = pick(best, x[i]);
  return best;
}

template <class Pick>
void extreme_axis(const Real* x, const AxisSplit& split, Real* out, Pick pick) {
  vectorized([=, outer = split.outer, n = split.n, inner = split.inner] {
    for (Index o = 0; o < outer; ++o) {
      const Real* const block = x + o * n * inner;
      if (inner == 1) {
        out[o] = extreme_contiguous(block, n, pick);
        continue;
      }
      for (Index column = 0; column < inner; column += lane_count) {
        const Index width = std::min(lane_count, inner - column);
        const Lanes best = extreme_tile(block + column, n, inner, width, pick);
        std::copy_n(best.begin(), width, out + o * inner + column);
      }
    }
  });
}

}  // namespace

// Lambdas, which are inlined.
void max_axis(const Real* x, const AxisSplit& split, Real* out) {
  extreme_axis(
      x, split, out, [](Real a, Real b) __attribute__((always_inline)) { return detail::larger(a, b); });
}
void min_axis(const Real* x, const AxisSplit& split, Real* out) {
  extreme_axis(
      x, split, out, [](Real a, Real b) __attribute__((always_inline)) { return detail::smaller(a, b); });
}

Real sum_all(const ConstView& x) {
  Real sum = 0;
  sum_axis(x.data(), {1, x.size(), 1}, 1, overwrite(View(&sum, {})));
  return sum;
}

void sum_rows(const ConstView& g, const Sink& out) {
  const Index columns = out.size();
  sum_axis(g.data(), {1, columns == 0 ? 0 : g.size() / columns, columns}, 1, out);
}

Broadcast::Broadcast(const Shape& a, const Shape& b, const Shape& out) {
  // Strides of the operands from the innermost axis outwards: 0 where an operand is broadcast.
  Index size_a = 1, size_b = 1;
  Axes extent{}, stride_a{}, stride_b{};
  Index count = 0;
  for (Index i = 1; i <= out.rank(); ++i) {
    const Index dimension = out[-i];
    const Index from_a = i <= a.rank() ? a[-i] : 1, from_b = i <= b.rank() ? b[-i] : 1;
    const Index sa = from_a == 1 ? 0 : size_a, sb = from_b == 1 ? 0 : size_b;
    size_a *= from_a;
    size_b *= from_b;
    if (dimension == 1) continue;
    if (count > 0) {
      const auto k = static_cast<std::size_t>(count - 1);
      if (sa == stride_a[k] * extent[k] && sb == stride_b[k] * extent[k]) {
        extent[k] *= dimension;
        continue;
      }
    }
    const auto k = static_cast<std::size_t>(count++);
    extent[k] = dimension;
    stride_a[k] = sa;
    stride_b[k] = sb;
  }
  if (count == 0) return;  // a single element
  inner_ = extent[0];
  step_a_ = stride_a[0];
  step_b_ = stride_b[0];
  axes_ = count - 1;
  for (Index axis = 0; axis < axes_; ++axis) {  // outermost first
    const auto k = static_cast<std::size_t>(axis), from = static_cast<std::size_t>(count - 1 - axis);
    extent_[k] = extent[from];
    stride_a_[k] = stride_a[from];
    stride_b_[k] = stride_b[from];
    outer_ *= extent[from];
  }
}

void permute(const ConstView& x, std::span<const Index> axes, const Sink& out) {
  const Shape& shape = x.shape();
  if (x.size() == 0) return;
  std::array<Index, Shape::max_rank> stride{}, extent{}, position{};
  Index innermost_stride = 1, inner = 1;
  const Index rank = shape.rank();
  for (Index i = 0; i < rank; ++i) {
    const Index axis = axes[static_cast<std::size_t>(i)];
    stride[static_cast<std::size_t>(i)] = shape.sub(axis + 1).size();
    extent[static_cast<std::size_t>(i)] = shape[axis];
  }
  if (rank > 0) {
    innermost_stride = stride[static_cast<std::size_t>(rank - 1)];
    inner = extent[static_cast<std::size_t>(rank - 1)];
  }
  Index from = 0;
  for (Index start = 0; start < x.size(); start += inner) {
    const Real* const source = x.data() + from;
    assign(out.data() + start, inner, out.accumulates(), [=](Index j) { return source[j * innermost_stride]; });
    for (Index axis = rank - 2; axis >= 0; --axis) {
      const auto k = static_cast<std::size_t>(axis);
      from += stride[k];
      if (++position[k] < extent[k]) break;
      from -= extent[k] * stride[k];
      position[k] = 0;
    }
  }
}

}  // namespace cornu
