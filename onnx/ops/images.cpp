#include "cornu/core/ops/images.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/ops.h"

namespace cornu::onnx::detail {

namespace {

/// The geometry of windows along one spatial axis.
struct Axis {
  Index in, taps, stride, dilation;
  Index before = 0, after = 0, out = 0;

  Index reach() const { return (taps - 1) * dilation + 1; }
  Index start(Index window) const { return window * stride - before; }
  /// True if Cornu's Padding::same gives the same windows.
  bool is_same() const {
    const Index windows = (in - 1) / stride + 1;
    return out == windows && before == std::max(Index{0}, (windows - 1) * stride + reach() - in) / 2;
  }
  /// The same for Padding::causal.
  bool is_causal() const { return out == (in - 1) / stride + 1 && before == reach() - 1; }
  bool is_valid() const { return before == 0 && (out - 1) * stride + reach() <= in; }
};

/// The windows of a convolution or pooling over a channels-last image: (rows, columns), with a single row for 1-D
/// inputs.
using Windows = std::array<Axis, 2>;

Windows windows_of(const Call& call, const Shape& image, std::span<const Index> kernel) {
  const auto spatial = static_cast<std::size_t>(image.rank() - 2);
  require<FormatError>(kernel.size() == spatial, "windows of {} for images of shape {} (batch first, channels last)",
                       to_string(kernel), image);
  const auto list = [&](const char* name, std::size_t count) -> std::span<const Index> {
    if (!call.has(name)) return {};
    const std::span<const Index> numbers = call.integers(name);
    require<FormatError>(numbers.size() == count, "'{}' has {} numbers, expected {}", name, numbers.size(), count);
    constexpr Index most = Index{1} << 30;
    for (const Index number : numbers) {
      require<FormatError>(0 <= number && number <= most, "'{}' is {}; values must be from 0 to {}", name,
                           to_string(numbers), most);
    }
    return numbers;
  };
  const auto strides = list("strides", spatial), dilations = list("dilations", spatial),
             pads = list("pads", 2 * spatial);
  const std::string_view automatic = call.text("auto_pad", "NOTSET");
  const bool same = automatic == "SAME_UPPER" || automatic == "SAME_LOWER";
  require<FormatError>(same || automatic == "NOTSET" || automatic == "VALID",
                       "auto_pad is '{}'; SAME_UPPER, SAME_LOWER, VALID and NOTSET are known", automatic);
  Windows result{{{1, 1, 1, 1, 0, 0, 1}, {1, 1, 1, 1, 0, 0, 1}}};
  for (std::size_t i = 0; i < spatial; ++i) {
    Axis m{.in = image[static_cast<Index>(i) + 1],
           .taps = kernel[i],
           .stride = strides.empty() ? 1 : strides[i],
           .dilation = dilations.empty() ? 1 : dilations[i]};
    require<FormatError>(m.taps > 0 && m.stride > 0 && m.dilation > 0 && m.in > 0,
                         "a window of {}, stride {}, dilation {} over {} pixels", m.taps, m.stride, m.dilation, m.in);
    if (same) {
      m.out = (m.in - 1) / m.stride + 1;
      const Index total = std::max(Index{0}, (m.out - 1) * m.stride + m.reach() - m.in);
      m.before = automatic == "SAME_UPPER" ? total / 2 : total - total / 2;
      m.after = total - m.before;
    } else {
      if (!pads.empty() && automatic == "NOTSET") {
        m.before = pads[i];
        m.after = pads[i + spatial];
      }
      const Index room = m.in + m.before + m.after - m.reach();
      require<FormatError>(room >= 0, "{} pixels and {} of padding are smaller than the window, which spans {}", m.in,
                           m.before + m.after, m.reach());
      const bool rounds_up = call.integer("ceil_mode", 0) != 0;
      m.out = (rounds_up ? (room + m.stride - 1) / m.stride : room / m.stride) + 1;
      // A window that would start in the padding after the pixels is dropped: the rule of opset 22, which runtimes
      // applied before.
      if (rounds_up && m.start(m.out - 1) >= m.in) --m.out;
    }
    result[i + 2 - spatial] = m;
  }
  return result;
}

/// (batch, length, channels) as an image with one row.
Var image_of(Var x) { return x.rank() == 4 ? x : cornu::reshape(x, {x.shape()[0], 1, x.shape()[1], x.shape()[2]}); }
Var like(Var y, Var x) { return x.rank() == 4 ? y : cornu::reshape(y, {y.shape()[0], y.shape()[2], y.shape()[3]}); }

/// The pixels along an axis that the windows cover, with `fill` for padding.
Var padded(Var x, Index axis, const Axis& m, Real fill) {
  if (m.is_valid()) return x;
  const std::span<Index> positions = counted(x.tape(), (m.out - 1) * m.stride + m.reach());
  for (Index& position : positions) {
    position -= m.before;
    if (position < 0 || position >= m.in) position = -1;
  }
  return detail::take(x, axis, positions, fill);
}

/// The mode of Padding that gives these windows, if there is one.
std::optional<Padding> padding_of(const Windows& w) {
  if (w[0].is_valid() && w[1].is_valid()) return Padding::valid;
  if (w[0].is_same() && w[1].is_same()) return Padding::same;
  if (w[0].is_causal() && w[1].is_causal()) return Padding::causal;
  return std::nullopt;
}

/// Calls f(image, Padding) so that f's windows are those of w; the image is padded explicitly if no mode of Padding
/// fits.
template <class F>
Var with_padding(Var x, const Windows& w, Real fill, F f) {
  if (const std::optional<Padding> padding = padding_of(w)) return f(x, *padding);
  return f(padded(padded(x, 1, w[0], fill), 2, w[1], fill), Padding::valid);
}

void convolution(Call& call) {
  const Var x = call.channels_last(0);
  const Value& weight = call.value(1);
  // (rows, columns, in, out), whatever the layout of the weight.
  Var kernel = weight.var;
  if (weight.layout != Layout::kernel) {
    require<FormatError>(kernel.rank() == x.rank(), "a kernel of shape {} for images of {} axes", kernel.shape(),
                         x.rank());
    if (kernel.rank() == 3) {
      const Shape s = kernel.shape();
      kernel = cornu::reshape(kernel, {s[0], s[1], 1, s[2]});
    }
    kernel = cornu::transpose(kernel, {2, 3, 1, 0});
  }
  const std::array<Index, 2> sides{kernel.shape()[0], kernel.shape()[1]};
  const auto size = std::span(sides).subspan(static_cast<std::size_t>(4 - x.rank()));
  if (call.has("kernel_shape")) {
    const std::span<const Index> declared = call.integers("kernel_shape");
    require<FormatError>(std::equal(declared.begin(), declared.end(), size.begin(), size.end()),
                         "kernel_shape is {}, the weight's is {}", to_string(declared), to_string(size));
  }
  const Windows w = windows_of(call, x.shape(), size);
  Conv2DOptions options{.strides = {w[0].stride, w[1].stride},
                        .dilation_rate = {w[0].dilation, w[1].dilation},
                        .groups = call.integer("group", 1)};
  const Var y = with_padding(image_of(x), w, 0, [&](Var image, Padding padding) {
    options.padding = padding;
    return call.has(2) ? conv2d(image, kernel, call[2], options) : conv2d(image, kernel, options);
  });
  call.result(0, like(y, x), Layout::channels_last);
}

/// The position of each window's maximum, as a flat index into the whole input in ONNX's order: row by row, or column
/// by column if storage_order is 1. x: (batch, rows, columns, channels).
std::span<const Index> positions_of_max(Call& call, Var x, const Windows& w, Var y) {
  const Index channels = x.shape()[3], rows = w[0].in, columns = w[1].in;
  const bool by_column = call.integer("storage_order", 0) != 0;
  const std::span<Index> result = call.memory<Index>(static_cast<std::size_t>(y.size()));
  std::size_t at = 0;
  for (Index n = 0; n < x.shape()[0]; ++n) {
    for (Index c = 0; c < channels; ++c) {
      for (Index i = 0; i < w[0].out; ++i) {
        for (Index j = 0; j < w[1].out; ++j, ++at) {
          const Real most = y.value()[((n * w[0].out + i) * w[1].out + j) * channels + c];
          Index best = -1;
          for (Index u = 0; u < w[0].taps && best < 0; ++u) {
            const Index row = w[0].start(i) + u * w[0].dilation;
            for (Index v = 0; v < w[1].taps && best < 0; ++v) {
              const Index column = w[1].start(j) + v * w[1].dilation;
              if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
              const Real pixel = x.value()[((n * rows + row) * columns + column) * channels + c];
              if (pixel == most || (std::isnan(pixel) && std::isnan(most)))
                best = by_column ? column * rows + row : row * columns + column;
            }
          }
          require<ValueError>(best >= 0, "Indices is undefined for a window that covers only padding");
          result[at] = (n * channels + c) * rows * columns + best;
        }
      }
    }
  }
  return result;
}

/// Max pooling with dilation: the elementwise maximum over the strided slices at each tap.
Var dilated_max(Var image, const Windows& w) {
  const auto tap = [&](Var x, Index axis, const Axis& m, Index number) {
    const std::span<Index> positions = counted(x.tape(), m.out);
    for (Index& position : positions) position = position * m.stride + number * m.dilation;
    return detail::take(x, axis, positions);
  };
  Var y;
  for (Index u = 0; u < w[0].taps; ++u) {
    const Var rows = tap(image, 1, w[0], u);
    for (Index v = 0; v < w[1].taps; ++v) {
      const Var pixels = tap(rows, 2, w[1], v);
      y = y ? maximum(y, pixels) : pixels;
    }
  }
  return y;
}

void max_pool(Call& call) {
  const Var x = call.channels_last(0), image = image_of(x);
  const Windows w = windows_of(call, x.shape(), call.integers("kernel_shape"));
  const Pool2DOptions options{.strides = {w[0].stride, w[1].stride}};
  const Size2D size{w[0].taps, w[1].taps};
  constexpr Real nothing = -std::numeric_limits<Real>::infinity();
  Var y;
  if (w[0].dilation == 1 && w[1].dilation == 1) {
    y = with_padding(image, w, nothing, [&](Var v, Padding padding) {
      return max_pool2d(v, size, {.strides = options.strides, .padding = padding});
    });
  } else {
    y = dilated_max(padded(padded(image, 1, w[0], nothing), 2, w[1], nothing), w);
  }
  call.result(0, like(y, x), Layout::channels_last);
  if (!call.wants(1)) return;
  Shape shape{y.shape()[0], y.shape()[3], y.shape()[1], y.shape()[2]};
  if (x.rank() == 3) shape = shape.without(2);
  call.integer_result(1, ElementType::int64, shape, positions_of_max(call, image, w, y));
}

/// Mean over the part of each window inside the image, or with count_include_pad over padding, too.
void average_pool(Call& call) {
  const Var x = call.channels_last(0), image = image_of(x);
  const Windows w = windows_of(call, x.shape(), call.integers("kernel_shape"));
  require<FormatError>(w[0].dilation == 1 && w[1].dilation == 1, "dilations other than 1 are not supported");
  const bool with_padding_too = call.integer("count_include_pad", 0) != 0;
  const Size2D size{w[0].taps, w[1].taps}, strides{w[0].stride, w[1].stride};
  const std::optional<Padding> padding = padding_of(w);
  Var y;
  if (padding && (padding == Padding::valid || !with_padding_too)) {
    y = average_pool2d(image, size, {.strides = strides, .padding = *padding});
  } else {
    // Pad with zeros, average, and rescale from the full window size to the number of elements that count.
    y = average_pool2d(padded(padded(image, 1, w[0], 0), 2, w[1], 0), size, {.strides = strides});
    const auto counted_in = [&](const Axis& m, Index window) {
      const Index outside = with_padding_too ? m.before : 0, end = with_padding_too ? m.in + m.after : m.in;
      return std::min(m.start(window) + m.taps, end) - std::max(m.start(window), -outside);
    };
    const View factors = call.tape().scratch({w[0].out, w[1].out, 1});
    for (Index i = 0; i < w[0].out; ++i) {
      for (Index j = 0; j < w[1].out; ++j) {
        const Index count = std::max(Index{1}, counted_in(w[0], i) * counted_in(w[1], j));
        factors[i * w[1].out + j] = static_cast<Real>(w[0].taps * w[1].taps) / static_cast<Real>(count);
      }
    }
    y = y * call.tape().input(factors);
  }
  call.result(0, like(y, x), Layout::channels_last);
}

/// Applies the reduction f to all pixels of each channel.
template <Var (*f)(Var, Index, const ReduceOptions&)>
void global_pool(Call& call) {
  const Var x = call[0];
  require<FormatError>(x.rank() > 2, "an input of shape {}; (batch, channels, pixels...) is required", x.shape());
  Shape shape = x.shape();
  for (Index axis = 2; axis < x.rank(); ++axis) shape = shape.with(axis, 1);
  call.result(cornu::reshape(f(cornu::reshape(x, {shape[0], shape[1], -1}), 2, {}), shape));
}

}  // namespace

std::span<const Op> image_ops() {
  static constexpr Op ops[] = {
      {.name = "AveragePool",
       .attributes = "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides ",
       .run = average_pool},
      {.name = "Conv",
       .inputs = {2, 3},
       .attributes = "auto_pad dilations group kernel_shape pads strides ",
       .weights = 0b110,
       .run = convolution},
      {.name = "GlobalAveragePool", .run = global_pool<mean>},
      {.name = "GlobalMaxPool", .run = global_pool<max>},
      {.name = "MaxPool",
       .outputs = 2,
       .attributes = "auto_pad ceil_mode dilations kernel_shape pads storage_order strides ",
       .run = max_pool},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
