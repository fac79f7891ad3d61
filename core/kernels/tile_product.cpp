#include "cornu/core/kernels/tile_product.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "cornu/core/kernels/vector_types.h"
#include "cornu/core/kernels/vectorized.h"

namespace cornu::detail {

namespace {

/// Calls f with 0, 1, ... count - 1 as constants. The loop is always unrolled, so that arrays indexed in it can be kept
/// in registers.
template <Index count, class F>
inline void unrolled(F f) {
  [&]<Index... i>(std::integer_sequence<Index, i...>) { (f(std::integral_constant<Index, i>()), ...); }
  (std::make_integer_sequence<Index, count>());
}

// Stores the last columns if they do not fill a vector. Not inlined, to keep the code of each tile small.
[[gnu::noinline]] void store_columns(const Real* results, Index rows, Index width, const TileProduct& p, Real least,
                                     Real* out) {
  for (Index r = 0; r < rows; ++r) {
    for (Index j = 0; j < p.columns; ++j) out[r * p.out_row + j] = std::max(results[r * width + j], least);
  }
}

/// True if there is a tile with `rows` rows. Above 8 only even heights are compiled, because tall tiles are most of the
/// code.
constexpr bool is_height(Index rows) { return rows <= 8 || rows % 2 == 0; }

/// Height of the next tile if `rows` rows are left: rows are divided about equally between tiles.
Index next_tile(Index rows, Index most) {
  const Index tiles = (rows + most - 1) / most, even = (rows + tiles - 1) / tiles;
  return is_height(even) ? even : tiles == 1 ? (even + 1) / 2 : even + 1;
}

/// Products with vectors of `lanes` elements, for a processor with `registers` vector registers.
template <Index lanes, Index registers>
struct TileKernel {
  static constexpr int bytes = lanes * static_cast<int>(sizeof(Real));
  using Vector = detail::Vector<bytes>;

  // Mask table: `lanes` all-ones entries, then `lanes` zeros.
  using Bit = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;
  using Bits = detail::Vector<bytes, Bit>;
  static constexpr std::array<Bit, 2 * lanes> column_bits = [] {
    std::array<Bit, 2 * lanes> bits{};
    for (std::size_t i = 0; i < lanes; ++i) bits[i] = -1;
    return bits;
  }();

  /// Most rows of a tile. Registers hold the sums, the right operand's row (one or two) and temporaries. With fewer or
  /// narrower registers, more rows soon only increase the code size.
  static constexpr Index most_rows(Index vectors) {
    const Index enough = registers == 32 ? 14 : sizeof(Vector) == 32 ? 10 : 6;
    return std::min(enough, (registers - 4) / vectors);
  }

  template <Index vectors>
  static void run(const TileProduct& p) {
    constexpr Index most = most_rows(vectors);
    for (Index outer = 0; outer < p.outer; ++outer) {
      for (Index row = 0, rows = 0; row < p.rows; row += rows) {
        rows = next_tile(p.rows - row, most);
        const Real* const left = p.left + outer * p.left_outer + row * p.left_row;
        Real* const out = p.out + outer * p.out_outer + row * p.out_row;
        unrolled<most>([&](auto i) {
          if constexpr (is_height(i + 1)) {
            if (rows == i + 1) tile<i + 1, vectors>(p, left, out);
          }
        });
      }
    }
  }

  template <Index rows, Index vectors>
  static void tile(const TileProduct& p, const Real* left, Real* out) {
    // An fma has a latency of four cycles and a throughput of two per cycle, so at least eight independent sums are
    // needed. Small tiles split each sum into `sets` interleaved ones.
    constexpr Index sets = rows * vectors >= 8 ? 1 : rows * vectors >= 4 ? 2 : 4;
    Vector sums[sets][rows][vectors];
    unrolled<sets>([&](auto set) {
      unrolled<rows * vectors>([&](auto i) {
        if (p.bias != nullptr && set == 0) {
          load(sums[set][i / vectors][i % vectors], p.bias + i % vectors * lanes);
        } else {
          sums[set][i / vectors][i % vectors] = Vector{};
        }
      });
    });
    const Real* right = p.right;
    const Index left_row = p.left_row, right_step = p.right_step, step = p.step;
    // One pointer per three rows, so that address registers suffice for 14 rows: a load can add one or two strides to
    // its address. With multiples of the stride for all rows, g++ kept some of them in vector registers, and moving
    // them made the forward pass 7% slower.
    constexpr Index pointers = (rows + 2) / 3;
    for (Index segment = 0; segment < p.segments; ++segment) {
      const Real* first = left + segment * p.segment_stride;
      for (Index part = 0; part < p.parts; ++part, first += p.part_stride) {
        if (part == p.wrap_part) [[unlikely]]
          first -= p.wrap;  // a branch, so that loads need not wait
        const Real* at[pointers];
        unrolled<pointers>([&](auto i) { at[i] = first + 3 * i * left_row; });
        const auto add_product = [&](Vector(&sum)[rows][vectors]) {
          Vector row[vectors];
          unrolled<vectors>([&](auto v) { load(row[v], right + v * lanes); });
          unrolled<rows>([&](auto r) {
            const Real number = at[r / 3][r % 3 * left_row];
            unrolled<vectors>([&](auto v) { sum[r][v] += number * row[v]; });
          });
          unrolled<pointers>([&](auto i) { at[i] += step; });
          right += right_step;
        };
        Index k = 0;
        for (; k + sets <= p.length; k += sets) {
          unrolled<sets>([&](auto set) { add_product(sums[set]); });
        }
        for (; sets > 1 && k < p.length; ++k) add_product(sums[0]);
      }
    }
    unrolled<(sets - 1) * rows * vectors>([&](auto i) {
      constexpr Index set = i / (rows * vectors) + 1, r = i / vectors % rows, v = i % vectors;
      sums[0][r][v] += sums[set][r][v];
    });
    p.bias != nullptr ? store<rows, vectors * lanes>(p, sums[0], out) : add(p, sums[0], out);
  }

  template <Index rows, Index width>
  static void store(const TileProduct& p, const Vector (&sums)[rows][width / lanes], Real* out) {
    Real results[rows * width];
    std::memcpy(results, sums, sizeof results);
    const Real least = p.relu ? Real{0} : -std::numeric_limits<Real>::infinity();
    const bool whole =
        p.columns == width || (p.spill_end != nullptr && p.spill_end - out >= (rows - 1) * p.out_row + width);
    if (whole) {
      for (Index r = 0; r < rows; ++r) at_least<width>(least, results + r * width, out + r * p.out_row);
    } else {
      store_columns(results, rows, width, p, least, out);
    }
  }

  template <Index width>
  static void at_least(Real least, const Real* __restrict from, Real* __restrict to) {
    // A plain loop, not unrolled: g++ compiles a comparison of vector types to scalar comparisons, even if the
    // processor can compare vectors.
#pragma GCC unroll 1
    for (Index i = 0; i < width; ++i) to[i] = from[i] < least ? least : from[i];  // a NaN stays
  }

  template <Index rows, Index vectors>
  static void add(const TileProduct& p, const Vector (&sums)[rows][vectors], Real* out) {
    // Masks the sums beyond the columns, which can be NaN: 0 times NaN or infinity.
    Bits wanted[vectors];
    unrolled<vectors>([&](auto v) {
      std::memcpy(&wanted[v], column_bits.data() + lanes - std::min(lanes, p.columns - v * lanes), sizeof wanted[v]);
    });
    unrolled<rows * vectors>([&](auto i) {
      constexpr Index r = i / vectors, v = i % vectors;
      Real* const to = out + r * p.out_row + v * lanes;
      Vector sum;
      load(sum, to);
      sum += reinterpret_cast<Vector>(reinterpret_cast<Bits>(sums[r][v]) & wanted[v]);
      detail::store(sum, to);
    });
  }
};

constexpr Index lanes_of(Index bytes) { return bytes / static_cast<Index>(sizeof(Real)); }

/// Elements in one vector.
Index lanes() {
  return lanes_of(widest_vectors() == Vectors::avx512 ? 64 : widest_vectors() == Vectors::avx2 ? 32 : 16);
}

template <Index bytes, Index registers>
void multiply_by(const TileProduct& product) {
  using Kernel = TileKernel<lanes_of(bytes), registers>;
  if (product.columns > lanes_of(bytes)) {
    Kernel::template run<2>(product);
  } else {
    Kernel::template run<1>(product);
  }
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

}  // namespace cornu::detail
