#include <cstdint>
#include <cstring>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"
#include "cornu/core/ops_images.h"
#include "cornu/core/window.h"

namespace cornu {

namespace {

/// The number of a tap in its window: an integer of Real's width, as comparisons of vectors of Real give them.
using Tap = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;

/// Calls f(pixel of y, first pixel of x, rows, columns, tap of that pixel) for the part of each window that lies in its
/// image; pixels are counted through the whole batch.
template <class F>
void each_window(const Window& w, F f) {
  constexpr std::integral_constant<Index, 2> two;
  const bool inside = w.x.before == 0 && (w.x.out - 1) * w.x.stride + w.x.taps <= w.x.in;  // every window
  for (Index image = 0; image < w.batch; ++image) {
    for (Index i = 0; i < w.y.out; ++i) {
      const Index u = w.y.first_tap(i), rows = w.y.last_tap(i) - u;
      const Index to = (image * w.y.out + i) * w.x.out, from = (image * w.y.in + w.y.start(i) + u) * w.x.in;
      for (Index j = 0; j < w.x.out; ++j) {
        // What cuts a window off takes two divisions to find out.
        const Index v = inside ? 0 : w.x.first_tap(j), columns = (inside ? w.x.taps : w.x.last_tap(j)) - v;
        if (rows == 2 && columns == 2) {  // the most frequent window by far, with loops that are unrolled
          f(to + j, from + w.x.start(j) + v, two, two, u * w.x.taps + v);
        } else {
          f(to + j, from + w.x.start(j) + v, rows, columns, u * w.x.taps + v);
        }
      }
    }
  }
}

/// Channels are gone through four floats at a time: that is what every processor compares. (g++ takes comparisons of
/// wider vectors apart before it compiles them for a processor that has them.)
constexpr Index lanes = 16 / sizeof(Real);
using Numbers [[gnu::vector_size(16)]] = Real;
using Taps [[gnu::vector_size(16)]] = Tap;

template <class Vector, class T>
void load(Vector& vector, const T* from, Index n) {
  n == lanes ? std::memcpy(&vector, from, sizeof vector)
             : std::memcpy(&vector, from, static_cast<std::size_t>(n) * sizeof(T));
}
template <class Vector, class T>
void store(const Vector& vector, T* to, Index n) {
  n == lanes ? std::memcpy(to, &vector, sizeof vector)
             : std::memcpy(to, &vector, static_cast<std::size_t>(n) * sizeof(T));
}

/// Calls f(first, n, fresh) for channels [first, first + n), n = `lanes`, until all had their turn. Where `lanes` does
/// not divide them the last ones begin earlier: of these the first `fresh` come for the second time. Where there are
/// fewer than `lanes` at all, n is less.
template <class F>
void each_lanes(Index channels, F f) {
  if (channels < lanes) {
    if (channels > 0) f(Index{0}, channels, Index{0});
    return;
  }
  for (Index c = 0; c < channels; c += lanes) {
    const Index first = std::min(c, channels - lanes);
    f(first, lanes, c - first);
  }
}

/// Gives each tap its part of the gradient of y: part(pixel of y, position in y, tap, numbers, n) turns n numbers of dy
/// into what the tap has of them.
template <class F>
void spread(const Window& w, const Real* dy, const Sink& dx, F part) {
  const Index channels = w.channels, image_size = w.y.in * w.x.in * channels;
  Tap places[lanes];
  for (Index k = 0; k < lanes; ++k) places[k] = static_cast<Tap>(k);
  Taps place;
  load(place, places, lanes);
  // Windows that do not overlap give each number of x one part at most: nothing has to be added up.
  const bool overlap = w.y.stride < w.y.taps || w.x.stride < w.x.taps;
  const auto tiles = [](const WindowAxis& axis) { return axis.before == 0 && axis.in == axis.out * axis.taps; };
  const bool adds = dx.accumulates() || overlap, covers = !overlap && tiles(w.y) && tiles(w.x);
  for (Index image = 0; image < w.batch; ++image) {
    Real* const start = dx.data() + image * image_size;
    if (!dx.accumulates() && !covers) std::fill(start, start + image_size, Real{0});
    for (Index i = 0; i < w.y.out; ++i) {
      for (Index u = w.y.first_tap(i); u < w.y.last_tap(i); ++u) {
        const Index to = (image * w.y.out + i) * w.x.out, from = (w.y.start(i) + u) * w.x.in;
        for (Index v = 0; v < w.x.taps; ++v) {
          // The windows whose tap v lies in the image.
          const Index stride = w.x.stride, reach = w.x.before - v;
          const Index begin = std::max(Index{0}, (reach + stride - 1) / stride);
          const Index end = reach + w.x.in > 0 ? std::min(w.x.out, (reach + w.x.in - 1) / stride + 1) : begin;
          // These innermost: a sum that was just stored is slow to load again, more so in part.
          each_lanes(channels, [&](Index first, Index n, Index fresh) {
            const Taps counts = place >= static_cast<Tap>(fresh);
            for (Index j = begin; j < end; ++j) {
              const Index at = (to + j) * channels + first;
              Real* const at_x = start + (from + w.x.start(j) + v) * channels + first;
              Numbers g{}, sum{};
              load(g, dy + at, n);
              part(to + j, at, u * w.x.taps + v, g, n);
              if (!adds) {
                store(g, at_x, n);
                continue;
              }
              load(sum, at_x, n);
              sum += counts ? g : Numbers{};
              store(sum, at_x, n);
            }
          });
        }
      }
    }
  }
}

}  // namespace

Var max_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options) {
  const Window w("max_pool2d", x.shape(), pool_size, options);
  Var y = x.tape().output(w.result(w.channels), {x});
  const Index channels = w.channels;
  // The tap that holds the maximum, for each number of y.
  Tap* const taps = static_cast<Tap*>(x.tape().allocate(static_cast<std::size_t>(y.size()) * sizeof(Tap)));
  const Real* const in = x.value().data();
  Real* const out = y.out().data();
  each_window(w, [=](Index to, Index from, auto rows, auto columns, Index first) {
    each_lanes(channels, [=](Index c, Index n, Index) {
      Numbers best{}, value{};
      load(best, in + from * channels + c, n);
      Taps at = Taps{} + static_cast<Tap>(first);
      for (Index u = 0; u < rows; ++u) {
        for (Index v = 0; v < columns; ++v) {
          load(value, in + (from + u * w.x.in + v) * channels + c, n);
          const Taps tap = Taps{} + static_cast<Tap>(first + u * w.x.taps + v);
          // A NaN, which alone differs from itself, is the maximum. NOLINTNEXTLINE(misc-redundant-expression)
          const Taps take = (value > best) | (value != value);
          best = take ? value : best;
          at = take ? tap : at;
        }
      }
      store(best, out + to * channels + c, n);
      store(at, taps + to * channels + c, n);
    });
  });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      spread(w, y.grad().data(), dx, [=](Index, Index at, Index tap, Numbers& g, Index n) {
        Taps chosen{};
        load(chosen, taps + at, n);
        g = chosen == static_cast<Tap>(tap) ? g : Numbers{};
      });
    }
  });
}

Var average_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options) {
  const Window w("average_pool2d", x.shape(), pool_size, options);
  Var y = x.tape().output(w.result(w.channels), {x});
  const Index channels = w.channels;
  const Real* const in = x.value().data();
  Real* const out = y.out().data();
  each_window(w, [=](Index to, Index from, auto rows, auto columns, Index) {
    each_lanes(channels, [=](Index c, Index n, Index) {
      Numbers sum{}, value{};
      for (Index u = 0; u < rows; ++u) {
        for (Index v = 0; v < columns; ++v) {
          load(value, in + (from + u * w.x.in + v) * channels + c, n);
          sum += value;
        }
      }
      sum /= static_cast<Real>(rows * columns);
      store(sum, out + to * channels + c, n);
    });
  });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      spread(w, y.grad().data(), dx, [=](Index to, Index, Index, Numbers& g, Index) {
        const Index j = to % w.x.out, i = to / w.x.out % w.y.out;
        g /= static_cast<Real>((w.y.last_tap(i) - w.y.first_tap(i)) * (w.x.last_tap(j) - w.x.first_tap(j)));
      });
    }
  });
}

}  // namespace cornu
