#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/convolution.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/window_attributes.h"

namespace cornu {

namespace {

/// Copies image x into the middle of `memory`, whose border is already 0; returns x itself if there is no padding.
const Real* padded_image(const detail::Convolution& c, const Real* x, Real* memory) {
  if (!c.is_padded()) return x;
  const Index length = c.window.x.in * c.in;
  Real* to = memory + c.window.y.before * c.row() + c.window.x.before * c.in;
  for (Index i = 0; i < c.window.y.in; ++i) std::copy(x + i * length, x + (i + 1) * length, to + i * c.row());
  return memory;
}

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

View zeros(Tape& tape, const Shape& shape) {
  const View memory = tape.scratch(shape);
  fill(memory, 0);
  return memory;
}

/// Memory for padded_image.
Real* padding_memory(const detail::Convolution& c, Tape& tape) {
  return c.is_padded() ? zeros(tape, {c.height(), c.row()}).data() : nullptr;
}

/// The gradient of one image before the relu, in `memory`; returns dy itself if `memory` is null.
const Real* output_gradient(const detail::Convolution& c, const Real* y, const Real* dy, Real* memory) {
  if (memory == nullptr) return dy;
  vectorized([=, n = c.pixels() * c.out, relu = c.relu] {
    if (relu) {
      for (Index i = 0; i < n; ++i) memory[i] = y[i] > 0 ? dy[i] : Real{0} * dy[i];
    } else {
      for (Index i = 0; i < n; ++i) memory[i] = dy[i];
    }
  });
  return memory;
}

/// Writes or adds the gradient of a padded image, without its border, to dx.
void crop(const detail::Convolution& c, const Real* padded, Real* dx, bool accumulates) {
  const Real* from = padded + c.window.y.before * c.row() + c.window.x.before * c.in;
  const Index length = c.window.x.in * c.in;
  for (Index i = 0; i < c.window.y.in; ++i, from += c.row(), dx += length) {
    assign(dx, length, accumulates, [from](Index j) { return from[j]; });
  }
}

/// unpack_kernel and unpack_bias sum the gradients of `pixels` adjacent copies of kernel and bias into their sinks.
void unpack_kernel(const detail::Convolution& c, Index pixels, const Real* dkernel, const Sink& sink) {
  const detail::Convolution wide = joined(c, pixels);
  const Index n = c.group_out(), columns = detail::tile_columns(wide.group_out());
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
void unpack_bias(const detail::Convolution& c, Index pixels, const Real* dbias, const Sink& sink) {
  const Index n = c.group_out(), columns = detail::tile_columns(pixels * n);
  for (Index pixel = 0; pixel < pixels; ++pixel) {
    for (Index group = 0; group < c.groups; ++group) {
      assign(sink.data() + group * n, n, sink.accumulates() || pixel > 0,
             [from = dbias + group * columns + pixel * n](Index j) { return from[j]; });
    }
  }
}

/// All gradients, one image at a time, so that its data stays in the L2 cache.
void backward(const detail::Convolution& c, Var x, Var kernel, Var bias, Var y) {
  Tape& tape = x.tape();
  const Sink dx = x.sink(), dw = kernel.sink(), db = bias ? bias.sink() : Sink();
  const Index pixels = pixels_as_one(c), size = c.pixels() * c.out, x_size = c.window.y.in * c.window.x.in * c.in;
  const detail::Convolution wide = joined(c, pixels);
  // Whole vectors are read past the last filter, which needs extra memory.
  Real* const gradient_memory =
      c.relu || wide.padded_out() != wide.out ? zeros(tape, {size + detail::tile_most_columns()}).data() : nullptr;
  Real* const image_memory = dw ? padding_memory(c, tape) : nullptr;
  const View dx_image = dx ? tape.scratch({c.height() * c.row() + detail::tile_most_columns()}) : View();
  const Real* const panels = dx ? detail::transposed_panels(c, kernel.value().data(), tape.arena()) : nullptr;
  const View dkernel = dw ? zeros(tape, {wide.taps() * wide.padded_out()}) : View();
  const View dbias = db ? zeros(tape, {wide.padded_out()}) : View();

  for (Index i = 0; i < c.window.batch; ++i) {
    const Real* const dy = output_gradient(c, y.value().data() + i * size, y.grad().data() + i * size, gradient_memory);
    if (dx) {
      fill(dx_image, 0);
      detail::add_input_gradient(c, dy, panels, dx_image.data());
      crop(c, dx_image.data(), dx.data() + i * x_size, dx.accumulates());
    }
    if (dw) {
      const Real* const image = padded_image(c, x.value().data() + i * x_size, image_memory);
      detail::add_kernel_gradient(wide, image, dy, dkernel.data());
    }
    if (db) detail::add_bias_gradient(wide, dy, dbias.data());
  }
  if (dw) unpack_kernel(c, pixels, dkernel.data(), dw);
  if (db) unpack_bias(c, pixels, dbias.data(), db);
}

Var convolve(Var x, Var kernel, Var bias, const Conv2DOptions& options) {
  const Shape &sx = x.shape(), &sk = kernel.shape();
  require(sx.rank() == 4 && sk.rank() == 4,
          "conv2d: x is {} and the kernel is {}; x (batch, height, width, in) and kernel (rows, columns, in / groups, "
          "out) are required",
          sx, sk);
  require(!bias || bias.shape() == sk.sub(3), "conv2d: the kernel is {} and the bias is {}; a bias (out) is required",
          sk, bias ? bias.shape() : Shape());
  const Index groups = options.groups;
  require<ValueError>(groups > 0 && sx[3] % groups == 0 && sk[3] % groups == 0,
                      "conv2d: groups is {}; it must divide {} channels and {} filters", groups, sx[3], sk[3]);
  require(sk[2] == sx[3] / groups,
          "conv2d: x is {} and the kernel is {}, in {} groups; the kernel's third axis must be {}", sx, sk, groups,
          sx[3] / groups);
  const detail::Window window("conv2d", sx, {sk[0], sk[1]}, options.strides, options.dilation_rate, options.padding);
  const detail::Convolution c{window, sx[3], sk[3], groups, options.relu};

  Tape& tape = x.tape();
  const detail::WindowAttributes attributes(window);
  const std::array<Var, 3> operands{x, kernel, bias};
  Var y = tape.output(window.result(c.out), std::span(operands).first(bias ? 3 : 2),
                      {"conv2d",
                       {{"strides", attributes.strides},
                        {"dilations", attributes.dilations},
                        {"pads", attributes.pads},
                        {"groups", groups},
                        {"relu", options.relu}}});
  // Several pixels are joined by padding their filters with zeros; a non-finite element times a padding zero would be
  // NaN in the neighbouring pixels.
  Index pixels = pixels_as_one(c);
  if (pixels > 1 && !all_finite(x.value())) pixels = 1;
  const detail::Convolution wide = joined(c, pixels);
  const View padded_bias = zeros(tape, {wide.padded_out()});
  for (Index i = 0; bias && i < wide.out; ++i) {
    padded_bias[i / wide.group_out() * detail::tile_columns(wide.group_out()) + i % wide.group_out()] =
        bias.value()[i % c.out];
  }
  const Real* const panels =
      detail::forward_panels(wide, detail::joined_kernel(c, pixels, kernel.value().data(), tape.arena()), tape.arena());
  Real* const memory = padding_memory(c, tape);
  const Index x_size = window.y.in * window.x.in * c.in, y_size = c.pixels() * c.out;
  for (Index i = 0; i < window.batch; ++i) {
    const Real* const image = padded_image(c, x.value().data() + i * x_size, memory);
    detail::convolve_image(wide, image, panels, padded_bias.data(), y.out().data() + i * y_size, y.out().end());
  }
  return y.backward([=] { backward(c, x, kernel, bias, y); });
}

}  // namespace

Var conv2d(Var x, Operand kernel, Operand bias, const Conv2DOptions& options) {
  return convolve(x, kernel.on(x.tape()), bias.on(x.tape()), options);
}

Var conv2d(Var x, Operand kernel, const Conv2DOptions& options) {
  return convolve(x, kernel.on(x.tape()), Var(), options);
}

}  // namespace cornu
