#include "cornu/core/kernels/small_products.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <numeric>

#include "cornu/core/kernels/vector_types.h"
#include "cornu/core/kernels/vectorized.h"

namespace cornu::detail {

namespace {

constexpr Index panel = 64 / static_cast<Index>(sizeof(Real));  // columns of c computed at once: a cache line
constexpr Index most_k = 512;                                   // terms per block of a sum: a panel of b takes 32 KB

constexpr Index long_row = 64;  // columns of b for which skipping zeros in a single row of a pays off

using Panel = std::array<Real, most_k * panel>;

/// Length of the parts if `size` is split into equal parts of at most `most`.
Index part_of(Index size, Index most) {
  const Index parts = (size + most - 1) / most;
  return (size + parts - 1) / parts;
}

/// Copies k rows of `width` <= panel elements of b to rows of a panel. b ends at `end`. The rest of a row is arbitrary:
/// it only affects results that are discarded.
[[gnu::always_inline]] inline void pack(const Real* b, Index row, Index column, Index k, Index width, const Real* end,
                                        Real* to) {
  Index p = 0;
  if (column == 1) {
    for (; p < k && end - (b + p * row) >= panel; ++p) std::memcpy(to + p * panel, b + p * row, panel * sizeof(Real));
  }
  for (; p < k; ++p) {
    for (Index j = 0; j < panel; ++j) to[p * panel + j] = j < width ? b[p * row + j * column] : Real{0};
  }
}

/// End of a matrix in memory.
const Real* end_of(const MatrixView& m) { return m.data + (m.rows - 1) * m.stride + m.columns; }

/// How sums are stored to c.
struct Target {
  Real alpha;
  bool accumulates;

  [[gnu::always_inline]] void put(const Real* sums, Index count, Real* c) const {
    for (Index j = 0; j < count; ++j) c[j] = accumulates ? c[j] + alpha * sums[j] : alpha * sums[j];
  }
};

/// Elements of a row, and the rows of b that they are multiplied by: all of them, in order.
struct AllFactors {
  const Real* x;
  Index count;

  Real value(Index p) const { return x[p]; }
  Index row(Index p) const { return p; }
};

/// The nonzero elements of a row, and the rows of b that they are multiplied by.
struct NonzeroFactors {
  Index count = 0;
  std::array<Real, most_k> values;
  std::array<std::int32_t, most_k> rows;

  Real value(Index p) const { return values[static_cast<std::size_t>(p)]; }
  Index row(Index p) const { return rows[static_cast<std::size_t>(p)]; }

  [[gnu::always_inline]] void take(const Real* x, Index k) {
    std::size_t taken = 0;
    for (Index p = 0; p < k; ++p) {  // without a branch, which would be mispredicted at the edges of a digit
      values[taken] = x[p];
      rows[taken] = static_cast<std::int32_t>(p);
      taken += static_cast<std::size_t>(x[p] != 0);
    }
    count = static_cast<Index>(taken);
  }
};

/// Loops for registers of `bytes` bytes.
template <int bytes>
struct Loops {
  using Vector = detail::Vector<bytes>;
  // At any element of an array of Real. Not an alias template: clang 14 would ignore the alignment. Not load() of
  // vector_types.h: with it g++ 12 compiles these loops to other instructions, which nobody has timed.
  using Unaligned [[gnu::vector_size(bytes), gnu::aligned(alignof(Real)), gnu::may_alias]] = Real;
  static constexpr Index lanes = bytes / static_cast<Index>(sizeof(Real));
  static constexpr Index panel_vectors = panel / lanes;
  static constexpr Index tile_rows = bytes == 64 ? 8 : bytes == 32 ? 6 : 2;  // limited by the registers for the sums

  /// Rows [0, count) of a panel of c, count <= tile_rows: c = alpha a b, for rows of a with stride `a_row` and a packed
  /// b. `whole`: the number of leading rows that may be written as whole panels. The excess elements lie in the rows
  /// below, which are written later.
  [[gnu::always_inline]] static void tile(const Real* a, Index a_row, Index k, const Real* b, Target target, Real* c,
                                          Index c_row, Index width, Index count, Index whole) {
    const Real* row[tile_rows];
#pragma GCC unroll 16
    for (Index r = 0; r < tile_rows; ++r) row[r] = a + std::min(r, count - 1) * a_row;
    Vector sums[tile_rows][panel_vectors] = {};
    for (Index p = 0; p < k; ++p) {
      Vector right[panel_vectors];
#pragma GCC unroll 16
      for (Index v = 0; v < panel_vectors; ++v)
        right[v] = *reinterpret_cast<const Unaligned*>(b + p * panel + v * lanes);
#pragma GCC unroll 16
      for (Index r = 0; r < tile_rows; ++r) {
#pragma GCC unroll 16
        for (Index v = 0; v < panel_vectors; ++v) sums[r][v] += row[r][p] * right[v];
      }
    }
#pragma GCC unroll 16
    for (Index r = 0; r < tile_rows; ++r) {  // read all rows before writing any
#pragma GCC unroll 16
      for (Index v = 0; v < panel_vectors; ++v) {
        sums[r][v] *= target.alpha;
        if (target.accumulates && r < whole)
          sums[r][v] += *reinterpret_cast<const Unaligned*>(c + r * c_row + v * lanes);
      }
      if (target.accumulates && r >= whole && r < count) {
        Real old[panel] = {};
        std::copy_n(c + r * c_row, width, old);
#pragma GCC unroll 16
        for (Index v = 0; v < panel_vectors; ++v) sums[r][v] += *reinterpret_cast<const Unaligned*>(old + v * lanes);
      }
    }
#pragma GCC unroll 16
    for (Index r = 0; r < tile_rows; ++r) {
      if (r < whole) {
        std::memcpy(c + r * c_row, sums[r], sizeof(sums[r]));
      } else if (r < count) {
        Real numbers[panel];
        std::memcpy(numbers, sums[r], sizeof(numbers));
        std::copy_n(numbers, width, c + r * c_row);
      }
    }
  }

  /// c = alpha a b, or c += alpha a b, for a that is not transposed.
  [[gnu::always_inline]] static void product(const MatrixView& a, const MatrixView& b, Target target, Real* c) {
    const Index m = a.outer(), k = a.inner(), n = b.inner();
    const Index row = b.transposed ? 1 : b.stride, column = b.transposed ? b.stride : 1;
    const Index part = part_of(k, most_k);
    alignas(64) Panel packed;
    for (Index p = 0; p < k; p += part, target.accumulates = true) {
      const Index depth = std::min(part, k - p);
      for (Index j = 0; j < n; j += panel) {
        const Index width = std::min(panel, n - j);
        pack(b.data + p * row + j * column, row, column, depth, width, end_of(b), packed.data());
        for (Index i = 0; i < m; i += tile_rows) {
          const Index count = std::min(tile_rows, m - i);
          const Index whole = width == panel ? count : n < panel ? std::max(count - (panel - 1) / n, Index{0}) : 0;
          tile(a.data + i * a.stride + p, a.stride, depth, packed.data(), target, c + i * n + j, n, width, count,
               whole);
        }
      }
    }
  }

  /// The sum of value * row of b over all factors x, for `vectors` registers of columns; `steps` independent sums hide
  /// the latency.
  template <Index vectors, Index steps, class Factors>
  [[gnu::always_inline]] static void row_tile(const Factors& x, const Real* b, Index b_row, Real* result) {
    Vector sums[steps][vectors] = {};
    Index p = 0;
    for (; p + steps <= x.count; p += steps) {
#pragma GCC unroll 16
      for (Index s = 0; s < steps; ++s) {
        const Real* const row = b + x.row(p + s) * b_row;
#pragma GCC unroll 16
        for (Index v = 0; v < vectors; ++v)
          sums[s][v] += x.value(p + s) * *reinterpret_cast<const Unaligned*>(row + v * lanes);
      }
    }
    for (; p < x.count; ++p) {
      const Real* const row = b + x.row(p) * b_row;
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v)
        sums[0][v] += x.value(p) * *reinterpret_cast<const Unaligned*>(row + v * lanes);
    }
#pragma GCC unroll 16
    for (Index s = 1; s < steps; ++s) {
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) sums[0][v] += sums[s][v];
    }
    std::memcpy(result, sums[0], sizeof(sums[0]));
  }

  /// c = x times `depth` rows of b, which is not transposed.
  template <class Factors>
  [[gnu::always_inline]] static void row_part(const Factors& x, const MatrixView& b, const Real* right, Index depth,
                                              Target target, Real* c) {
    const Index n = b.columns;
    constexpr Index wide = 8 * lanes;
    Real sums[wide] = {};
    Index j = 0;
    for (; j + wide <= n; j += wide) {
      row_tile<8, 1>(x, right + j, b.stride, sums);
      target.put(sums, wide, c + j);
    }
    for (; j + panel <= n; j += panel) {
      row_tile<panel_vectors, 8 / panel_vectors>(x, right + j, b.stride, sums);
      target.put(sums, panel, c + j);
    }
    if (j < n) {
      alignas(64) Panel packed;
      pack(right + j, b.stride, 1, depth, n - j, end_of(b), packed.data());
      row_tile<panel_vectors, 8 / panel_vectors>(x, packed.data(), panel, sums);
      target.put(sums, n - j, c + j);
    }
  }

  /// c = x times b for a single row x and b that is not transposed. Long rows of b that are multiplied by 0 are
  /// skipped.
  [[gnu::always_inline]] static void row_product(const Real* x, const MatrixView& b, Target target, Real* c) {
    const Index part = part_of(b.rows, most_k);
    NonzeroFactors nonzero;
    for (Index p = 0; p < b.rows; p += part, target.accumulates = true) {
      const Index depth = std::min(part, b.rows - p);
      const Real* const right = b.data + p * b.stride;
      if (b.columns < long_row) {
        row_part(AllFactors{x + p, depth}, b, right, depth, target, c);
      } else {
        nonzero.take(x + p, depth);
        row_part(nonzero, b, right, depth, target, c);
      }
    }
  }

  /// The sum of the elements of a register, by halving.
  [[gnu::always_inline]] static Real total(const Vector& v) {
    if constexpr (bytes > 16) {
      typename Loops<bytes / 2>::Vector halves[2];
      std::memcpy(halves, &v, bytes);
      return Loops<bytes / 2>::total(halves[0] + halves[1]);
    } else {
      std::array<Real, lanes> parts;
      std::memcpy(parts.data(), &v, bytes);
      return std::accumulate(parts.begin(), parts.end(), Real{0});
    }
  }

  /// result[r] = sum over p of x[p] * b[r, p], for `rows` rows.
  template <Index rows>
  [[gnu::always_inline]] static void dots(const Real* x, Index k, const Real* b, Index b_row, Real* result) {
    constexpr Index steps = 4;  // registers of partial sums per row
    constexpr Index block = 64 * steps * lanes;
    for (Index r = 0; r < rows; ++r) result[r] = 0;
    for (Index start = 0; start < k; start += block) {
      const Index end = std::min(k, start + block);
      Vector sums[rows][steps] = {};
      Index p = start;
      for (; p + steps * lanes <= end; p += steps * lanes) {
#pragma GCC unroll 16
        for (Index s = 0; s < steps; ++s) {
          const Vector left = *reinterpret_cast<const Unaligned*>(x + p + s * lanes);
#pragma GCC unroll 16
          for (Index r = 0; r < rows; ++r)
            sums[r][s] += left * *reinterpret_cast<const Unaligned*>(b + r * b_row + p + s * lanes);
        }
      }
      for (; p + lanes <= end; p += lanes) {
#pragma GCC unroll 16
        for (Index r = 0; r < rows; ++r)
          sums[r][0] +=
              *reinterpret_cast<const Unaligned*>(x + p) * *reinterpret_cast<const Unaligned*>(b + r * b_row + p);
      }
#pragma GCC unroll 16
      for (Index r = 0; r < rows; ++r) {
        Real rest = 0;
        for (Index q = p; q < end; ++q) rest += x[q] * b[r * b_row + q];
        result[r] += total((sums[r][0] + sums[r][1]) + (sums[r][2] + sums[r][3])) + rest;
      }
    }
  }

  /// c = x times b for a single row x and a transposed b: dot products of x and the stored rows.
  [[gnu::always_inline]] static void row_of_dots(const Real* x, const MatrixView& b, Target target, Real* c) {
    const Index k = b.columns, n = b.rows;
    constexpr Index rows = bytes == 64 ? 4 : 2;
    Real sums[rows];
    Index j = 0;
    for (; j + rows <= n; j += rows) {
      dots<rows>(x, k, b.data + j * b.stride, b.stride, sums);
      target.put(sums, rows, c + j);
    }
    for (; j < n; ++j) {
      dots<1>(x, k, b.data + j * b.stride, b.stride, sums);
      target.put(sums, 1, c + j);
    }
  }
};

/// c = x times b for a single contiguous row x.
void one_row(const Real* x, const MatrixView& b, Target target, Real* c) {
  if (b.transposed) {
    vectorized([=](auto width) { Loops<width>::row_of_dots(x, b, target, c); });
  } else {
    vectorized([=](auto width) { Loops<width>::row_product(x, b, target, c); });
  }
}

/// True if a matrix of one row or column is contiguous.
bool follow_each_other(const MatrixView& m) { return m.rows == 1 || m.stride == 1; }

}  // namespace

bool suits_small_product(const MatrixView& a, const MatrixView& b) {
  const Index m = a.outer(), k = a.inner(), n = b.inner();
  if (m == 1) return follow_each_other(a);
  if (n == 1) return follow_each_other(b);
  return !a.transposed && n > 8 && n <= 16 && m * n > 1'000'000 / k;
}

void small_product(const MatrixView& a, const MatrixView& b, Real alpha, const Sink& c) {
  const Target target{alpha, c.accumulates()};
  if (a.outer() == 1) return one_row(a.data, b, target, c.data());
  if (b.inner() == 1) return one_row(b.data, transposed(a), target, c.data());
  vectorized([=, to = c.data()](auto width) { Loops<width>::product(a, b, target, to); });
}

}  // namespace cornu::detail
