#include <algorithm>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/ops/convolve.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/transposed_windows.h"

namespace cornu {

namespace detail {

namespace {

constexpr const char* transposed_op = "conv2d_transpose";

/// The windows on the result along one axis; one for each of the n positions of x. axis: 0 for the rows.
WindowAxis axis_of(const TransposedWindows& w, std::size_t axis, Index n, Index taps) {
  WindowAxis result{
      .taps = taps, .stride = w.strides[axis], .dilation = w.dilations[axis], .out = n, .before = w.pads[axis]};
  const bool fits = n <= Shape::max_size / result.stride && w.output_padding[axis] <= Shape::max_size;
  result.in = !fits || n == 0
                  ? -1
                  : (n - 1) * result.stride + result.reach() + w.output_padding[axis] - w.pads[axis] - w.pads[axis + 2];
  return result;
}

/// x is the gradient of the output of the convolution c, and y that of its images.
void backward(const Convolution& c, Var x, Var kernel, Var bias, Var y) {
  Tape& tape = x.tape();
  if (Sink dx = x.sink()) {
    const View result = dx.accumulates() ? tape.scratch(x.shape()) : dx.view();
    convolve_images(c, tape, y.grad(), kernel.value().data(), nullptr, result);
    if (dx.accumulates()) copy(result, dx);
  }
  if (Sink dw = kernel.sink()) {
    const Index pixels = pixels_as_one(c), size = c.pixels() * c.out, y_size = c.window.y.in * c.window.x.in * c.in;
    const Convolution wide = joined(c, pixels);
    // Whole vectors are read past the last filter, which needs extra memory.
    Real* const memory = wide.padded_out() != wide.out ? zeros(tape, {size + tile_most_columns()}).data() : nullptr;
    Real* const image_memory = padding_memory(c, tape);
    const View dkernel = zeros(tape, {wide.taps() * wide.padded_out()});
    for (Index i = 0; i < c.window.batch; ++i) {
      const Real* from = x.value().data() + i * size;
      if (memory != nullptr) from = std::copy_n(from, size, memory) - size;
      add_kernel_gradient(wide, padded_image(c, y.grad().data() + i * y_size, image_memory), from, dkernel.data());
    }
    unpack_kernel(c, pixels, dkernel.data(), dw);
  }
  if (!bias) return;
  if (Sink db = bias.sink()) sum_rows(y.grad(), db);
}

}  // namespace

TransposedWindows::TransposedWindows(const Conv2DTransposeOptions& options, Size2D taps)
    : strides{options.strides.height, options.strides.width},
      dilations{options.dilation_rate.height, options.dilation_rate.width},
      groups(options.groups) {
  require_padding_of_images(transposed_op, options.padding);
  require_window_sizes(transposed_op, "strides", options.strides);
  require_window_sizes(transposed_op, "dilation_rate", options.dilation_rate);
  require_window_sizes(transposed_op, "the kernel", taps);
  const std::array<Index, 2> given = options.output_padding
                                         ? std::array{options.output_padding->height, options.output_padding->width}
                                         : std::array{Index{0}, Index{0}},
                             sizes{taps.height, taps.width};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    require<ValueError>(0 <= given[axis] && given[axis] < strides[axis],
                        "{}: output_padding is {}; it must be less than the strides {}", transposed_op,
                        Size2D(given[0], given[1]), options.strides);
    const Index reach = (sizes[axis] - 1) * dilations[axis] + 1;
    Index dropped = 0;  // of the (n - 1) stride + reach positions that the windows cover; negative: added
    if (options.padding == Padding::same) {
      dropped = options.output_padding ? reach - reach % 2 - given[axis] : reach - strides[axis];
    } else {
      dropped = options.output_padding ? -given[axis] : std::min(Index{0}, reach - strides[axis]);
    }
    pads[axis] = std::max(Index{0}, dropped) / 2;
    pads[axis + 2] = std::max(Index{0}, dropped - pads[axis]);
    output_padding[axis] = std::max(Index{0}, -dropped);
  }
}

Var conv2d_transpose(Var x, Var kernel, Var bias, const TransposedWindows& windows) {
  const Shape &sx = x.shape(), &sk = kernel.shape();
  const Index groups = windows.groups;
  require(sx.rank() == 4 && sk.rank() == 4,
          "{}: x is {} and the kernel is {}; x (batch, height, width, in) and kernel (rows, columns, out / groups, in) "
          "are required",
          transposed_op, sx, sk);
  require<ValueError>(groups > 0 && sx[3] % groups == 0, "{}: groups is {}; it must divide {} channels", transposed_op,
                      groups, sx[3]);
  require(sk[3] == sx[3], "{}: x is {} and the kernel is {}; the kernel's last axis must be {}", transposed_op, sx, sk,
          sx[3]);
  const Index filters = Shape{sk[2], groups}.size();
  require(!bias || bias.shape() == Shape{filters},
          "{}: the kernel is {}, in {} groups, and the bias is {}; a bias (out) is "
          "required",
          transposed_op, sk, groups, bias ? bias.shape() : Shape());
  for (const Index pad : windows.pads) {
    require<ValueError>(0 <= pad && pad <= Shape::max_size, "{}: pads are {}; none may be negative", transposed_op,
                        to_string(windows.pads));
  }
  const WindowAxis rows = axis_of(windows, 0, sx[1], sk[0]), columns = axis_of(windows, 1, sx[2], sk[1]);
  require(rows.in > 0 && columns.in > 0, "{}: x is {} and the kernel is {}; the result would have no pixels",
          transposed_op, sx, sk);
  const Convolution c{Window(sx[0], filters, rows, columns), filters, sx[3], groups, false};

  Tape& tape = x.tape();
  const std::array<Var, 3> operands{x, kernel, bias};
  Var y = tape.output({sx[0], rows.in, columns.in, filters}, std::span(operands).first(bias ? 3 : 2),
                      {transposed_op,
                       {{"strides", windows.strides},
                        {"dilations", windows.dilations},
                        {"pads", windows.pads},
                        {"output_padding", windows.output_padding},
                        {"groups", groups}}});
  if (bias) fill_rows(y.out(), bias.value());
  const Real* const panels = transposed_panels(c, kernel.value().data(), tape.arena());
  const View image = tape.scratch({c.height() * c.row() + tile_most_columns()});
  const Index x_size = c.pixels() * c.out, y_size = rows.in * columns.in * filters;
  for (Index i = 0; i < c.window.batch; ++i) {
    fill(image, 0);
    add_input_gradient(c, x.value().data() + i * x_size, panels, image.data());
    crop(c, image.data(), y.out().data() + i * y_size, static_cast<bool>(bias));
  }
  return y.backward([=] { backward(c, x, kernel, bias, y); });
}

}  // namespace detail

Var conv2d_transpose(Var x, Operand kernel, Operand bias, const Conv2DTransposeOptions& options) {
  const Var w = kernel.on(x.tape()), b = bias.on(x.tape());
  const Size2D taps = w.rank() == 4 ? Size2D(w.shape()[0], w.shape()[1]) : 1;
  return detail::conv2d_transpose(x, w, b, detail::TransposedWindows(options, taps));
}

Var conv2d_transpose(Var x, Operand kernel, const Conv2DTransposeOptions& options) {
  const Var w = kernel.on(x.tape());
  const Size2D taps = w.rank() == 4 ? Size2D(w.shape()[0], w.shape()[1]) : 1;
  return detail::conv2d_transpose(x, w, Var(), detail::TransposedWindows(options, taps));
}

}  // namespace cornu
