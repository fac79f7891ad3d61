#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>

#include "cornu/core/kernels/kernels.h"

/// Sums and maxima in `lane_count` lanes, and tiles of lanes, for loops inside `vectorized`.
namespace cornu {

inline constexpr Index lane_count = 16;  // columns processed together: a cache line of floats
/// One row of a tile, an element per lane.
template <class T = Real>
using LanesOf = std::array<T, lane_count>;
using Lanes = LanesOf<>;

namespace detail {

/// sums[j] += f(i, j) over rows i in [first, last), for j < width <= lane_count.
template <class F>
[[gnu::always_inline]] inline void add_rows(Index first, Index last, Index width, F f, Lanes& sums) {
  if (width == lane_count) {  // a constant bound lets the compiler keep the sums in registers
    for (Index i = first; i < last; ++i) {
      for (Index j = 0; j < lane_count; ++j) sums[static_cast<std::size_t>(j)] += f(i, j);
    }
  } else {
    for (Index i = first; i < last; ++i) {
      for (Index j = 0; j < width; ++j) sums[static_cast<std::size_t>(j)] += f(i, j);
    }
  }
}

[[gnu::always_inline]] inline void add(Lanes& sums, const Lanes& others) {
  for (std::size_t j = 0; j < lane_count; ++j) sums[j] += others[j];
}

/// The maximum of a and b; NaN if either is.
[[gnu::always_inline]] inline Real larger(Real a, Real b) {
  const Real number = b > a ? b : a;  // two selections without a branch; `or` would branch
  return b != b ? b : number;
}

/// The minimum of a and b; NaN if either is.
[[gnu::always_inline]] inline Real smaller(Real a, Real b) {
  const Real number = b < a ? b : a;
  return b != b ? b : number;
}

}  // namespace detail

/// The sum of f(i, j) over all rows i, for each j < width. Pairwise: blocks of plain_rows rows are summed in order,
/// then pairs of these sums, pairs of those, and so on.
template <class F>
[[gnu::always_inline]] inline Lanes sum_tile(Index rows, Index width, F f) {
  constexpr Index plain_rows = 32;
  Lanes sums{};
  if (rows <= plain_rows) {
    detail::add_rows(0, rows, width, f, sums);
    return sums;
  }
  // waiting[level] is the sum of 2^level blocks, valid if bit `level` of `blocks` is set.
  std::array<Lanes, 58> waiting;
  std::uint64_t blocks = 0;
  for (Index first = 0; first < rows; first += plain_rows, ++blocks) {
    sums = {};
    detail::add_rows(first, std::min(first + plain_rows, rows), width, f, sums);
    std::size_t level = 0;
    for (; (blocks >> level & 1) != 0; ++level) detail::add(sums, waiting[level]);
    waiting[level] = sums;
  }
  sums = {};
  for (std::size_t level = 0; blocks >> level != 0; ++level) {
    if ((blocks >> level & 1) != 0) detail::add(sums, waiting[level]);
  }
  return sums;
}

/// The sums of the columns of x, a matrix with a row stride.
[[gnu::always_inline]] inline Lanes sum_tile(const Real* x, Index rows, Index stride, Index width) {
  return sum_tile(rows, width, [=](Index i, Index j) { return x[i * stride + j]; });
}

/// Calls put(j, sum over i of f(i, j)) for each column j. Sums pairwise.
template <class F, class Put>
[[gnu::always_inline]] inline void sum_columns(Index rows, Index columns, F f, Put put) {
  for (Index first = 0; first < columns; first += lane_count) {
    const Index width = std::min(lane_count, columns - first);
    const Lanes sums = sum_tile(rows, width, [=](Index i, Index j) { return f(i, first + j); });
    for (Index j = 0; j < width; ++j) put(first + j, sums[static_cast<std::size_t>(j)]);
  }
}

/// The maximum over `rows` > 0 rows, for each column; NaN if the column has one. Or the minimum: pick is
/// detail::larger or detail::smaller.
template <class Pick>
[[gnu::always_inline]] inline Lanes extreme_tile(const Real* x, Index rows, Index stride, Index width, Pick pick) {
  Lanes best{};
  if (width == lane_count) {
    for (std::size_t j = 0; j < lane_count; ++j) best[j] = x[j];
    for (Index i = 1; i < rows; ++i) {
#pragma GCC unroll 1  // g++ does not vectorize the unrolled loop
      for (std::size_t j = 0; j < lane_count; ++j) {
        best[j] = pick(best[j], x[i * stride + static_cast<Index>(j)]);
      }
    }
  } else {
    std::copy_n(x, width, best.begin());
    for (Index i = 1; i < rows; ++i) {
      for (std::size_t j = 0; j < static_cast<std::size_t>(width); ++j) {
        best[j] = pick(best[j], x[i * stride + static_cast<Index>(j)]);
      }
    }
  }
  return best;
}

/// Reduces the lanes to one value by halving.
template <class T, class F>
[[gnu::always_inline]] inline T fold_lanes(LanesOf<T> lanes, F f) {
  for (std::size_t half = lane_count / 2; half > 0; half /= 2) {
    for (std::size_t j = 0; j < half; ++j) lanes[j] = f(lanes[j], lanes[j + half]);
  }
  return lanes[0];
}

/// The sum of f(i) for i < n: over rows of lanes (the last one may be partial), then over the lanes.
template <class F>
[[gnu::always_inline]] inline Real sum_numbers(Index n, F f) {
  if (n < lane_count) {
    Real sum = 0;
    for (Index i = 0; i < n; ++i) sum += f(i);
    return sum;
  }
  const Index rows = n / lane_count;
  const auto at = [=](Index i, Index j) { return f(i * lane_count + j); };
  Lanes sums = sum_tile(rows, lane_count, at);
  detail::add_rows(rows, rows + 1, n % lane_count, at, sums);
  return fold_lanes(sums, [](Real a, Real b) { return a + b; });
}

/// Slices of a tensor along an axis, copied into rows of lane_count elements. A tile holds up to lane_count slices, one
/// per lane; or, if a slice is long or the only one, a single slice in row-major order. Operations on whole rows are
/// the same for both.
class SliceTile {
 public:
  /// The tile starting at slice `first`.
  [[gnu::always_inline]] SliceTile(const AxisSplit& split, Index first)
      : first_(first),
        n_(split.n),
        inner_(split.inner),
        one_(is_one(split)),
        slices_(one_ ? 1 : std::min(lane_count, split.slices() - first)),
        rows_(rows(split)) {}

  /// Rows and elements of a tile.
  static Index rows(const AxisSplit& split) {
    return is_one(split) ? (split.n + lane_count - 1) / lane_count : split.n;
  }
  static Index size(const AxisSplit& split) { return rows(split) * lane_count; }

  Index first() const { return first_; }
  Index slices() const { return slices_; }
  Index rows() const { return rows_; }
  Index size() const { return rows_ * lane_count; }

  /// Fills the tile with f(slice)(k) for element k of each slice. The rest of a single slice's last row becomes `rest`.
  template <class F>
  [[gnu::always_inline]] void make(Real* tile, Real rest, F f) const {
    if (one_) {
      const auto number = f(first_);
      for (Index k = 0; k < n_; ++k) tile[k] = number(k);
      for (Index k = n_; k < size(); ++k) tile[k] = rest;
      return;
    }
    for (Index lane = 0; lane < lane_count; lane += 4) {  // four at a time, to write each cache line less often
      const auto n0 = f(slice_of(lane)), n1 = f(slice_of(lane + 1)), n2 = f(slice_of(lane + 2)),
                 n3 = f(slice_of(lane + 3));
      for (Index k = 0; k < n_; ++k) {
        const std::array<Real, 4> numbers = {n0(k), n1(k), n2(k), n3(k)};
        std::copy(numbers.begin(), numbers.end(), tile + k * lane_count + lane);
      }
    }
  }
  /// tile = the slices of x.
  [[gnu::always_inline]] void load(const Real* x, Real rest, Real* tile) const {
    if (side_by_side()) {
      for (Index k = 0; k < n_; ++k) std::copy_n(x + begin(first_) + k * inner_, lane_count, tile + k * lane_count);
      return;
    }
    make(tile, rest, [=, this](Index slice) {
      return [from = x + begin(slice), step = inner_](Index k) { return from[k * step]; };
    });
  }
  /// Writes the tile back to the slices of `to`, or adds it.
  [[gnu::always_inline]] void store(const Real* tile, bool accumulates, Real* to) const {
    const auto at = [=](const Real* old, Real value) { return accumulates ? *old + value : value; };
    if (one_) {
      Real* const slice = to + begin(first_);
      for (Index k = 0; k < n_; ++k) slice[k] = at(slice + k, tile[k]);
    } else if (side_by_side()) {
      for (Index k = 0; k < n_; ++k) {
        Real* const row = to + begin(first_) + k * inner_;
        for (Index lane = 0; lane < lane_count; ++lane) row[lane] = at(row + lane, tile[k * lane_count + lane]);
      }
    } else {
      for (Index lane = 0; lane < slices_; lane += 4) {
        Real *const p0 = to + begin(slice_of(lane)), *const p1 = to + begin(slice_of(lane + 1)),
                    *const p2 = to + begin(slice_of(lane + 2)), *const p3 = to + begin(slice_of(lane + 3));
        for (Index k = 0; k < n_; ++k) {  // unused lanes repeat the last slice: read all four before writing
          const Real* const from = tile + k * lane_count + lane;
          const Index i = k * inner_;
          const Real v0 = at(p0 + i, from[0]), v1 = at(p1 + i, from[1]), v2 = at(p2 + i, from[2]),
                     v3 = at(p3 + i, from[3]);
          p0[i] = v0;
          p1[i] = v1;
          p2[i] = v2;
          p3[i] = v3;
        }
      }
    }
  }

  /// The sum or maximum of each lane's slice.
  [[gnu::always_inline]] Lanes sum(const Real* tile) const {
    return per_slice(sum_tile(tile, rows_, lane_count, lane_count), std::plus<>{});
  }
  [[gnu::always_inline]] Lanes max(const Real* tile) const {
    return per_slice(extreme_tile(tile, rows_, lane_count, lane_count, detail::larger), detail::larger);
  }
  /// The sum of f(i) over the tile positions i of each slice, in double.
  template <class F>
  [[gnu::always_inline]] LanesOf<double> sum_in_double(F f) const {
    LanesOf<double> sums{};
    for (Index row = 0; row < size(); row += lane_count) {
#pragma GCC unroll 1  // see extreme_tile
      for (std::size_t lane = 0; lane < lane_count; ++lane) {
        sums[lane] += static_cast<double>(f(row + static_cast<Index>(lane)));
      }
    }
    return per_slice(sums, std::plus<>{});
  }

  /// tile[i] = f(i, lane) for every element. f may read from `tile` at i.
  template <class F>
  [[gnu::always_inline]] void each(Real* tile, F f) const {
    for (Index row = 0; row < size(); row += lane_count) {
      Lanes made;
      for (std::size_t lane = 0; lane < lane_count; ++lane) made[lane] = f(row + static_cast<Index>(lane), lane);
      std::copy(made.begin(), made.end(), tile + row);
    }
  }

 private:
  static bool is_one(const AxisSplit& split) {
    constexpr Index long_slice = 64;  // transposing it costs more than reducing across lanes
    return split.inner == 1 && (split.n > long_slice || split.outer == 1);
  }

  /// Results per slice. For a single slice the lanes are reduced, and every lane gets the result.
  template <class T, class F>
  [[gnu::always_inline]] LanesOf<T> per_slice(LanesOf<T> lanes, F f) const {
    if (one_) lanes.fill(fold_lanes(lanes, f));
    return lanes;
  }

  /// The slice of a lane. Unused lanes repeat the last slice.
  Index slice_of(Index lane) const { return first_ + std::min(lane, slices_ - 1); }
  /// True if the elements of a row are contiguous in the tensor.
  bool side_by_side() const { return inner_ > 1 && slices_ == lane_count && first_ % inner_ + lane_count <= inner_; }
  /// Offset of a slice in the tensor.
  Index begin(Index slice) const { return inner_ == 1 ? slice * n_ : slice / inner_ * (n_ * inner_) + slice % inner_; }

  Index first_, n_, inner_;
  bool one_;
  Index slices_, rows_;
};

/// Calls f(tile) for tiles that cover all slices of a tensor.
template <class F>
[[gnu::always_inline]] inline void each_slice_tile(const AxisSplit& split, F f) {
  for (Index first = 0; first < split.slices() && split.n > 0;) {
    const SliceTile tile(split, first);
    f(tile);
    first += tile.slices();
  }
}

}  // namespace cornu
