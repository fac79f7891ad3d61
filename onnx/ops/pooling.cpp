#include <algorithm>
#include <cmath>
#include <limits>

#include "cornu/core/error.h"
#include "cornu/onnx/broadcast.h"
#include "cornu/onnx/ops/windows.h"

namespace cornu::onnx::detail {

namespace {

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

/// Windows with dilation, as a fold over the strided slices at each tap. image: padded.
template <class F>
Var folded(Var image, const Windows& w, F f) {
  const auto tap = [&](Var x, Index axis, const WindowAxis& m, Index number) {
    const std::span<Index> positions = counted(x.tape(), m.out);
    for (Index& position : positions) position = position * m.stride + number * m.dilation;
    return detail::take(x, axis, positions);
  };
  Var y;
  for (Index u = 0; u < w[0].taps; ++u) {
    const Var rows = tap(image, 1, w[0], u);
    for (Index v = 0; v < w[1].taps; ++v) {
      const Var pixels = tap(rows, 2, w[1], v);
      y = y ? f(y, pixels) : pixels;
    }
  }
  return y;
}

bool is_dilated(const Windows& w) { return w[0].dilation != 1 || w[1].dilation != 1; }

/// Whole numbers of 8 bits, which floats represent, are pooled as floats.
Var pooled_input(const Call& call) {
  if (call.is_real()) return call.channels_last(0);
  require<FormatError>(call.type(0) == ElementType::int8 || call.type(0) == ElementType::uint8,
                       "input 0 holds {}; it takes floats and integers of 8 bits",
                       name_of_element_type(static_cast<std::int64_t>(call.type(0))));
  const Var x = call.as_real(0);
  require<FormatError>(x.rank() == 3 || x.rank() == 4, "an input of shape {}; images or sequences are required",
                       x.shape());
  return x.rank() == 3 ? cornu::transpose(x, {0, 2, 1}) : cornu::transpose(x, {0, 2, 3, 1});
}

void max_pool(Call& call) {
  const Var x = pooled_input(call), image = image_of(x);
  const Windows w = windows_of(call, x.shape(), call.integers("kernel_shape"));
  const Pool2DOptions options{.strides = {w[0].stride, w[1].stride}};
  const Size2D size{w[0].taps, w[1].taps};
  constexpr Real nothing = -std::numeric_limits<Real>::infinity();
  Var y;
  if (!is_dilated(w)) {
    y = with_padding(image, w, nothing, [&](Var v, Padding padding) {
      return max_pool2d(v, size, {.strides = options.strides, .padding = padding});
    });
  } else {
    y = folded(padded(image, w, nothing), w, [](Var a, Var b) { return maximum(a, b); });
  }
  if (call.is_real()) {
    call.result(0, like(y, x), Layout::channels_last);
  } else if (call.wants(0)) {
    const Var plain_y = plain({.layout = Layout::channels_last, .var = like(y, x)});
    const std::span<Index> numbers = call.memory<Index>(static_cast<std::size_t>(y.size()));
    std::transform(plain_y.value().begin(), plain_y.value().end(), numbers.begin(),
                   [](Real v) { return static_cast<Index>(v); });
    call.integer_result(0, call.type(0), plain_y.shape(), numbers);
  }
  if (!call.wants(1)) return;
  Shape shape{y.shape()[0], y.shape()[3], y.shape()[1], y.shape()[2]};
  if (x.rank() == 3) shape = shape.without(2);
  call.integer_result(1, ElementType::int64, shape, positions_of_max(call, image, w, y));
}

/// The sums over windows; padding counts as 0.
Var sum_pool(Var image, const Windows& w) {
  const Var all = padded(image, w, 0);
  if (is_dilated(w)) return folded(all, w, [](Var a, Var b) { return a + b; });
  const auto count = static_cast<double>(w[0].taps * w[1].taps);
  return count * average_pool2d(all, {w[0].taps, w[1].taps}, {.strides = {w[0].stride, w[1].stride}});
}

/// The taps of a window inside of the image, and in the padding if that counts.
Index counted_taps(const WindowAxis& m, Index window, bool with_padding) {
  const Index first = with_padding ? -m.before : 0, end = with_padding ? m.in + m.after : m.in;
  Index count = 0;
  for (Index tap = 0; tap < m.taps; ++tap) {
    const Index at = m.start(window) + tap * m.dilation;
    count += first <= at && at < end ? 1 : 0;
  }
  return count;
}

/// Mean over the part of each window inside the image, or with count_include_pad over padding, too.
void average_pool(Call& call) {
  const Var x = call.channels_last(0), image = image_of(x);
  const Windows w = windows_of(call, x.shape(), call.integers("kernel_shape"));
  const bool with_padding_too = call.integer("count_include_pad", 0) != 0;
  const std::optional<Padding> padding = is_dilated(w) ? std::nullopt : padding_of(w);
  Var y;
  if (padding && (padding == Padding::valid || !with_padding_too)) {
    y = average_pool2d(image, {w[0].taps, w[1].taps}, {.strides = {w[0].stride, w[1].stride}, .padding = *padding});
  } else {
    const View factors = call.tape().scratch({w[0].out, w[1].out, 1});
    for (Index i = 0; i < w[0].out; ++i) {
      for (Index j = 0; j < w[1].out; ++j) {
        const Index count = counted_taps(w[0], i, with_padding_too) * counted_taps(w[1], j, with_padding_too);
        factors[i * w[1].out + j] = 1 / static_cast<Real>(std::max(Index{1}, count));
      }
    }
    y = sum_pool(image, w) * call.tape().input(factors);
  }
  call.result(0, like(y, x), Layout::channels_last);
}

/// The p-norm of each window: (sum of |x|^p)^(1/p). Before opset 2, p is a float.
Var norm_of(Call& call, Var x, Var (*total)(Var, const Windows*), const Windows* w) {
  const bool is_float = call.has("p") && call.node().attribute("p")->type == AttributeType::real;
  const double p = is_float ? call.real("p", 2) : static_cast<double>(call.integer("p", 2));
  require<FormatError>(p > 0, "p is {}; it must be positive", p);
  if (p == 2) return sqrt(total(square(x), w));
  if (p == 1) return total(abs(x), w);
  return pow(total(pow(abs(x), p), w), 1 / p);
}

void lp_pool(Call& call) {
  const Var x = call.channels_last(0);
  const Windows w = windows_of(call, x.shape(), call.integers("kernel_shape"));
  const Var y = norm_of(
      call, image_of(x), [](Var v, const Windows* windows) { return sum_pool(v, *windows); }, &w);
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

void global_lp_pool(Call& call) {
  const Var x = call[0];
  require<FormatError>(x.rank() > 2, "an input of shape {}; (batch, channels, pixels...) is required", x.shape());
  Shape shape = x.shape();
  for (Index axis = 2; axis < x.rank(); ++axis) shape = shape.with(axis, 1);
  const Var y = norm_of(
      call, cornu::reshape(x, {shape[0], shape[1], -1}), [](Var v, const Windows*) { return sum(v, 2); }, nullptr);
  call.result(cornu::reshape(y, shape));
}

/// The shape that MaxPool had before it with the same attributes.
Shape unpooled_shape(const Call& call) {
  const Shape s = call.shape(0);
  const std::span<const Index> kernel = call.integers("kernel_shape");
  require<FormatError>(std::ssize(kernel) == s.rank() - 2, "'kernel_shape' has {} numbers, expected {}", kernel.size(),
                       s.rank() - 2);
  const auto number = [&](const char* name, std::size_t i, std::size_t count, Index otherwise) {
    if (!call.has(name)) return otherwise;
    const std::span<const Index> numbers = call.integers(name);
    require<FormatError>(numbers.size() == count, "'{}' has {} numbers, expected {}", name, numbers.size(), count);
    require<FormatError>(0 <= numbers[i] && numbers[i] <= Index{1} << 30, "a number of '{}' is {}", name, numbers[i]);
    return numbers[i];
  };
  Shape shape = s.sub(0, 2);
  for (std::size_t i = 0; i < kernel.size(); ++i) {
    const Index n = s[static_cast<Index>(i) + 2], stride = number("strides", i, kernel.size(), 1),
                pads =
                    number("pads", i, 2 * kernel.size(), 0) + number("pads", i + kernel.size(), 2 * kernel.size(), 0);
    require<FormatError>(n < Index{1} << 30 && 0 <= kernel[i] && kernel[i] <= Index{1} << 30,
                         "a window of {} over {} pixels", kernel[i], n);
    const Index length = (n - 1) * stride + kernel[i] - pads;
    require<FormatError>(length >= 0, "pads of {} leave no pixels", pads);
    shape = shape.inserted(shape.rank(), length);
  }
  return shape;
}

/// Puts each element at the position that MaxPool gave for it; zeros elsewhere. With an output_shape, pixels are added
/// at the ends.
void max_unpool(Call& call) {
  const Shape s = call.shape(0);
  require<FormatError>(s.rank() == 3 || s.rank() == 4, "an input of shape {}; images or sequences are required", s);
  require<FormatError>(call.shape(1) == s, "positions of shape {} for values of shape {}", call.shape(1), s);
  const Shape inner = unpooled_shape(call), shape = call.has(2) ? Shape(call.integers(2)) : inner;
  bool fits = shape.rank() == inner.rank();
  for (Index axis = 0; fits && axis < inner.rank(); ++axis) fits = inner[axis] <= shape[axis];
  require<FormatError>(fits, "an output_shape of {}; {} is the least", shape, inner);
  const std::span<Index> sources = call.memory<Index>(static_cast<std::size_t>(shape.size()));
  std::fill(sources.begin(), sources.end(), Index{-1});
  const std::span<const Index> positions = call.integers(1);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    require<ValueError>(0 <= positions[i] && positions[i] < inner.size(), "position {} in {}", positions[i], inner);
    Index rest = positions[i], at = 0, stride = 1;
    for (Index axis = inner.rank() - 1; axis >= 0; --axis) {
      at += rest % inner[axis] * stride;
      rest /= inner[axis];
      stride *= shape[axis];
    }
    sources[static_cast<std::size_t>(at)] = static_cast<Index>(i);
  }
  call.result(0, gather(call.tape(), call.value(0), shape, sources));
}

}  // namespace

std::span<const Op> pooling_ops() {
  static constexpr Op ops[] = {
      {.name = "AveragePool",
       .attributes = "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides ",
       .run = average_pool},
      {.name = "GlobalAveragePool", .run = global_pool<mean>},
      {.name = "GlobalLpPool", .attributes = "p ", .run = global_lp_pool},
      {.name = "GlobalMaxPool", .run = global_pool<max>},
      {.name = "LpPool", .attributes = "auto_pad ceil_mode dilations kernel_shape p pads strides ", .run = lp_pool},
      {.name = "MaxPool",
       .outputs = 2,
       .attributes = "auto_pad ceil_mode dilations kernel_shape pads storage_order strides ",
       .takes = numbers,
       .run = max_pool},
      {.name = "MaxUnpool",
       .since = 9,
       .inputs = {2, 3},
       .attributes = "kernel_shape pads strides ",
       .run = max_unpool},
  };
  return ops;
}

}  // namespace cornu::onnx::detail
