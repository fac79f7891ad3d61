#include <algorithm>
#include <array>
#include <cmath>

#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

/// resize and conv2d_transpose.
namespace cornu::testing {

namespace resampling {

namespace {

std::size_t at4(const Shape& s, Index b, Index i, Index j, Index c) {
  return static_cast<std::size_t>(((b * s[1] + i) * s[2] + j) * s[3] + c);
}

/// The weight of each of n pixels in pixel i of `size`: a kernel at their distances, over all pixels of the image.
std::vector<long double> weights_of(Index i, Index n, Index size, Interpolation interpolation) {
  const long double at =
      (static_cast<long double>(i) + 0.5L) * static_cast<long double>(n) / static_cast<long double>(size) - 0.5L;
  std::vector<long double> result(static_cast<std::size_t>(n));
  long double sum = 0;
  if (interpolation == Interpolation::nearest) {
    Index best = 0;
    for (Index k = 1; k < n; ++k) {
      if (std::abs(at - static_cast<long double>(k)) <= std::abs(at - static_cast<long double>(best))) best = k;
    }
    result[static_cast<std::size_t>(best)] = 1;
    return result;
  }
  for (Index k = 0; k < n; ++k) {
    const long double d = std::abs(at - static_cast<long double>(k));
    long double& weight = result[static_cast<std::size_t>(k)];
    if (interpolation == Interpolation::bilinear) {
      weight = std::max(0.0L, 1 - d);
    } else {
      weight = d < 1 ? 1.5L * d * d * d - 2.5L * d * d + 1 : d < 2 ? ((-0.5L * d + 2.5L) * d - 4) * d + 2 : 0;
    }
    sum += weight;
  }
  for (long double& weight : result) weight /= sum;
  return result;
}

Exact resize_reference(const Exact& x, Size2D size, Interpolation interpolation) {
  Exact y({x.shape[0], size.height, size.width, x.shape[3]});
  for (Index i = 0; i < size.height; ++i) {
    const std::vector<long double> rows = weights_of(i, x.shape[1], size.height, interpolation);
    for (Index j = 0; j < size.width; ++j) {
      const std::vector<long double> columns = weights_of(j, x.shape[2], size.width, interpolation);
      for (Index b = 0; b < x.shape[0]; ++b) {
        for (Index c = 0; c < x.shape[3]; ++c) {
          for (Index u = 0; u < x.shape[1]; ++u) {
            for (Index v = 0; v < x.shape[2]; ++v) {
              const long double weight = rows[static_cast<std::size_t>(u)] * columns[static_cast<std::size_t>(v)];
              if (weight != 0) y.values[at4(y.shape, b, i, j, c)] += weight * x.values[at4(x.shape, b, u, v, c)];
            }
          }
        }
      }
    }
  }
  return y;
}

OpRow resize_row() {
  OpRow row{.op = "resize", .name = "Resize", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& x, Size2D size) {
    for (const Interpolation how : {Interpolation::nearest, Interpolation::bilinear, Interpolation::bicubic}) {
      row.samples.push_back({message("resize {} to {}, {}", x, size, option_names(how)[static_cast<std::size_t>(how)]),
                             {x},
                             [=](std::span<const Var> v) { return resize(v[0], size, {.interpolation = how}); },
                             [=](std::span<const Tensor> v) { return resize(v[0], size, {.interpolation = how}); },
                             [=](std::span<const Exact> v) { return resize_reference(v[0], size, how); }});
    }
  };
  add({1, 1, 1, 1}, 1);
  add({1, 1, 1, 2}, 3);
  add({2, 3, 4, 2}, {6, 8});
  add({1, 3, 2, 1}, {9, 4});
  add({1, 5, 4, 2}, {3, 2});
  add({1, 2, 5, 3}, {5, 3});
  add({1, 7, 3, 1}, {7, 5});
  add({1, 4, 4, 17}, {4, 8});
  add({0, 2, 3, 1}, {4, 4});
  add({1, 2, 3, 0}, {4, 4});
  add({1, 6, 6, 1}, {1, 13});
  row.uses_every_element = false;  // a smaller image leaves some out
  row.errors = {{"resize: images of shape (4, 4, 2); (batch, height, width, channels) is required",
                 [](Tape& t) {
                   resize(of(t, {4, 4, 2}), 8);
                 }},
                {"resize: axis 2 of shape (1, 8, 0, 2) is empty", [](Tape& t) {
                   resize(of(t, {1, 4, 0, 2}), 8);
                 }}};
  return row;
}

/// Where an axis of n positions lies in its result: as Keras computes the padding for JAX, which spreads x by the
/// strides, pads it, and convolves it with the kernel.
struct Spread {
  Index length, first;

  Spread(Index n, Index taps, Index stride, Index dilation, Padding padding, std::optional<Index> output_padding) {
    const Index k = (taps - 1) * dilation + 1;
    Index left = 0, right = 0;
    if (padding == Padding::valid) {
      left = k - 1;
      right = k - 1 + output_padding.value_or(std::max(k, stride) - k);
    } else {
      const Index total = output_padding ? k + k % 2 - 2 + *output_padding : stride + k - 2;
      left = std::min(total / 2 + total % 2, k - 1);
      right = total - left;
    }
    length = (n - 1) * stride + 1 + left + right - k + 1;
    first = left - (k - 1);
  }
};

Exact transpose_reference_of(const Exact& x, const Exact& kernel, const Exact& bias,
                             const Conv2DTransposeOptions& options) {
  const auto added = [&](Index Size2D::*side) {
    return options.output_padding ? std::optional<Index>((*options.output_padding).*side) : std::nullopt;
  };
  const Spread rows(x.shape[1], kernel.shape[0], options.strides.height, options.dilation_rate.height, options.padding,
                    added(&Size2D::height)),
      columns(x.shape[2], kernel.shape[1], options.strides.width, options.dilation_rate.width, options.padding,
              added(&Size2D::width));
  const Index in = x.shape[3], of_group = kernel.shape[2], out = of_group * options.groups;
  Exact y({x.shape[0], rows.length, columns.length, out});
  for (Index i = 0; i < y.shape.size(); ++i) {
    if (!bias.values.empty()) y.values[static_cast<std::size_t>(i)] = bias.values[static_cast<std::size_t>(i % out)];
  }
  for (Index i = 0; i < x.shape.size(); ++i) {  // every element of x in turn
    const Index c = i % in, column = i / in % x.shape[2], r = i / in / x.shape[2] % x.shape[1],
                b = i / in / x.shape[2] / x.shape[1], group = c / (in / options.groups);
    for (Index u = 0; u < kernel.shape[0]; ++u) {
      for (Index v = 0; v < kernel.shape[1]; ++v) {
        const Index p = rows.first + r * options.strides.height + u * options.dilation_rate.height,
                    q = columns.first + column * options.strides.width + v * options.dilation_rate.width;
        if (p < 0 || p >= rows.length || q < 0 || q >= columns.length) continue;
        for (Index n = 0; n < of_group; ++n) {
          y.values[at4(y.shape, b, p, q, group * of_group + n)] +=
              x.values[static_cast<std::size_t>(i)] * kernel.values[at4(kernel.shape, u, v, n, c)];
        }
      }
    }
  }
  return y;
}

OpRow conv2d_transpose_row() {
  OpRow row{.op = "conv2d_transpose", .name = "Conv2dTranspose", .ranges = {{Real(-1), Real(1)}}, .samples = {}};
  const auto add = [&](const Shape& x, const Shape& kernel, const Conv2DTransposeOptions& options = {}) {
    const bool with_bias = row.samples.size() % 2 == 0;
    const std::string what =
        message("conv2d_transpose of {} and {}, strides {}, {}, output_padding {}, dilation_rate {}, groups {}{}", x,
                kernel, options.strides, option_names(options.padding)[static_cast<std::size_t>(options.padding)],
                options.output_padding ? to_string(*options.output_padding) : "none", options.dilation_rate,
                options.groups, with_bias ? ", bias" : "");
    Sample sample{.what = what,
                  .inputs = {x, kernel},
                  .on_tape = [=](std::span<const Var> v) { return conv2d_transpose(v[0], v[1], options); },
                  .eagerly = [=](std::span<const Tensor> v) { return conv2d_transpose(v[0], v[1], options); },
                  .expected = [=](std::span<const Exact> v) { return transpose_reference_of(v[0], v[1], {}, options); },
                  .has_options = row.samples.size() > 5};
    if (with_bias) {
      sample.inputs.push_back({kernel[2] * options.groups});
      sample.on_tape = [=](std::span<const Var> v) { return conv2d_transpose(v[0], v[1], v[2], options); };
      sample.eagerly = [=](std::span<const Tensor> v) { return conv2d_transpose(v[0], v[1], v[2], options); };
      sample.expected = [=](std::span<const Exact> v) { return transpose_reference_of(v[0], v[1], v[2], options); };
    }
    row.samples.push_back(sample);
  };
  constexpr Padding same = Padding::same;
  add({1, 1, 1, 1}, {1, 1, 1, 1});
  add({2, 3, 4, 3}, {1, 1, 2, 3});
  add({1, 3, 4, 1}, {3, 3, 2, 1});
  add({2, 2, 3, 2}, {3, 2, 3, 2});
  add({1, 3, 1, 5}, {2, 2, 1, 5});
  add({1, 2, 2, 3}, {2, 3, 35, 3});         // more filters than two vectors hold
  for (const bool twice : {false, true}) {  // with a bias and without
    add({0, 3, 3, 2}, {2, 2, 3, 2});
    add({1, 2, 2, 0}, {2, 2, 3, 0});  // no channels: bias alone
    add({1, 2, 2, 2}, {2, 2, 0, 2});  // no filters
    add({1, 4, 3, 2}, {3, 3, 2, 2}, {.strides = 2});
    add({1, 3, 4, twice ? 1 : 2}, {3, 3, 2, twice ? 1 : 2}, {.strides = 2, .padding = same});
    add({1, 3, 2, 2}, {2, 2, 2, 2}, {.strides = 3});  // pixels that no window covers
    add({1, 3, 2, 2}, {2, 1, 2, 2}, {.strides = {3, 2}, .padding = same});
    add({1, 3, 4, 1}, {4, 3, 2, 1}, {.padding = same});
    add({2, 1, 9, 2}, {1, 4, 3, 2}, {.strides = {1, 2}, .padding = same});  // sequences
    add({1, 3, 3, 1}, {3, 4, 1, 1}, {.strides = 2, .padding = same, .output_padding = Size2D(1, 0)});
    add({1, 3, 3, 2}, {3, 2, 2, 2}, {.strides = {3, 2}, .output_padding = Size2D(2, 1)});
    add({1, 2, 3, 1}, {2, 2, 1, 1}, {.strides = 4, .padding = same, .output_padding = 3});
    add({1, 3, 4, 2}, {2, 3, 2, 2}, {.dilation_rate = 2});
    add({1, 4, 3, 1}, {3, 2, 2, 1}, {.padding = same, .dilation_rate = {1, 3}});
    add({1, 3, 3, 2}, {2, 2, 1, 2}, {.strides = 2, .padding = same, .dilation_rate = 2});
    add({1, 3, 3, 4}, {2, 2, 3, 4}, {.groups = 2});
    add({1, 3, 2, 6}, {3, 3, 1, 6}, {.strides = 2, .padding = same, .groups = 3});
    add({2, 2, 3, 2}, {2, 2, 17, 2}, {.strides = 2, .dilation_rate = {1, 2}, .groups = 2});
    add({1, 2, 20, 1}, {3, 5, 2, 1}, {.padding = same});
    add({1, 1, 1, 2}, {5, 5, 1, 2}, {.padding = same});
  }
  row.uses_every_element = false;  // some taps see only padding
  row.parameter_forms = {{{false, true, true}, [](auto x, auto p) { return conv2d_transpose(x[0], p[1], p[2]); }},
                         {{false, true}, [](auto x, auto p) { return conv2d_transpose(x[0], p[1]); }},
                         {{false, true, false}, [](auto x, auto p) { return conv2d_transpose(x[0], p[1], x[2]); }}};
  row.errors = {
      {"conv2d_transpose: x is (4, 4, 1) and the kernel is (2, 2, 3, 1); x (batch, height, width, in) and kernel "
       "(rows, "
       "columns, out / groups, in) are required",
       [](Tape& t) {
         conv2d_transpose(of(t, {4, 4, 1}), of(t, {2, 2, 3, 1}));
       }},
      {"conv2d_transpose: x is (1, 4, 4, 2) and the kernel is (2, 2, 3, 1); the kernel's last axis must be 2",
       [](Tape& t) {
         conv2d_transpose(of(t, {1, 4, 4, 2}), of(t, {2, 2, 3, 1}));
       }},
      {"conv2d_transpose: the kernel is (2, 2, 3, 2), in 2 groups, and the bias is (3,); a bias (out) is required",
       [](Tape& t) {
         conv2d_transpose(of(t, {1, 4, 4, 2}), of(t, {2, 2, 3, 2}), of(t, {3}), {.groups = 2});
       }},
      {"conv2d_transpose: x is (1, 4, 0, 2) and the kernel is (2, 2, 3, 2); the result would have no pixels",
       [](Tape& t) {
         conv2d_transpose(of(t, {1, 4, 0, 2}), of(t, {2, 2, 3, 2}));
       }},
      {"conv2d_transpose: x is (1, 1, 1, 2) and the kernel is (2, 3, 3, 2); the result would have no pixels",
       [](Tape& t) {
         conv2d_transpose(of(t, {1, 1, 1, 2}), of(t, {2, 3, 3, 2}), {.padding = Padding::same, .output_padding = 0});
       }}};
  return row;
}

}  // namespace

}  // namespace resampling

std::vector<OpRow> resampling_rows() { return {resampling::resize_row(), resampling::conv2d_transpose_row()}; }

}  // namespace cornu::testing
