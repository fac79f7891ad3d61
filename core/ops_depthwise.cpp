#include "cornu/core/error.h"
#include "cornu/core/lanes.h"
#include "cornu/core/ops_images.h"
#include "cornu/core/window.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunknown-pragmas"

namespace cornu {

namespace {

/// Where the numbers of windows are in an array (..., channels): for tap (u, v) of window (i, j), and all channels,
/// from start + i window_row + j window_column + u tap_row + v tap_column on.
struct Places {
  Index start = 0, window_row = 0, window_column = 0, tap_row = 0, tap_column = 0;

  Index window(Index i, Index j) const { return start + i * window_row + j * window_column; }
};

/// A checked depthwise convolution of images with as many channels as filters: those of x, each repeated `multiplier`
/// times.
struct Depthwise {
  Window w;
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

  /// Calls f(i, j, pixel of y, first channel, number of channels) for some channels of a window at a time.
  template <class F>
  [[gnu::always_inline]] void each_block(F f) const {
    for (Index i = 0; i < w.y.out; ++i) {
      for (Index j = 0; j < w.x.out; ++j) {
        for (Index c = 0; c < channels; c += lane_count) {
          f(i, j, (i * w.x.out + j) * channels + c, c, std::min(lane_count, channels - c));
        }
      }
    }
  }
  /// Calls f(u, v) for the taps of window (i, j) that lie in the image.
  template <class F>
  [[gnu::always_inline]] void each_tap(Index i, Index j, F f) const {
    const Index u_last = w.y.last_tap(i), v_first = w.x.first_tap(j), v_last = w.x.last_tap(j);
    for (Index u = w.y.first_tap(i); u < u_last; ++u) {
      for (Index v = v_first; v < v_last; ++v) f(u, v);
    }
  }
};

/// f(lane) for `count` lanes, with a constant bound where it is all of them.
template <class F>
[[gnu::always_inline]] inline void each_lane(Index count, F f) {
  if (count == lane_count) {
#pragma GCC ivdep
    for (Index lane = 0; lane < lane_count; ++lane) f(lane);
  } else {
    for (Index lane = 0; lane < count; ++lane) f(lane);
  }
}

/// y = bias + sum over taps of x times kernel, for one image.
void convolve_image(const Depthwise& d, const Real* image, const Real* kernel, const Real* bias, Real* y) {
  vectorized([=, in_image = d.in_image(), in_kernel = d.in_kernel()] {
    d.each_block([=](Index i, Index j, Index at, Index c, Index count) __attribute__((always_inline)) {
      const Real *const x = image + in_image.window(i, j) + c, *const k = kernel + c;
      Lanes sums{};
      std::copy_n(bias + c, count, sums.begin());
      d.each_tap(
          i, j, [&](Index u, Index v) __attribute__((always_inline)) {
            const Real *const from = x + u * in_image.tap_row + v * in_image.tap_column, *const by =
                                                                                             k + u * in_kernel.tap_row +
                                                                                             v * in_kernel.tap_column;
            each_lane(count, [&](Index l) { sums[static_cast<std::size_t>(l)] += from[l] * by[l]; });
          });
      std::copy_n(sums.begin(), count, y + at);
    });
  });
}

/// to += from times dy, for each tap: the gradient of the image, made of the kernel, or the other way round.
void add_gradient(const Depthwise& d, const Real* dy, const Real* from, const Places& in_from, Real* to,
                  const Places& in_to) {
  vectorized([=] {
    d.each_block([=](Index i, Index j, Index at, Index c, Index count) __attribute__((always_inline)) {
      const Real* const a = from + in_from.window(i, j) + c;
      Real* const sum = to + in_to.window(i, j) + c;
      Lanes g{};
      std::copy_n(dy + at, count, g.begin());
      d.each_tap(
          i, j, [&](Index u, Index v) __attribute__((always_inline)) {
            const Real* const b = a + u * in_from.tap_row + v * in_from.tap_column;
            Real* const into = sum + u * in_to.tap_row + v * in_to.tap_column;
            each_lane(count, [&](Index l) { into[l] += b[l] * g[static_cast<std::size_t>(l)]; });
          });
    });
  });
}

/// Image x with each channel as often as it has filters, in `memory`; x itself for one filter a channel.
const Real* repeated(const Depthwise& d, const Real* x, const View& memory) {
  if (d.multiplier == 1) return x;
  for (Index i = 0; i < memory.size(); ++i) memory[i] = x[i / d.multiplier];
  return memory.data();
}

void backward(const Depthwise& d, Var x, Var kernel, Var y) {
  Tape& tape = x.tape();
  const Sink dx = x.sink(), dkernel = kernel.sink();
  const View image = tape.scratch({d.multiplier == 1 ? 0 : d.image_size()});
  const View dkernel_of_image = tape.scratch({d.kernel_size()});  // summed on its own, so that sums stay short
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
      Window("depthwise_conv2d", sx, {sk[0], sk[1]}, options.strides, options.dilation_rate, options.padding), sk[3]};
  require(!bias || bias.shape() == Shape{d.channels},
          "depthwise_conv2d: the kernel is {} and the bias is {}; a bias ({}) is required", sk,
          bias ? bias.shape() : Shape(), d.channels);
  Tape& tape = x.tape();
  const Shape shape = d.w.result(d.channels);
  const Var y = bias ? tape.output(shape, {x, kernel, bias}) : tape.output(shape, {x, kernel});
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

#pragma GCC diagnostic pop
