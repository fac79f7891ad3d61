#include "cornu/tests/core/ops/op_reference.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cornu::testing {

namespace {

using Coordinates = std::vector<Index>;

Coordinates coordinates_of(Index flat, const Shape& shape) {
  Coordinates result(static_cast<std::size_t>(shape.rank()));
  for (Index axis = shape.rank() - 1; axis >= 0; --axis) {
    result[static_cast<std::size_t>(axis)] = flat % shape[axis];
    flat /= shape[axis];
  }
  return result;
}

/// The flat index. Coordinates are aligned at the last axis, and broadcast along axes of size 1.
std::size_t position_of(const Coordinates& coordinates, const Shape& shape) {
  const std::size_t lead = coordinates.size() - static_cast<std::size_t>(shape.rank());
  Index flat = 0;
  for (Index axis = 0; axis < shape.rank(); ++axis) {
    const Index at = coordinates[lead + static_cast<std::size_t>(axis)];
    flat = flat * shape[axis] + (shape[axis] == 1 ? 0 : at);
  }
  return static_cast<std::size_t>(flat);
}

/// A result of the given shape, computed element by element as f(coordinates).
template <class F>
Exact each(const Shape& shape, F f) {
  Exact result(shape);
  for (Index i = 0; i < shape.size(); ++i) result.values[static_cast<std::size_t>(i)] = f(coordinates_of(i, shape));
  return result;
}

Shape stretched(const Shape& a, const Shape& b) {
  std::vector<Index> dimensions(static_cast<std::size_t>(std::max(a.rank(), b.rank())), 1);
  for (const Shape& shape : {a, b}) {
    for (Index i = 1; i <= shape.rank(); ++i) {
      if (shape[-i] != 1) dimensions[dimensions.size() - static_cast<std::size_t>(i)] = shape[-i];
    }
  }
  return Shape(dimensions);
}

Index from_start(Index axis, const Shape& shape) { return axis < 0 ? axis + shape.rank() : axis; }

/// The elements of x along the axis, at the given coordinates of the other axes.
Numbers numbers_along(const Exact& x, Index axis, Coordinates coordinates) {
  Numbers result;
  for (Index j = 0; j < x.shape[axis]; ++j) {
    coordinates[static_cast<std::size_t>(axis)] = j;
    result.push_back(x.values[position_of(coordinates, x.shape)]);
  }
  return result;
}

}  // namespace

Exact pointwise_reference(const Exact& x, const std::function<long double(long double)>& f) {
  return each(x.shape, [&](const Coordinates& at) { return f(x.values[position_of(at, x.shape)]); });
}

Exact pairwise_reference(const Exact& a, const Exact& b,
                         const std::function<long double(long double, long double)>& f) {
  return each(stretched(a.shape, b.shape), [&](const Coordinates& at) {
    return f(a.values[position_of(at, a.shape)], b.values[position_of(at, b.shape)]);
  });
}

Exact matmul_reference(Exact a, Exact b, const MatmulOptions& options) {
  const bool row = a.shape.rank() == 1, column = b.shape.rank() == 1;
  const auto swapped = [](const Exact& x) {
    std::vector<Index> axes;
    for (Index i = 0; i < x.shape.rank(); ++i) axes.push_back(i);
    std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
    return transpose_reference(x, axes);
  };
  if (row) a.shape = a.shape.inserted(0, 1);
  if (column) b.shape = b.shape.inserted(1, 1);
  if (options.transpose_a) a = swapped(a);
  if (options.transpose_b) b = swapped(b);

  const Shape lead = stretched(a.shape.sub(0, a.shape.rank() - 2), b.shape.sub(0, b.shape.rank() - 2));
  const Shape shape = lead.inserted(lead.rank(), a.shape[-2]).inserted(lead.rank() + 1, b.shape[-1]);
  Exact y = each(shape, [&](const Coordinates& at) {
    long double sum = 0;
    for (Index k = 0; k < a.shape[-1]; ++k) {
      Coordinates at_a = at, at_b = at;
      at_a[at.size() - 1] = k;
      at_b[at.size() - 2] = k;
      sum += a.values[position_of(at_a, a.shape)] * b.values[position_of(at_b, b.shape)];
    }
    return sum;
  });
  if (row) y.shape = y.shape.without(-2);
  if (column) y.shape = y.shape.without(-1);
  return y;
}

Exact reduce_reference(const Exact& x, Index axis, bool keepdims, const std::function<long double(const Numbers&)>& f) {
  const Index at_axis = from_start(axis, x.shape);
  Exact y = each(x.shape.with(at_axis, 1), [&](const Coordinates& at) { return f(numbers_along(x, at_axis, at)); });
  if (!keepdims) y.shape = y.shape.without(at_axis);
  return y;
}

Exact along_axis_reference(const Exact& x, Index axis, const std::function<Numbers(const Numbers&)>& f) {
  const Index at_axis = from_start(axis, x.shape);
  return each(x.shape, [&](const Coordinates& at) {
    return f(numbers_along(x, at_axis, at))[static_cast<std::size_t>(at[static_cast<std::size_t>(at_axis)])];
  });
}

Exact reshape_reference(Exact x, const Shape& shape) {
  x.shape = shape;
  return x;
}

Exact transpose_reference(const Exact& x, std::vector<Index> axes) {
  std::vector<Index> dimensions;
  for (Index& axis : axes) {
    axis = from_start(axis, x.shape);
    dimensions.push_back(x.shape[axis]);
  }
  return each(Shape(dimensions), [&](const Coordinates& at) {
    Coordinates from(at.size());
    for (std::size_t i = 0; i < at.size(); ++i) from[static_cast<std::size_t>(axes[i])] = at[i];
    return x.values[position_of(from, x.shape)];
  });
}

Exact concatenate_reference(std::span<const Exact> parts, Index axis) {
  const Index at_axis = from_start(axis, parts[0].shape);
  Index total = 0;
  for (const Exact& part : parts) total += part.shape[at_axis];
  return each(parts[0].shape.with(at_axis, total), [&](Coordinates at) {
    Index& position = at[static_cast<std::size_t>(at_axis)];
    std::size_t part = 0;
    for (; position >= parts[part].shape[at_axis]; ++part) position -= parts[part].shape[at_axis];
    return parts[part].values[position_of(at, parts[part].shape)];
  });
}

Exact slice_reference(const Exact& x, Index axis, Index begin, Index end) {
  const Index at_axis = from_start(axis, x.shape);
  return each(x.shape.with(at_axis, end - begin), [&](Coordinates at) {
    at[static_cast<std::size_t>(at_axis)] += begin;
    return x.values[position_of(at, x.shape)];
  });
}

namespace {

/// The number of windows along one axis and the start of the first, as defined in Keras's documentation.
struct Windows {
  Index count, first;

  Windows(Index in, Index taps, Index stride, Index dilation, Padding padding) {
    const Index reach = (taps - 1) * dilation + 1;
    if (padding == Padding::valid) {
      count = first = 0;
      while (count * stride + reach <= in) ++count;
    } else {
      count = in / stride + (in % stride > 0 ? 1 : 0);
      const Index outside = (count - 1) * stride + reach - in;
      first = padding == Padding::causal ? 1 - reach : outside > 0 ? -(outside / 2) : 0;
    }
  }
};

}  // namespace

Exact conv2d_reference(const Exact& x, const Exact& kernel, const Exact& bias, const Conv2DOptions& options) {
  const Windows rows(x.shape[1], kernel.shape[0], options.strides.height, options.dilation_rate.height,
                     options.padding);
  const Windows columns(x.shape[2], kernel.shape[1], options.strides.width, options.dilation_rate.width,
                        options.padding);
  const Index in = kernel.shape[2], out = kernel.shape[3];
  return each({x.shape[0], rows.count, columns.count, out}, [&](const Coordinates& at) {
    long double sum = bias.values.empty() ? 0 : bias.values[static_cast<std::size_t>(at[3])];
    const Index group = at[3] / (out / options.groups);
    for (Index u = 0; u < kernel.shape[0]; ++u) {
      for (Index v = 0; v < kernel.shape[1]; ++v) {
        const Index i = rows.first + at[1] * options.strides.height + u * options.dilation_rate.height;
        const Index j = columns.first + at[2] * options.strides.width + v * options.dilation_rate.width;
        const bool inside = 0 <= i && i < x.shape[1] && 0 <= j && j < x.shape[2];
        for (Index c = 0; c < in; ++c) {
          sum += (inside ? x.values[position_of({at[0], i, j, group * in + c}, x.shape)] : 0) *
                 kernel.values[position_of({u, v, c, at[3]}, kernel.shape)];  // outside the image, 0 * NaN is NaN
        }
      }
    }
    return options.relu && sum < 0 ? 0 : sum;
  });
}

Exact depthwise_reference(const Exact& x, const Exact& kernel, const Exact& bias,
                          const DepthwiseConv2DOptions& options) {
  const Windows rows(x.shape[1], kernel.shape[0], options.strides.height, options.dilation_rate.height,
                     options.padding);
  const Windows columns(x.shape[2], kernel.shape[1], options.strides.width, options.dilation_rate.width,
                        options.padding);
  const Index multiplier = kernel.shape[3];
  return each({x.shape[0], rows.count, columns.count, x.shape[3] * multiplier}, [&](const Coordinates& at) {
    long double sum = bias.values.empty() ? 0 : bias.values[static_cast<std::size_t>(at[3])];
    const Index channel = at[3] / multiplier;
    for (Index u = 0; u < kernel.shape[0]; ++u) {
      for (Index v = 0; v < kernel.shape[1]; ++v) {
        const Index i = rows.first + at[1] * options.strides.height + u * options.dilation_rate.height;
        const Index j = columns.first + at[2] * options.strides.width + v * options.dilation_rate.width;
        if (i < 0 || i >= x.shape[1] || j < 0 || j >= x.shape[2]) continue;
        sum += x.values[position_of({at[0], i, j, channel}, x.shape)] *
               kernel.values[position_of({u, v, channel, at[3] % multiplier}, kernel.shape)];
      }
    }
    return sum;
  });
}

Exact pool2d_reference(const Exact& x, Size2D pool_size, const Pool2DOptions& options,
                       const std::function<long double(const Numbers&)>& f) {
  const Size2D strides = options.strides.height == 0 ? pool_size : options.strides;
  const Windows rows(x.shape[1], pool_size.height, strides.height, 1, options.padding);
  const Windows columns(x.shape[2], pool_size.width, strides.width, 1, options.padding);
  return each({x.shape[0], rows.count, columns.count, x.shape[3]}, [&](const Coordinates& at) {
    Numbers inside;
    for (Index u = 0; u < pool_size.height; ++u) {
      for (Index v = 0; v < pool_size.width; ++v) {
        const Index i = rows.first + at[1] * strides.height + u, j = columns.first + at[2] * strides.width + v;
        if (i < 0 || i >= x.shape[1] || j < 0 || j >= x.shape[2]) continue;
        inside.push_back(x.values[position_of({at[0], i, j, at[3]}, x.shape)]);
      }
    }
    return f(inside);
  });
}

Exact affine_transform_reference(const Exact& x, const Tensor& transforms, const AffineOptions& options) {
  /// The pixel shown at a whole position, inside or outside the image; -1 for none.
  const auto shown = [&](Index at, Index n) {
    if (options.fill_mode == FillMode::nearest) return std::clamp(at, Index{0}, n - 1);
    if (options.fill_mode == FillMode::constant) return at < 0 || at >= n ? Index{-1} : at;
    while (at < 0 || at >= n) at = at < 0 ? -1 - at : 2 * n - 1 - at;
    return at;
  };
  return each(x.shape, [&](const Coordinates& at) {
    const Real* t = transforms.data() + at[0] * 6;
    const auto i = static_cast<long double>(at[1]), j = static_cast<long double>(at[2]);
    const long double row = t[3] * j + t[4] * i + t[5], column = t[0] * j + t[1] * i + t[2];
    const auto top = static_cast<Index>(std::floor(row)), left = static_cast<Index>(std::floor(column));
    long double sum = 0;
    for (Index u = top; u <= top + 1; ++u) {
      for (Index v = left; v <= left + 1; ++v) {
        const long double weight =
            (1 - std::abs(row - static_cast<long double>(u))) * (1 - std::abs(column - static_cast<long double>(v)));
        if (weight == 0) continue;
        const Index from_row = shown(u, x.shape[1]), from_column = shown(v, x.shape[2]);
        const bool outside = from_row < 0 || from_column < 0;
        sum += weight * (outside ? static_cast<long double>(options.fill_value)
                                 : x.values[position_of({at[0], from_row, from_column, at[3]}, x.shape)]);
      }
    }
    return sum;
  });
}

long double sum_of(const Numbers& x) {
  long double sum = 0;
  for (const long double number : x) sum += number;
  return sum;
}

long double mean_of(const Numbers& x) { return sum_of(x) / static_cast<long double>(x.size()); }

long double max_of(const Numbers& x) {
  long double best = -std::numeric_limits<long double>::infinity();
  for (const long double number : x) {
    if (std::isnan(number)) return number;
    if (number > best) best = number;
  }
  return best;
}

Numbers softmax_of(const Numbers& x) {
  // No maximum is subtracted: a long double holds e^11356, and the inputs are far below that.
  Numbers result;
  long double sum = 0;
  for (const long double number : x) sum += std::exp(number);
  for (const long double number : x) result.push_back(std::exp(number) / sum);
  return result;
}

Numbers log_softmax_of(const Numbers& x) {
  Numbers result = softmax_of(x);
  for (long double& number : result) number = std::log(number);
  return result;
}

}  // namespace cornu::testing
