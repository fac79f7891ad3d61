#pragma once

#include <algorithm>

#include "cornu/core/kernels/row_product.h"
#include "cornu/core/kernels/vector_types.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

namespace cornu::detail {

/// Products of rows, for loops inside `vectorized`.
template <int bytes>
struct RowLoops {
  using Vector = detail::Vector<bytes>;
  static constexpr Index lanes = bytes / static_cast<Index>(sizeof(Real));
  static constexpr Index most_vectors = 8;  // whose sums are in registers at a time

  /// Rounded up to whole vectors.
  static constexpr Index whole(Index columns) { return (columns + lanes - 1) / lanes * lanes; }

  [[gnu::always_inline]] static void product(const RowProduct& p, Real* out) {
    const Index vectors = whole(p.columns) / lanes;
    // Divided about equally: a single vector costs nearly as much as four.
    const Index parts = (vectors + most_vectors - 1) / most_vectors, even = (vectors + parts - 1) / parts;
    for (Index done = 0; done < vectors; done += even)
      part_of<most_vectors>(std::min(even, vectors - done), p, done * lanes, out);
  }

 private:
  template <Index most>
  [[gnu::always_inline]] static void part_of(Index vectors, const RowProduct& p, Index first, Real* out) {
    if constexpr (most > 0) {
      vectors == most ? part<most>(p, first, out) : part_of<most - 1>(vectors, p, first, out);
    }
  }

  /// `vectors` registers of columns from `first` on. Few of them are summed in several parts, to hide the latency.
  template <Index vectors>
  [[gnu::always_inline]] static void part(const RowProduct& p, Index first, Real* out) {
    constexpr Index sets = vectors > 6 ? 1 : vectors > 2 ? 2 : 4;
    Vector sums[sets][vectors] = {};
    if (p.bias != nullptr) {
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) load(sums[0][v], p.bias + first + v * lanes);
    }
    add(p.a, p.a_count, p.a_matrix + first, p.step, sums);
    if (p.b_count > 0) add(p.b, p.b_count, p.b_matrix + first, p.step, sums);
#pragma GCC unroll 16
    for (Index s = 1; s < sets; ++s) {
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) sums[0][v] += sums[s][v];
    }
#pragma GCC unroll 16
    for (Index v = 0; v < vectors; ++v) store(sums[0][v], out + first + v * lanes);
  }

  template <Index vectors, Index sets>
  [[gnu::always_inline]] static void add(const Real* x, Index count, const Real* matrix, Index step,
                                         Vector (&sums)[sets][vectors]) {
    Index k = 0;
    for (; k + sets <= count; k += sets, matrix += sets * step) {
#pragma GCC unroll 16
      for (Index s = 0; s < sets; ++s) {
#pragma GCC unroll 16
        for (Index v = 0; v < vectors; ++v) {
          Vector row;
          load(row, matrix + s * step + v * lanes);
          sums[s][v] += x[k + s] * row;
        }
      }
    }
    for (; k < count; ++k, matrix += step) {
#pragma GCC unroll 16
      for (Index v = 0; v < vectors; ++v) {
        Vector row;
        load(row, matrix + v * lanes);
        sums[0][v] += x[k] * row;
      }
    }
  }
};

}  // namespace cornu::detail

#pragma GCC diagnostic pop
