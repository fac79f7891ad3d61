#include "cornu/core/ops/convolve.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vectorized.h"

namespace cornu::detail {

namespace {

bool all_finite(const ConstView& x) {
  bool result = true;
  vectorized([&result, from = x.data(), n = x.size()] {
    using Flag = std::conditional_t<sizeof(Real) == 4, std::int32_t, std::int64_t>;
    Flag other = 0;
    for (Index i = 0; i < n; ++i) other |= static_cast<Flag>(!(std::abs(from[i]) <= std::numeric_limits<Real>::max()));
    result = other == 0;
  });
  return result;
}

}  // namespace

View zeros(Tape& tape, const Shape& shape) {
  const View memory = tape.scratch(shape);
  fill(memory, 0);
  return memory;
}

const Real* padded_image(const Convolution& c, const Real* x, Real* memory) {
  if (!c.is_padded()) return x;
  const Index length = c.window.x.in * c.in;
  Real* to = memory + c.window.y.before * c.row() + c.window.x.before * c.in;
  for (Index i = 0; i < c.window.y.in; ++i) std::copy(x + i * length, x + (i + 1) * length, to + i * c.row());
  return memory;
}

Real* padding_memory(const Convolution& c, Tape& tape) {
  return c.is_padded() ? zeros(tape, {c.height(), c.row()}).data() : nullptr;
}

void crop(const Convolution& c, const Real* padded, Real* dx, bool accumulates) {
  const Real* from = padded + c.window.y.before * c.row() + c.window.x.before * c.in;
  const Index length = c.window.x.in * c.in;
  for (Index i = 0; i < c.window.y.in; ++i, from += c.row(), dx += length) {
    assign(dx, length, accumulates, [from](Index j) { return from[j]; });
  }
}

void unpack_kernel(const Convolution& c, Index pixels, const Real* dkernel, const Sink& sink) {
  const Convolution wide = joined(c, pixels);
  const Index n = c.group_out(), columns = tile_columns(wide.group_out());
  for (Index pixel = 0; pixel < pixels; ++pixel) {
    for (Index group = 0; group < c.groups; ++group) {
      for (Index tap = 0; tap < c.taps(); ++tap) {
        const Index wide_tap = tap + (tap / c.run() * (pixels - 1) + pixel) * c.window.x.stride * c.in;
        const Real* const from = dkernel + (group * wide.taps() + wide_tap) * columns + pixel * n;
        assign(sink.data() + tap * c.out + group * n, n, sink.accumulates() || pixel > 0,
               [=](Index j) { return from[j]; });
      }
    }
  }
}

void convolve_images(const Convolution& c, Tape& tape, ConstView x, const Real* kernel, const Real* bias, View y) {
  // Several pixels are joined by padding their filters with zeros; a non-finite element times a padding zero would be
  // NaN in the neighbouring pixels.
  Index pixels = pixels_as_one(c);
  if (pixels > 1 && !all_finite(x)) pixels = 1;
  const Convolution wide = joined(c, pixels);
  const View padded_bias = zeros(tape, {wide.padded_out()});
  for (Index i = 0; bias != nullptr && i < wide.out; ++i) {
    padded_bias[i / wide.group_out() * tile_columns(wide.group_out()) + i % wide.group_out()] = bias[i % c.out];
  }
  const Real* const panels = forward_panels(wide, joined_kernel(c, pixels, kernel, tape.arena()), tape.arena());
  Real* const memory = padding_memory(c, tape);
  const Index x_size = c.window.y.in * c.window.x.in * c.in, y_size = c.pixels() * c.out;
  for (Index i = 0; i < c.window.batch; ++i) {
    const Real* const image = padded_image(c, x.data() + i * x_size, memory);
    convolve_image(wide, image, panels, padded_bias.data(), y.data() + i * y_size, y.end());
  }
}

}  // namespace cornu::detail
