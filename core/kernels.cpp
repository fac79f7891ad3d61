#include "cornu/core/kernels.h"

#include <cstdint>

namespace cornu {

void fill_rows(const View& out, const ConstView& row) {
  const Index n = row.size();
  if (n == 0) return;
  for (Real* to = out.begin(); to != out.end(); to += n) std::copy(row.begin(), row.end(), to);
}

namespace {

constexpr Index lanes = 16;       // columns summed side by side: a cache line of floats
constexpr Index plain_rows = 32;  // this many rows are summed one after the other
using Lanes = std::array<Real, lanes>;

/// sums[j] += x[i, j], for rows of `width` <= lanes numbers, `stride` apart.
[[gnu::always_inline]] inline void add_rows(const Real* x, Index rows, Index stride, Index width, Lanes& sums) {
  if (width == lanes) {  // the same loop with a constant bound, which the compiler keeps in registers
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < lanes; ++j) sums[static_cast<std::size_t>(j)] += x[i * stride + j];
    }
  } else {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < width; ++j) sums[static_cast<std::size_t>(j)] += x[i * stride + j];
    }
  }
}

void add(Lanes& sums, const Lanes& others) {
  for (std::size_t j = 0; j < lanes; ++j) sums[j] += others[j];
}

/// The sum of all rows, pairwise: of every plain_rows rows, of every two of these sums, of every two of those.
[[gnu::always_inline]] inline Lanes sum_tile(const Real* x, Index rows, Index stride, Index width) {
  Lanes sums{};
  if (rows <= plain_rows) {
    add_rows(x, rows, stride, width, sums);
    return sums;
  }
  // waiting[level] is the sum of 2^level blocks where bit `level` of the count of blocks so far is set.
  std::array<Lanes, 58> waiting;
  std::uint64_t blocks = 0;
  for (Index first = 0; first < rows; first += plain_rows, ++blocks) {
    sums = {};
    add_rows(x + first * stride, std::min(plain_rows, rows - first), stride, width, sums);
    std::size_t level = 0;
    for (; (blocks >> level & 1) != 0; ++level) add(sums, waiting[level]);
    waiting[level] = sums;
  }
  sums = {};
  for (std::size_t level = 0; blocks >> level != 0; ++level) {
    if ((blocks >> level & 1) != 0) add(sums, waiting[level]);
  }
  return sums;
}

/// The sum of n neighbouring numbers: as rows of `lanes`, then the lanes, then what did not fill a row.
[[gnu::always_inline]] inline Real sum_contiguous(const Real* x, Index n) {
  if (n < lanes) {
    Real sum = 0;
    for (Index i = 0; i < n; ++i) sum += x[i];
    return sum;
  }
  const Index rows = n / lanes, rest = n % lanes;
  Lanes sums = sum_tile(x, rows, lanes, lanes);
  add_rows(x + rows * lanes, 1, lanes, rest, sums);
  for (std::size_t half = lanes / 2; half > 0; half /= 2) {
    for (std::size_t j = 0; j < half; ++j) sums[j] += sums[j + half];
  }
  return sums[0];
}

}  // namespace

void sum_axis(const Real* x, const AxisSplit& split, Real scale, const Sink& out) {
  vectorized(
      [=, to = out.data(), accumulates = out.accumulates(), outer = split.outer, n = split.n, inner = split.inner] {
        const auto put = [=](Index at, Real sum) { to[at] = accumulates ? to[at] + scale * sum : scale * sum; };
        for (Index o = 0; o < outer; ++o) {
          const Real* const block = x + o * n * inner;
          if (inner == 1) {
            put(o, sum_contiguous(block, n));
            continue;
          }
          for (Index column = 0; column < inner; column += lanes) {
            const Index width = std::min(lanes, inner - column);
            const Lanes sums = sum_tile(block + column, n, inner, width);
            for (Index j = 0; j < width; ++j) put(o * inner + column + j, sums[static_cast<std::size_t>(j)]);
          }
        }
      });
}

namespace {

/// A NaN is larger than any number.
[[gnu::always_inline]] inline Real larger(Real a, Real b) { return b > a || b != b ? b : a; }

/// The largest of `rows` rows, column by column.
[[gnu::always_inline]] inline Lanes max_tile(const Real* x, Index rows, Index stride, Index width) {
  Lanes largest{};
  std::copy_n(x, width, largest.begin());
  if (width == lanes) {
    for (Index i = 1; i < rows; ++i) {
      for (std::size_t j = 0; j < lanes; ++j) {
        largest[j] = larger(largest[j], x[i * stride + static_cast<Index>(j)]);
      }
    }
  } else {
    for (Index i = 1; i < rows; ++i) {
      for (std::size_t j = 0; j < static_cast<std::size_t>(width); ++j) {
        largest[j] = larger(largest[j], x[i * stride + static_cast<Index>(j)]);
      }
    }
  }
  return largest;
}

[[gnu::always_inline]] inline Real max_contiguous(const Real* x, Index n) {
  Real largest = x[0];
  const Index rows = n / lanes;
  if (rows > 1) {
    for (const Real candidate : max_tile(x, rows, lanes, lanes)) largest = larger(largest, candidate);
  }
  for (Index i = rows > 1 ? rows * lanes : 1; i < n; ++i) largest = larger(largest, x[i]);
  return largest;
}

}  // namespace

void max_axis(const Real* x, const AxisSplit& split, Real* out) {
  vectorized([=, outer = split.outer, n = split.n, inner = split.inner] {
    for (Index o = 0; o < outer; ++o) {
      const Real* const block = x + o * n * inner;
      if (inner == 1) {
        out[o] = max_contiguous(block, n);
        continue;
      }
      for (Index column = 0; column < inner; column += lanes) {
        const Index width = std::min(lanes, inner - column);
        const Lanes largest = max_tile(block + column, n, inner, width);
        std::copy_n(largest.begin(), width, out + o * inner + column);
      }
    }
  });
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
  // From the innermost axis outwards: the flat stride of each operand, 0 where it is stretched.
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
