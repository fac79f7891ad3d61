#include <cstdint>

#include "cornu/core/error.h"
#include "cornu/core/kernels.h"
#include "cornu/core/ops_images.h"
#include "cornu/core/window.h"

namespace cornu {

namespace {

/// Calls f(output pixel, input pixel, tap) for every tap of every window that lies in its image: pixels are counted
/// through the whole batch, taps row by row through the window.
template <class F>
void each_tap(const Window& w, F f) {
  for (Index image = 0; image < w.batch; ++image) {
    for (Index i = 0; i < w.y.out; ++i) {
      for (Index j = 0; j < w.x.out; ++j) {
        const Index to = (image * w.y.out + i) * w.x.out + j;
        for (Index u = w.y.first_tap(i); u < w.y.last_tap(i); ++u) {
          const Index row = (image * w.y.in + w.y.start(i) + u) * w.x.in + w.x.start(j);
          for (Index v = w.x.first_tap(j); v < w.x.last_tap(j); ++v) f(to, row + v, u * w.x.taps + v);
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
  auto* const taps =
      static_cast<std::int32_t*>(x.tape().allocate(static_cast<std::size_t>(y.size()) * sizeof(std::int32_t)));
  std::fill(taps, taps + y.size(), -1);
  Real* const out = y.out().data();
  const Real* const in = x.value().data();
  each_tap(w, [=](Index to, Index from, Index tap) {
    for (Index c = 0; c < channels; ++c) {
      const Real value = in[from * channels + c];
      Real& best = out[to * channels + c];
      std::int32_t& at = taps[to * channels + c];
      if (at < 0 || value > best || value != value) {  // a NaN is the maximum
        best = value;
        at = static_cast<std::int32_t>(tap);
      }
    }
  });
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      if (!dx.accumulates()) fill(dx.view(), 0);
      Real* const to_x = dx.data();
      const Real* const g = y.grad().data();
      each_tap(w, [=](Index to, Index from, Index tap) {
        for (Index c = 0; c < channels; ++c) {
          const Index at = to * channels + c;
          if (taps[at] == tap) to_x[from * channels + c] += g[at];
        }
      });
    }
  });
}

Var average_pool2d(Var x, Size2D pool_size, const Pool2DOptions& options) {
  const Window w("average_pool2d", x.shape(), pool_size, options);
  Var y = x.tape().output(w.result(w.channels), {x});
  const Index channels = w.channels;
  // One over the number of taps that the window of an output pixel has in the image.
  const auto weight = [w](Index pixel) {
    const Index j = pixel % w.x.out, i = pixel / w.x.out % w.y.out;
    return 1 / static_cast<Real>((w.y.last_tap(i) - w.y.first_tap(i)) * (w.x.last_tap(j) - w.x.first_tap(j)));
  };
  fill(y.out(), 0);
  Real* const out = y.out().data();
  const Real* const in = x.value().data();
  each_tap(w, [=](Index to, Index from, Index) {
    for (Index c = 0; c < channels; ++c) out[to * channels + c] += in[from * channels + c];
  });
  for (Index pixel = 0; pixel < w.batch * w.y.out * w.x.out; ++pixel) {
    const Real scale = weight(pixel);
    for (Index c = 0; c < channels; ++c) out[pixel * channels + c] *= scale;
  }
  return y.backward([=] {
    if (Sink dx = x.sink()) {
      if (!dx.accumulates()) fill(dx.view(), 0);
      Real* const to_x = dx.data();
      const Real* const g = y.grad().data();
      each_tap(w, [=](Index to, Index from, Index) {
        const Real scale = weight(to);
        for (Index c = 0; c < channels; ++c) to_x[from * channels + c] += scale * g[to * channels + c];
      });
    }
  });
}

}  // namespace cornu
