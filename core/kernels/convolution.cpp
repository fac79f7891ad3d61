#include "cornu/core/kernels/convolution.h"

#include <algorithm>

#include "cornu/core/kernels/kernels.h"

namespace cornu::detail {

namespace {

/// Calls f(from, count) for each block of n columns, of the size that a TileProduct can take.
template <class F>
void each_block(Index n, F f) {
  for (Index from = 0; from < n; from += tile_most_columns()) f(from, std::min(tile_most_columns(), n - from));
}

Real* allocate(Arena& arena, Index count) {
  return static_cast<Real*>(arena.allocate(static_cast<std::size_t>(count) * sizeof(Real)));
}

/// to[i] = from[i] for i < n, 0 for n <= i < padded.
void copy_padded(const Real* from, Index n, Index padded, Real* to) {
  std::copy(from, from + n, to);
  std::fill(to + n, to + padded, Real{0});
}

}  // namespace

Index pixels_as_one(const Convolution& c) {
  // Each joined pixel costs stride + (taps - stride) / pixels columns of a window.
  if (c.out == 0 || !c.row_is_one_run() || c.window.x.taps <= c.window.x.stride) return 1;
  Index pixels = tile_columns(1) / c.out;
  while (pixels > 1 && c.window.x.out % pixels != 0) --pixels;
  return std::max(Index{1}, pixels);
}

Convolution joined(const Convolution& c, Index pixels) {
  Convolution result = c;
  result.out *= pixels;
  result.window.x.taps += (pixels - 1) * c.window.x.stride;
  result.window.x.stride *= pixels;
  result.window.x.out /= pixels;
  return result;
}

const Real* joined_kernel(const Convolution& c, Index pixels, const Real* kernel, Arena& arena) {
  if (pixels == 1) return kernel;
  const Convolution wide = joined(c, pixels);
  Real* const result = allocate(arena, wide.taps() * wide.out);
  std::fill_n(result, wide.taps() * wide.out, Real{0});
  for (Index row = 0; row < c.window.y.taps; ++row) {
    for (Index pixel = 0; pixel < pixels; ++pixel) {
      Real* to = result + (row * wide.run() + pixel * c.window.x.stride * c.in) * wide.out + pixel * c.out;
      for (Index tap = 0; tap < c.run(); ++tap, kernel += c.out, to += wide.out) std::copy_n(kernel, c.out, to);
      kernel -= c.run() * c.out;
    }
    kernel += c.run() * c.out;
  }
  return result;
}

const Real* forward_panels(const Convolution& c, const Real* kernel, Arena& arena) {
  const Index taps = c.taps(), columns = tile_columns(c.group_out());
  Real* const panels = allocate(arena, c.groups * taps * columns);
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

void convolve_image(const Convolution& c, const Real* image, const Real* panels, const Real* bias, Real* y,
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

const Real* transposed_panels(const Convolution& c, const Real* kernel, Arena& arena) {
  const Index filters = c.group_out(), run = c.run(), columns = tile_columns(run), runs = c.window.y.taps * c.parts();
  Real* const panels = allocate(arena, c.groups * runs * filters * columns);
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

void add_input_gradient(const Convolution& c, const Real* dy, const Real* panels, Real* dx) {
  const Index filters = c.group_out(), columns = tile_columns(c.run());
  // For a sequence the rows of a tile are adjacent pixels. Their runs overlap, but the rows are added in order.
  const bool one_row = c.window.y.out == 1;
  for (Index group = 0; group < c.groups; ++group) {
    for (Index tap_row = 0; tap_row < c.window.y.taps; ++tap_row) {
      for (Index part = 0; part < c.parts(); ++part) {
        const Index run = (group * c.window.y.taps + tap_row) * c.parts() + part;
        each_block(c.run(), [&](Index from, Index n) {
          multiply({.left = dy + group * filters,
                    .left_outer = c.out,
                    .left_row = one_row ? c.out : c.window.x.out * c.out,
                    .length = filters,
                    .right = panels + (run * columns + from) * filters,
                    .right_step = tile_columns(n),
                    .outer = one_row ? 1 : c.window.x.out,
                    .rows = one_row ? c.window.x.out : c.window.y.out,
                    .columns = n,
                    .out = dx + c.start(group, tap_row, part) + from,
                    .out_outer = c.window.x.stride * c.in,
                    .out_row = one_row ? c.window.x.stride * c.in : c.window.y.stride * c.row()});
        });
      }
    }
  }
}

void add_kernel_gradient(const Convolution& c, const Real* image, const Real* dy, Real* dkernel) {
  const Index columns = tile_columns(c.group_out());
  // Block of dy rows that stays in the first-level cache while all taps are processed.
  const Index row_size = c.window.x.out * c.out, cached = 8192;
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
                    .right = dy + row * row_size + group * c.group_out() + from,
                    .right_step = c.out,
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

void add_bias_gradient(const Convolution& c, const Real* dy, Real* dbias) {
  static constexpr Real one = 1;
  const Index columns = tile_columns(c.group_out());
  for (Index group = 0; group < c.groups; ++group) {
    each_block(c.group_out(), [&](Index from, Index n) {
      multiply({.left = &one,
                .length = c.pixels(),
                .step = 0,
                .right = dy + group * c.group_out() + from,
                .right_step = c.out,
                .rows = 1,
                .columns = tile_columns(n),
                .out = dbias + group * columns + from});
    });
  }
}

}  // namespace cornu::detail
