#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vectorized.h"
#include "cornu/core/ops/convolve.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/window_attributes.h"

namespace cornu {

namespace {

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

/// Sums the gradients of `pixels` adjacent copies of the bias into its sink, as unpack_kernel those of the kernel.
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
  Real* const gradient_memory = c.relu || wide.padded_out() != wide.out
                                    ? detail::zeros(tape, {size + detail::tile_most_columns()}).data()
                                    : nullptr;
  Real* const image_memory = dw ? detail::padding_memory(c, tape) : nullptr;
  const View dx_image = dx ? tape.scratch({c.height() * c.row() + detail::tile_most_columns()}) : View();
  const Real* const panels = dx ? detail::transposed_panels(c, kernel.value().data(), tape.arena()) : nullptr;
  const View dkernel = dw ? detail::zeros(tape, {wide.taps() * wide.padded_out()}) : View();
  const View dbias = db ? detail::zeros(tape, {wide.padded_out()}) : View();

  for (Index i = 0; i < c.window.batch; ++i) {
    const Real* const dy = output_gradient(c, y.value().data() + i * size, y.grad().data() + i * size, gradient_memory);
    if (dx) {
      fill(dx_image, 0);
      detail::add_input_gradient(c, dy, panels, dx_image.data());
      detail::crop(c, dx_image.data(), dx.data() + i * x_size, dx.accumulates());
    }
    if (dw) {
      const Real* const image = detail::padded_image(c, x.value().data() + i * x_size, image_memory);
      detail::add_kernel_gradient(wide, image, dy, dkernel.data());
    }
    if (db) detail::add_bias_gradient(wide, dy, dbias.data());
  }
  if (dw) detail::unpack_kernel(c, pixels, dkernel.data(), dw);
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
  detail::convolve_images(c, tape, x.value(), kernel.value().data(), bias ? bias.value().data() : nullptr, y.out());
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
