#include "cornu/core/tile_product.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cornu/core/vectorized.h"

namespace cornu {

namespace {

/// Calls f with 0, 1, ... count - 1 as constants: a loop that is unrolled whatever the compiler thinks of it, so that
/// an array that it indexes can live in registers.
template <Index count, class F>
inline void unrolled(F f) {
  [&]<Index... i>(std::integer_sequence<Index, i...>) { (f(std::integral_constant<Index, i>()), ...); }
  (std::make_integer_sequence<Index, count>());
}

/// Products on vectors of `lanes` numbers, by a processor that has so many vector registers.
template <Index lanes, Index registers>
struct TileKernel {
  // Vectors of the compilers, and not a plain loop over lanes, because neither compiler keeps an array of 28 sums that
  // are made by plain loops in registers reliably; g++ 12 was 4, clang 14 was 10 times slower.
  typedef Real Vector __attribute__((vector_size(lanes * sizeof(Real)), aligned(alignof(Real)), may_alias));

  /// Rows of a tile: most registers hold sums, one or two the right operand's row, the others what compilers need.
  static constexpr Index most_rows(Index vectors) { return std::min(Index{14}, (registers - 4) / vectors); }

  template <Index vectors>
  static void run(const TileProduct& p) {
    constexpr Index most = most_rows(vectors);
    const Index tiles = (p.rows + most - 1) / most, even = tiles == 0 ? 0 : (p.rows + tiles - 1) / tiles;
    for (Index outer = 0; outer < p.outer; ++outer) {
      for (Index row = 0; row < p.rows; row += even) {
        const Real* const left = p.left + outer * p.left_outer + row * p.left_row;
        Real* const out = p.out + outer * p.out_outer + row * p.out_row;
        const Index rows = std::min(even, p.rows - row);
        unrolled<most>([&](auto i) {
          if (rows == i + 1) tile<i + 1, vectors>(p, left, out);
        });
      }
    }
  }

  template <Index rows, Index vectors>
  static void tile(const TileProduct& p, const Real* left, Real* out) {
    Vector sums[rows][vectors];
    unrolled<rows * vectors>([&](auto i) { sums[i / vectors][i % vectors] = Vector{}; });
    const Real* right = p.right;
    const Index left_row = p.left_row, right_step = p.right_step, step = p.step;
    for (Index segment = 0; segment < p.segments; ++segment) {
      for (Index part = 0; part < p.parts; ++part) {
        const Real* at = left + segment * p.segment_stride + part * p.part_stride;
        for (Index k = 0; k < p.length; ++k) {
          Vector row[vectors];
          unrolled<vectors>([&](auto v) { row[v] = *reinterpret_cast<const Vector*>(right + v * lanes); });
          unrolled<rows>([&](auto r) {
            const Real number = at[r * left_row];
            unrolled<vectors>([&](auto v) { sums[r][v] += number * row[v]; });
          });
          at += step;
          right += right_step;
        }
      }
    }
    p.bias != nullptr ? store<rows, vectors>(p, sums, out) : add<rows, vectors>(p, sums, out);
  }

  template <Index rows, Index vectors>
  static void store(const TileProduct& p, Vector (&sums)[rows][vectors], Real* out) {
    const bool whole = p.columns == vectors * lanes ||
                       (p.spill_end != nullptr && p.spill_end - out >= (rows - 1) * p.out_row + vectors * lanes);
    unrolled<rows>([&](auto r) {
      Vector result[vectors];
      unrolled<vectors>([&](auto v) {
        const Vector y = sums[r][v] + *reinterpret_cast<const Vector*>(p.bias + v * lanes);
        result[v] = p.relu ? (y < Vector{} ? Vector{} : y) : y;  // a NaN stays
      });
      if (whole) {
        unrolled<vectors>([&](auto v) { *reinterpret_cast<Vector*>(out + r * p.out_row + v * lanes) = result[v]; });
      } else {
        std::memcpy(out + r * p.out_row, result, static_cast<std::size_t>(p.columns) * sizeof(Real));
      }
    });
  }

  template <Index rows, Index vectors>
  static void add(const TileProduct& p, Vector (&sums)[rows][vectors], Real* out) {
    Real places[lanes];
    for (Index j = 0; j < lanes; ++j) places[j] = static_cast<Real>(j);
    const Vector lane = *reinterpret_cast<const Vector*>(places);
    unrolled<vectors>([&](auto v) {
      const Vector columns = Vector{} + static_cast<Real>(p.columns - v * lanes);
      unrolled<rows>([&](auto r) {
        *reinterpret_cast<Vector*>(out + r * p.out_row + v * lanes) += lane < columns ? sums[r][v] : Vector{};
      });
    });
  }
};

constexpr Index lanes_of(Index bytes) { return bytes / static_cast<Index>(sizeof(Real)); }

/// Numbers in one vector.
Index lanes() {
  return lanes_of(widest_vectors() == Vectors::avx512 ? 64 : widest_vectors() == Vectors::avx2 ? 32 : 16);
}

template <Index bytes, Index registers>
void multiply_by(const TileProduct& product) {
  using Kernel = TileKernel<lanes_of(bytes), registers>;
  product.columns > lanes_of(bytes) ? Kernel::template run<2>(product) : Kernel::template run<1>(product);
}

}  // namespace

Index tile_most_columns() { return 2 * lanes(); }

Index tile_columns(Index columns) { return (columns + lanes() - 1) / lanes() * lanes(); }

void multiply(const TileProduct& product) {
#ifdef __x86_64__
  switch (widest_vectors()) {
    case Vectors::avx512:
      return detail::with_avx512([&] { multiply_by<64, 32>(product); });
    case Vectors::avx2:
      return detail::with_avx2([&] { multiply_by<32, 16>(product); });
    case Vectors::any:
      break;
  }
#endif
  multiply_by<16, 16>(product);
}

}  // namespace cornu
