#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/core/kernels/vector_types.h"
#include "cornu/core/kernels/window.h"
#include "cornu/core/ops/images.h"
#include "cornu/core/ops/window_attributes.h"

namespace cornu {

namespace {

/// Strides of windows in an array (..., channels): the channels of tap (u, v) of window (i, j) begin at
/// start + i window_row + j window_column + u tap_row + v tap_column.
struct Places {
  Index start = 0, window_row = 0, window_column = 0, tap_row = 0, tap_column = 0;
};

/// A depthwise convolution with checked shapes. `channels` counts the filters: each channel of x is repeated
/// `multiplier` times.
struct Depthwise {
  detail::Window w;
  Index multiplier;
  Index channels = w.channels * multiplier;

  Index x_size() const { return w.y.in * w.x.in * w.channels; }
  Index image_size() const { return w.y.in * w.x.in * channels; }
  Index result_size() const { return w.y.out * w.x.out * channels; }
  Index kernel_size() const { return w.y.taps * w.x.taps * channels; }
  Places in_image() const {
    const Index row = w.x.in * channels;
    return {-w.y.before * row - w.x.before * channels, w.y.stride * row, w.x.stride * channels, w.y.dilation * row,
            w.x.dilation * channels};
  }
  Places in_kernel() const { return {.tap_row = w.x.taps * channels, .tap_column = channels}; }
};

/// A window, its taps inside the image, and the channel to process next.
struct Block {
  Index i, j;
  Index pixel;  // offset of the window's result
  Index u_first, u_last, v_first, v_last;
  Index channel = 0;

  Block(const detail::Window& w, Index row, Index column, Index channels)
      : i(row),
        j(column),
        pixel((row * w.x.out + column) * channels),
        u_first(w.y.first_tap(i)),
        u_last(w.y.last_tap(i)),
        v_first(w.x.first_tap(j)),
        v_last(w.x.last_tap(j)) {}

  /// Offset of the first tap inside the image.
  Index place(const Places& p) const {
    return p.start + i * p.window_row + j * p.window_column + u_first * p.tap_row + v_first * p.tap_column + channel;
  }
};

/// Calls f(block, lanes) for each window and all of its channels, a vector at a time, then 4 and then 1 for the rest.
/// (`lanes` is a constant, because clang rejects a vector type as an argument.)
template <Index lanes, class F>
[[gnu::always_inline]] inline void each_channel(Block& block, Index channels, F f) {
  for (; block.channel + lanes <= channels; block.channel += lanes) f(block, std::integral_constant<Index, lanes>());
  if constexpr (lanes > 1) each_channel<(lanes > 4 ? 4 : 1)>(block, channels, f);
}
template <class F>
void each_block(const Depthwise& d, F f) {
  vectorized([=](auto bytes) {
    for (Index i = 0; i < d.w.y.out; ++i) {
      for (Index j = 0; j < d.w.x.out; ++j) {
        Block block(d.w, i, j, d.channels);
        each_channel<bytes / static_cast<Index>(sizeof(Real))>(block, d.channels, f);
      }
    }
  });
}

/// y = bias + sum over taps of x * kernel, for one image.
void convolve_image(const Depthwise& d, const Real* image, const Real* kernel, const Real* bias, Real* y) {
  each_block(
      d, [ =, in_image = d.in_image(), in_kernel = d.in_kernel() ](const Block& block,
                                                                   auto lanes) __attribute__((always_inline)) {
        detail::Vector<lanes * sizeof(Real)> sum, a, b;
        detail::load(sum, bias + block.channel);
        const Real *x_row = image + block.place(in_image), *k_row = kernel + block.place(in_kernel);
        for (Index u = block.u_first; u < block.u_last; ++u, x_row += in_image.tap_row, k_row += in_kernel.tap_row) {
          const Real *x = x_row, *k = k_row;
          for (Index v = block.v_first; v < block.v_last; ++v, x += in_image.tap_column, k += in_kernel.tap_column) {
            detail::load(a, x);
            detail::load(b, k);
            sum += a * b;
          }
        }
        detail::store(sum, y + block.pixel + block.channel);
      });
}

/// to += from * dy for each tap: the image's gradient if `from` is the kernel, the kernel's if it is the image.
void add_gradient(const Depthwise& d, const Real* dy, const Real* from, const Places& in_from, Real* to,
                  const Places& in_to) {
  each_block(
      d, [=](const Block& block, auto lanes) __attribute__((always_inline)) {
        detail::Vector<lanes * sizeof(Real)> g, factor, sum;
        detail::load(g, dy + block.pixel + block.channel);
        const Real* from_row = from + block.place(in_from);
        Real* to_row = to + block.place(in_to);
        for (Index u = block.u_first; u < block.u_last; ++u, from_row += in_from.tap_row, to_row += in_to.tap_row) {
          const Real* a = from_row;
          Real* b = to_row;
          for (Index v = block.v_first; v < block.v_last; ++v, a += in_from.tap_column, b += in_to.tap_column) {
            detail::load(factor, a);
            detail::load(sum, b);
            sum += factor * g;
            detail::store(sum, b);
          }
        }
      });
}

/// Image x with each channel repeated once per filter, in `memory`; x itself if there is one filter per channel.
const Real* repeated(const Depthwise& d, const Real* x, const View& memory) {
  if (d.multiplier == 1) return x;
  for (Index i = 0; i < memory.size(); ++i) memory[i] = x[i / d.multiplier];
  return memory.data();
}

void backward(const Depthwise& d, Var x, Var kernel, Var y) {
  Tape& tape = x.tape();
  const Sink dx = x.sink(), dkernel = kernel.sink();
  const View image = tape.scratch({d.multiplier == 1 ? 0 : d.image_size()});
  const View dkernel_of_image = tape.scratch({d.kernel_size()});  // summed per image, to limit rounding errors
  if (dx && !dx.accumulates()) fill(dx.view(), 0);
  if (dkernel && !dkernel.accumulates()) fill(dkernel.view(), 0);
  for (Index i = 0; i < d.w.batch; ++i) {
    const Real* const dy = y.grad().data() + i * d.result_size();
    if (dkernel) {
      fill(dkernel_of_image, 0);
      const Real* const values = repeated(d, x.value().data() + i * d.x_size(), image);
      add_gradient(d, dy, values, d.in_image(), dkernel_of_image.data(), d.in_kernel());
      copy(dkernel_of_image, accumulate_into(dkernel.view()));
    }
    if (!dx) continue;
    Real* const to = dx.data() + i * d.x_size();
    if (d.multiplier == 1) {
      add_gradient(d, dy, kernel.value().data(), d.in_kernel(), to, d.in_image());
    } else {
      fill(image, 0);
      add_gradient(d, dy, kernel.value().data(), d.in_kernel(), image.data(), d.in_image());
      for (Index j = 0; j < image.size(); ++j) to[j / d.multiplier] += image[j];
    }
  }
}

Var convolve(Var x, Var kernel, Var bias, const DepthwiseConv2DOptions& options) {
  const Shape &sx = x.shape(), &sk = kernel.shape();
  require(sx.rank() == 4 && sk.rank() == 4 && sx[3] == sk[2],
          "depthwise_conv2d: x is {} and the kernel is {}; x (batch, height, width, channels) and kernel (rows, "
          "columns, channels, multiplier) are required",
          sx, sk);
  const Depthwise d{
      detail::Window("depthwise_conv2d", sx, {sk[0], sk[1]}, options.strides, options.dilation_rate, options.padding),
      sk[3]};
  require(!bias || bias.shape() == Shape{d.channels},
          "depthwise_conv2d: the kernel is {} and the bias is {}; a bias ({}) is required", sk,
          bias ? bias.shape() : Shape(), d.channels);
  Tape& tape = x.tape();
  const Shape shape = d.w.result(d.channels);
  const detail::WindowAttributes attributes(d.w);
  const std::array<Var, 3> operands{x, kernel, bias};
  const Var y =
      tape.output(shape, std::span(operands).first(bias ? 3 : 2),
                  {"depthwise_conv2d",
                   {{"strides", attributes.strides}, {"dilations", attributes.dilations}, {"pads", attributes.pads}}});
  const View image = tape.scratch({d.multiplier == 1 ? 0 : d.image_size()}), biases = tape.scratch({d.channels});
  bias ? copy(bias.value(), overwrite(biases)) : fill(biases, 0);
  for (Index i = 0; i < d.w.batch; ++i) {
    const Real* const values = repeated(d, x.value().data() + i * d.x_size(), image);
    convolve_image(d, values, kernel.value().data(), biases.data(), y.out().data() + i * d.result_size());
  }
  return y.backward([=] {
    backward(d, x, kernel, y);
    if (!bias) return;
    if (Sink db = bias.sink()) sum_rows(y.grad(), db);
  });
}

}  // namespace

Var depthwise_conv2d(Var x, Operand kernel, Operand bias, const DepthwiseConv2DOptions& options) {
  return convolve(x, kernel.on(x.tape()), bias.on(x.tape()), options);
}

Var depthwise_conv2d(Var x, Operand kernel, const DepthwiseConv2DOptions& options) {
  return convolve(x, kernel.on(x.tape()), Var(), options);
}

}  // namespace cornu
