#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/kernels/window.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/window_attributes.h"

namespace cornu {

namespace {

/// The index of a tap in its window: an integer as wide as Real, so that vectors of both have the same number of lanes.
using Tap = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;

/// A pooling as a reduction over the taps of a window: `take` adds one tap to y and to the memory that the gradient
/// needs, `result` finishes y, and `part` is the share of dy that goes to a tap.
struct LargestTap {
  static constexpr const char* op = "max_pool2d";
  using Memory = Tap;  // the tap of the maximum
  static constexpr Real start = -std::numeric_limits<Real>::infinity();
  static void take(Real value, Tap tap, Real& y, Tap& memory) {
    // value != value: a NaN becomes the maximum. NOLINTNEXTLINE(misc-redundant-expression)
    const bool larger = (value > y) | (value != value);
    y = larger ? value : y;
    memory = larger ? tap : memory;
  }
  static Real result(Real y, Index) { return y; }
  static Real part(Real dy, Tap memory, Tap tap, Index) { return memory == tap ? dy : Real{0}; }
};
struct Average {
  static constexpr const char* op = "average_pool2d";
  struct Memory {  // empty
    Memory() = default;
    explicit Memory(Tap) {}
  };
  static constexpr Real start = 0;
  static void take(Real value, Tap, Real& y, Memory) { y += value; }
  static Real result(Real y, Index count) { return y / static_cast<Real>(count); }
  static Real part(Real dy, Memory, Tap, Index count) { return dy / static_cast<Real>(count); }
};

/// The most channels per vector. Not the widest vectors: few loads and stores are aligned, and wider ones cross cache
/// lines more often.
constexpr Index most_lanes = 32 / static_cast<Index>(sizeof(Real));
template <int bytes>
constexpr Index lanes_of(VectorBytes<bytes>) {
  return std::min(most_lanes, bytes / static_cast<Index>(sizeof(Real)));
}

// Loops over lanes. g++ and clang vectorize them if the trip count is constant, the loop itself is not unrolled, all
// inner loops are, and pointers are `__restrict`.

/// A window of size x size inside the image. Pixels are `column` elements apart, rows `row` elements.
template <class Pooling, Index lanes, Index size>
[[gnu::always_inline]] inline void pool_lanes(const Real* __restrict x, Index row, Index column, Real* __restrict y,
                                              typename Pooling::Memory* __restrict memory) {
#pragma GCC unroll 1
  for (Index k = 0; k < lanes; ++k) {
    Real result = Pooling::start;
    typename Pooling::Memory what{};
#pragma GCC unroll 3
    for (Index u = 0; u < size; ++u) {
#pragma GCC unroll 3
      for (Index v = 0; v < size; ++v) {
        Pooling::take(x[u * row + v * column + k], static_cast<Tap>(u * size + v), result, what);
      }
    }
    y[k] = Pooling::result(result, size * size);
    memory[k] = what;
  }
}

/// One tap of a window.
template <class Pooling, Index lanes>
[[gnu::always_inline]] inline void take_lanes(const Real* __restrict x, Tap tap, Real* __restrict y,
                                              typename Pooling::Memory* __restrict memory) {
#pragma GCC unroll 1
  for (Index k = 0; k < lanes; ++k) Pooling::take(x[k], tap, y[k], memory[k]);
}

/// The gradient of a tap.
template <class Pooling, Index lanes, bool adds>
[[gnu::always_inline]] inline void spread_lanes(const Real* __restrict dy,
                                                const typename Pooling::Memory* __restrict memory, Tap tap, Index count,
                                                Real* __restrict dx) {
#pragma GCC unroll 1
  for (Index k = 0; k < lanes; ++k) {
    dx[k] = (adds ? dx[k] : Real{0}) + Pooling::part(dy[k], memory[k], tap, count);
  }
}

/// Calls f(c, lanes) for all channels, in steps of 4 and then 1, never past the last.
template <class F>
[[gnu::always_inline]] inline void each_lanes(Index channels, F f) {
  Index c = 0;
  for (; c + 4 <= channels; c += 4) f(c, std::integral_constant<Index, 4>());
  for (; c < channels; ++c) f(c, std::integral_constant<Index, 1>());
}

/// Pools the part of window (i, j) inside the image; any window size.
template <class Pooling>
[[gnu::noinline]] void pool_window(const detail::Window& w, const Real* image, Index i, Index j, Real* y,
                                   typename Pooling::Memory* memory) {
  const Index u0 = w.y.first_tap(i), u1 = w.y.last_tap(i), v0 = w.x.first_tap(j), v1 = w.x.last_tap(j);
  std::fill_n(y, w.channels, Pooling::start);
  std::fill_n(memory, w.channels, static_cast<typename Pooling::Memory>(static_cast<Tap>(u0 * w.x.taps + v0)));
  for (Index u = u0; u < u1; ++u) {
    for (Index v = v0; v < v1; ++v) {
      const Real* const x = image + ((w.y.start(i) + u) * w.x.in + w.x.start(j) + v) * w.channels;
      const Tap tap = static_cast<Tap>(u * w.x.taps + v);
      each_lanes(w.channels, [=](Index c, auto lanes) { take_lanes<Pooling, lanes>(x + c, tap, y + c, memory + c); });
    }
  }
  for (Index c = 0; c < w.channels; ++c) y[c] = Pooling::result(y[c], (u1 - u0) * (v1 - v0));
}

/// Adds the gradient of one tap to dx.
template <class Pooling>
[[gnu::noinline]] void add_part(const Real* dy, const typename Pooling::Memory* memory, Tap tap, Index count, Real* dx,
                                Index channels) {
  each_lanes(channels,
             [=](Index c, auto lanes) { spread_lanes<Pooling, lanes, true>(dy + c, memory + c, tap, count, dx + c); });
}

/// True if a row of pixels can be processed in whole vectors. These may reach past a pixel's channels; what they write
/// there is overwritten later. `after` is the number of elements after the row.
bool has_room(const detail::Window& w, Index after) { return w.channels % most_lanes == 0 || after >= most_lanes; }

/// Pools all windows; those of 2 x 2 and 3 x 3 in whole vectors.
template <class Pooling>
void pool_forward(const detail::Window& window, const Real* x_begin, Real* y_begin,
                  typename Pooling::Memory* memory_begin) {
  vectorized([=, w = window](auto bytes) {
    constexpr Index lanes = lanes_of(bytes);
    const Index channels = w.channels, row = w.x.in * channels, y_row = w.x.out * channels;
    const Real* image = x_begin;
    Real* y = y_begin;
    typename Pooling::Memory* memory = memory_begin;
    for (Index left = w.batch; left > 0; --left, image += w.y.in * row) {
      for (Index i = 0; i < w.y.out; ++i) {
        const Index x_after = (left * w.y.in - w.y.start(i) - w.y.taps) * row,
                    y_after = (left * w.y.out - i - 1) * y_row;
        const bool fast = w.y.is_whole(i) && w.y.taps == w.x.taps && has_room(w, std::min(x_after, y_after));
        const Index size = fast ? w.x.taps : 0;
        Index at = w.y.start(i) * row + w.x.start(0) * channels;  // outside the image if there is padding
        for (Index j = 0; j < w.x.out; ++j, at += w.x.stride * channels, y += channels, memory += channels) {
          if (size == 2 && w.x.is_whole(j)) {
            for (Index c = 0; c < channels; c += lanes) {
              pool_lanes<Pooling, lanes, 2>(image + at + c, row, channels, y + c, memory + c);
            }
          } else if (size == 3 && w.x.is_whole(j)) {
            for (Index c = 0; c < channels; c += lanes) {
              pool_lanes<Pooling, lanes, 3>(image + at + c, row, channels, y + c, memory + c);
            }
          } else {
            pool_window<Pooling>(w, image, i, j, y, memory);
          }
        }
      }
    }
  });
}

/// Adds the gradients of all taps of all windows to dx.
template <class Pooling>
void spread_windows(const detail::Window& w, const Real* dy, const typename Pooling::Memory* memory, Real* dx) {
  for (Index image = 0; image < w.batch; ++image, dx += w.y.in * w.x.in * w.channels) {
    for (Index i = 0; i < w.y.out; ++i) {
      const Index u0 = w.y.first_tap(i), u1 = w.y.last_tap(i);
      for (Index j = 0; j < w.x.out; ++j, dy += w.channels, memory += w.channels) {
        const Index v0 = w.x.first_tap(j), v1 = w.x.last_tap(j);
        for (Index u = u0; u < u1; ++u) {
          for (Index v = v0; v < v1; ++v) {
            add_part<Pooling>(dy, memory, static_cast<Tap>(u * w.x.taps + v), (u1 - u0) * (v1 - v0),
                              dx + ((w.y.start(i) + u) * w.x.in + w.x.start(j) + v) * w.channels, w.channels);
          }
        }
      }
    }
  }
}

/// dx for windows two pixels wide that cover each pixel exactly once.
template <class Pooling>
void spread_tiles(const detail::Window& window, const Real* dy_begin, const typename Pooling::Memory* memory_begin,
                  Real* dx_begin) {
  const Index all = window.batch * window.y.out;
  Index rows = all;
  while (rows > 0 && !has_room(window, (all - rows) * window.x.out * window.channels)) --rows;
  vectorized([=, w = window](auto bytes) {
    constexpr Index lanes = lanes_of(bytes);
    const Index channels = w.channels, y_row = w.x.out * channels, count = w.y.taps * 2;
    const Real* dy = dy_begin;
    const typename Pooling::Memory* memory = memory_begin;
    Real* dx = dx_begin;
    for (Index i = 0; i < rows; ++i, dy += y_row, memory += y_row) {
      for (Index tap = 0; tap < count; tap += 2) {
        for (Index j = 0; j < y_row; j += channels, dx += 2 * channels) {
          for (Index c = 0; c < channels; c += lanes) {
            spread_lanes<Pooling, lanes, false>(dy + j + c, memory + j + c, static_cast<Tap>(tap), count, dx + c);
          }
          for (Index c = 0; c < channels; c += lanes) {
            spread_lanes<Pooling, lanes, false>(dy + j + c, memory + j + c, static_cast<Tap>(tap + 1), count,
                                                dx + channels + c);
          }
        }
      }
    }
  });
  // The remaining rows are processed as one image.
  detail::Window rest = window;
  rest.batch = 1;
  rest.y.out = all - rows;
  rest.y.in = rest.y.out * rest.y.taps;
  const Index done = rows * window.x.out * window.channels, count = window.y.taps * 2;
  std::fill_n(dx_begin + done * count, rest.y.in * rest.x.in * rest.channels, Real{0});
  spread_windows<Pooling>(rest, dy_begin + done, memory_begin + done, dx_begin + done * count);
}

template <class Pooling>
Var pool(const detail::Window& w, Var x) {
  using Memory = typename Pooling::Memory;
  const detail::WindowAttributes attributes(w);
  Var y = x.tape().output(
      w.result(w.channels), {x},
      {Pooling::op, {{"size", attributes.size}, {"strides", attributes.strides}, {"pads", attributes.pads}}});
  auto* const memory = static_cast<Memory*>(x.tape().allocate(static_cast<std::size_t>(y.size()) * sizeof(Memory)));
  pool_forward<Pooling>(w, x.value().data(), y.out().data(), memory);
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      const auto tiles = [](const detail::WindowAxis& axis) {
        return axis.taps == axis.stride && axis.before == 0 && axis.in == axis.out * axis.taps;
      };
      if (!dx.accumulates() && w.x.taps == 2 && tiles(w.x) && tiles(w.y)) {
        spread_tiles<Pooling>(w, y.grad().data(), memory, dx.data());
      } else {
        if (!dx.accumulates()) fill(dx.view(), 0);
        spread_windows<Pooling>(w, y.grad().data(), memory, dx.data());
      }
    }
  });
}

}  // namespace

Var max_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options) {
  return pool<LargestTap>(detail::Window("max_pool2d", x.shape(), pool_size, options), x);
}

Var average_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options) {
  return pool<Average>(detail::Window("average_pool2d", x.shape(), pool_size, options), x);
}

}  // namespace cornu
