#include "cornu/core/error.h"
#include "cornu/core/kernels.h"
#include "cornu/core/ops_images.h"
#include "cornu/core/tile_product.h"
#include "cornu/core/window.h"

namespace cornu {

namespace {

/// A checked convolution: what moves where, and the strides of everything.
///
/// Windows are never gathered into a matrix. In a row of an image a window's taps are `run` neighbouring numbers (all
/// taps and channels of the row; only the channels of one tap where there are groups or a dilation between taps), so
/// that everything is a few products of runs.
struct Convolution {
  Window window;
  Index in, out, groups;  // channels, filters
  bool relu;

  Index group_in() const { return in / groups; }
  Index group_out() const { return out / groups; }
  Index pixels() const { return window.y.out * window.x.out; }

  // The padded image.
  bool is_padded() const { return height() > window.y.in || width() > window.x.in; }
  Index height() const { return window.y.padded(); }
  Index width() const { return window.x.padded(); }
  Index row() const { return width() * in; }

  // A window.
  bool row_is_one_run() const { return groups == 1 && window.x.dilation == 1; }
  Index parts() const { return row_is_one_run() ? 1 : window.x.taps; }  // runs a row
  Index run() const { return row_is_one_run() ? window.x.taps * in : group_in(); }
  Index taps() const { return window.y.taps * window.x.taps * group_in(); }
  Index start(Index group, Index tap_row, Index part) const {
    return tap_row * window.y.dilation * row() + part * window.x.dilation * in + group * group_in();
  }

  /// Filters of all groups, each group filled up to whole vectors.
  Index padded_out() const { return groups * tile_columns(group_out()); }
};

/// Calls f(from, count) for each block of columns that a TileProduct can take, of n.
template <class F>
void each_block(Index n, F f) {
  for (Index from = 0; from < n; from += tile_most_columns()) f(from, std::min(tile_most_columns(), n - from));
}

/// to[i] = from[i] for i < n, 0 from there to `padded`.
void copy_padded(const Real* from, Index n, Index padded, Real* to) {
  std::copy(from, from + n, to);
  std::fill(to + n, to + padded, Real{0});
}

/// Image x with its padding, in `memory`, of which the border is 0 already; x itself where there is no padding.
const Real* padded_image(const Convolution& c, const Real* x, Real* memory) {
  if (!c.is_padded()) return x;
  const Index length = c.window.x.in * c.in;
  Real* to = memory + c.window.y.before * c.row() + c.window.x.before * c.in;
  for (Index i = 0; i < c.window.y.in; ++i) std::copy(x + i * length, x + (i + 1) * length, to + i * c.row());
  return memory;
}

View zeros(Tape& tape, const Shape& shape) {
  const View memory = tape.scratch(shape);
  fill(memory, 0);
  return memory;
}

/// Memory for padded_image.
Real* padding_memory(const Convolution& c, Tape& tape) {
  return c.is_padded() ? zeros(tape, {c.height(), c.row()}).data() : nullptr;
}

/// The kernel as right operand of `forward`: for each group and block of filters a matrix (taps, filters).
const Real* forward_panels(const Convolution& c, const Real* kernel, Tape& tape) {
  const Index taps = c.taps(), columns = tile_columns(c.group_out());
  Real* const panels = tape.scratch({c.groups, taps, columns}).data();
  for (Index group = 0; group < c.groups; ++group) {
    each_block(c.group_out(), [&](Index from, Index n) {
      Real* const panel = panels + (group * columns + from) * taps;
      const Real* const filters = kernel + group * c.group_out() + from;
      const Index padded = tile_columns(n);
      for (Index tap = 0; tap < taps; ++tap) copy_padded(filters + tap * c.out, n, padded, panel + tap * padded);
    });
  }
  return panels;
}

/// y of one image: for each pixel of a row the sum over its window's taps. Whole vectors may be written up to `y_end`.
void forward(const Convolution& c, const Real* image, const Real* panels, const Real* bias, Real* y,
             const Real* y_end) {
  const Index columns = tile_columns(c.group_out());
  for (Index group = 0; group < c.groups; ++group) {
    each_block(c.group_out(), [&](Index from, Index n) {
      multiply({.left = image + group * c.group_in(),
                .left_outer = c.window.y.stride * c.row(),
                .left_row = c.window.x.stride * c.in,
                .segments = c.window.y.taps,
                .segment_stride = c.window.y.dilation * c.row(),
                .parts = c.parts(),
                .part_stride = c.window.x.dilation * c.in,
                .length = c.run(),
                .right = panels + (group * columns + from) * c.taps(),
                .right_step = tile_columns(n),
                .outer = c.window.y.out,
                .rows = c.window.x.out,
                .columns = n,
                .out = y + group * c.group_out() + from,
                .out_outer = c.window.x.out * c.out,
                .out_row = c.out,
                .bias = bias + group * columns + from,
                .relu = c.relu,
                .spill_end = n == c.out ? y_end : nullptr});
    });
  }
}

/// The gradient of one image before the relu, each group's filters filled up to whole vectors with 0.
const Real* output_gradient(const Convolution& c, const Real* y, const Real* dy, Real* memory) {
  const Index n = c.group_out(), columns = tile_columns(n);
  if (memory == nullptr) return dy;
  for (Index row = 0; row < c.pixels() * c.groups; ++row) {
    const Real *const value = y + row * n, *const g = dy + row * n;
    Real* const to = memory + row * columns;
    if (c.relu) {
      for (Index j = 0; j < n; ++j) to[j] = value[j] > 0 ? g[j] : Real{0} * g[j];
    } else {
      std::copy(g, g + n, to);
    }
    std::fill(to + n, to + columns, Real{0});
  }
  return memory;
}

/// The kernel as right operand of `add_input_gradient`: for each group and run of a window a matrix (filters, run).
const Real* transposed_panels(const Convolution& c, const Real* kernel, Tape& tape) {
  const Index filters = c.group_out(), run = c.run(), columns = tile_columns(run), runs = c.window.y.taps * c.parts();
  Real* const panels = tape.scratch({c.groups, runs, filters, columns}).data();
  for (Index group = 0; group < c.groups; ++group) {
    for (Index i = 0; i < runs; ++i) {
      each_block(run, [&](Index from, Index n) {
        Real* panel = panels + ((group * runs + i) * columns + from) * filters;
        const Index padded = tile_columns(n);
        for (Index filter = 0; filter < filters; ++filter, panel += padded) {
          const Real* const taps = kernel + (i * run + from) * c.out + group * filters + filter;
          for (Index j = 0; j < n; ++j) panel[j] = taps[j * c.out];
          std::fill(panel + n, panel + padded, Real{0});
        }
      });
    }
  }
  return panels;
}

/// Adds to dx, the gradient of one padded image: each pixel of y gives to all the taps that it was made of. The rows of
/// a tile are pixels above each other, whose runs do not overlap.
void add_input_gradient(const Convolution& c, const Real* dy, const Real* panels, Real* dx) {
  const Index filters = c.group_out(), columns = tile_columns(c.run());
  for (Index group = 0; group < c.groups; ++group) {
    for (Index tap_row = 0; tap_row < c.window.y.taps; ++tap_row) {
      for (Index part = 0; part < c.parts(); ++part) {
        const Index run = (group * c.window.y.taps + tap_row) * c.parts() + part;
        each_block(c.run(), [&](Index from, Index n) {
          multiply({.left = dy + group * tile_columns(filters),
                    .left_outer = c.padded_out(),
                    .left_row = c.window.x.out * c.padded_out(),
                    .length = filters,
                    .right = panels + (run * columns + from) * filters,
                    .right_step = tile_columns(n),
                    .outer = c.window.x.out,
                    .rows = c.window.y.out,
                    .columns = n,
                    .out = dx + c.start(group, tap_row, part) + from,
                    .out_outer = c.window.x.stride * c.in,
                    .out_row = c.window.y.stride * c.row()});
        });
      }
    }
  }
}

/// Adds to dkernel, (groups, taps, filters of a group, filled up), what one image gives.
void add_kernel_gradient(const Convolution& c, const Real* image, const Real* dy, Real* dkernel) {
  const Index columns = tile_columns(c.group_out());
  // So many rows of dy at once as stay in the first-level cache while all taps are gone through.
  const Index row_size = c.window.x.out * c.padded_out(), cached = 4096;
  const Index rows = std::max(Index{1}, cached / std::max(Index{1}, row_size));
  for (Index row = 0; row < c.window.y.out; row += rows) {
    for (Index group = 0; group < c.groups; ++group) {
      for (Index part = 0; part < c.parts(); ++part) {
        each_block(c.group_out(), [&](Index from, Index n) {
          multiply({.left = image + row * c.window.y.stride * c.row() + c.start(group, 0, part),
                    .left_outer = c.window.y.dilation * c.row(),
                    .left_row = 1,
                    .segments = std::min(rows, c.window.y.out - row),
                    .segment_stride = c.window.y.stride * c.row(),
                    .length = c.window.x.out,
                    .step = c.window.x.stride * c.in,
                    .right = dy + row * row_size + group * columns + from,
                    .right_step = c.padded_out(),
                    .outer = c.window.y.taps,
                    .rows = c.run(),
                    .columns = tile_columns(n),
                    .out = dkernel + (group * c.taps() + part * c.run()) * columns + from,
                    .out_outer = c.parts() * c.run() * columns,
                    .out_row = columns});
        });
      }
    }
  }
}

/// dx takes the part of a padded image's gradient that is the image.
void crop(const Convolution& c, const Real* padded, Real* dx, bool accumulates) {
  const Real* from = padded + c.window.y.before * c.row() + c.window.x.before * c.in;
  const Index length = c.window.x.in * c.in;
  for (Index i = 0; i < c.window.y.in; ++i, from += c.row(), dx += length) {
    assign(dx, length, accumulates, [from](Index j) { return from[j]; });
  }
}

/// The sink of the kernel takes what add_kernel_gradient made.
void unpack(const Convolution& c, const Real* dkernel, const Sink& sink) {
  const Index n = c.group_out(), columns = tile_columns(n);
  for (Index group = 0; group < c.groups; ++group) {
    for (Index tap = 0; tap < c.taps(); ++tap, dkernel += columns) {
      assign(sink.data() + tap * c.out + group * n, n, sink.accumulates(), [=](Index j) { return dkernel[j]; });
    }
  }
}

/// All gradients, image by image, while what belongs to one is in the second-level cache.
void backward(const Convolution& c, Var x, Var kernel, Var bias, Var y) {
  Tape& tape = x.tape();
  const Sink dx = x.sink(), dw = kernel.sink(), db = bias ? bias.sink() : Sink();
  const Index pixels = c.pixels(), x_size = c.window.y.in * c.window.x.in * c.in;
  Real* const gradient_memory =
      c.relu || c.padded_out() != c.out ? tape.scratch({pixels, c.padded_out()}).data() : nullptr;
  Real* const image_memory = dw ? padding_memory(c, tape) : nullptr;
  const View dx_image = dx ? tape.scratch({c.height() * c.row() + tile_most_columns()}) : View();
  const Real* const panels = dx ? transposed_panels(c, kernel.value().data(), tape) : nullptr;
  const View dkernel = dw ? zeros(tape, {c.taps() * c.padded_out()}) : View();
  const View dbias = db ? zeros(tape, {c.padded_out()}) : View();

  for (Index i = 0; i < c.window.batch; ++i) {
    const Index y_from = i * pixels * c.out;
    const Real* const dy = output_gradient(c, y.value().data() + y_from, y.grad().data() + y_from, gradient_memory);
    if (dx) {
      fill(dx_image, 0);
      add_input_gradient(c, dy, panels, dx_image.data());
      crop(c, dx_image.data(), dx.data() + i * x_size, dx.accumulates());
    }
    if (dw) {
      const Real* const image = padded_image(c, x.value().data() + i * x_size, image_memory);
      add_kernel_gradient(c, image, dy, dkernel.data());
    }
    if (db) sum_rows(ConstView(dy, {pixels, c.padded_out()}), accumulate_into(dbias));
  }
  if (dw) unpack(c, dkernel.data(), dw);
  if (db) {
    const Index n = c.group_out(), columns = tile_columns(n);
    for (Index group = 0; group < c.groups; ++group) {
      assign(db.data() + group * n, n, db.accumulates(),
             [from = dbias.data() + group * columns](Index j) { return from[j]; });
    }
  }
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
  const Window window("conv2d", sx, {sk[0], sk[1]}, options.strides, options.dilation_rate, options.padding);
  const Convolution c{window, sx[3], sk[3], groups, options.relu};

  Tape& tape = x.tape();
  Var y = bias ? tape.output(window.result(c.out), {x, kernel, bias}) : tape.output(window.result(c.out), {x, kernel});
  const View padded_bias = zeros(tape, {c.padded_out()});
  for (Index i = 0; bias && i < c.out; ++i) {
    padded_bias[i / c.group_out() * tile_columns(c.group_out()) + i % c.group_out()] = bias.value()[i];
  }
  const Real* const panels = forward_panels(c, kernel.value().data(), tape);
  Real* const memory = padding_memory(c, tape);
  const Index x_size = window.y.in * window.x.in * c.in, y_size = c.pixels() * c.out;
  for (Index i = 0; i < window.batch; ++i) {
    const Real* const image = padded_image(c, x.value().data() + i * x_size, memory);
    forward(c, image, panels, padded_bias.data(), y.out().data() + i * y_size, y.out().end());
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
