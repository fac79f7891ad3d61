#include <algorithm>
#include <array>

#include "cornu/core/error.h"
#include "cornu/tests/core/ops/op_table.h"

namespace cornu::testing {

namespace {

std::string name_of(Padding padding) {
  return padding == Padding::valid ? "valid" : padding == Padding::same ? "same" : "causal";
}

Sample conv_sample(const Shape& x, const Shape& kernel, bool with_bias, const Conv2DOptions& options) {
  Sample sample{.what = message("conv2d of {} and {}, strides {}, padding {}, dilation_rate {}, groups {}{}{}", x,
                                kernel, options.strides, name_of(options.padding), options.dilation_rate,
                                options.groups, options.relu ? ", relu" : "", with_bias ? ", bias" : ""),
                .inputs = {x, kernel},
                .on_tape = {},
                .eagerly = {},
                .expected = {},
                .has_options = true};
  if (with_bias) {
    sample.inputs.push_back({kernel[3]});
    sample.on_tape = [options](std::span<const Var> v) { return conv2d(v[0], v[1], v[2], options); };
    sample.eagerly = [options](std::span<const Tensor> v) { return conv2d(v[0], v[1], v[2], options); };
    sample.expected = [options](std::span<const Exact> v) { return conv2d_reference(v[0], v[1], v[2], options); };
  } else {
    sample.on_tape = [options](std::span<const Var> v) { return conv2d(v[0], v[1], options); };
    sample.eagerly = [options](std::span<const Tensor> v) { return conv2d(v[0], v[1], options); };
    sample.expected = [options](std::span<const Exact> v) { return conv2d_reference(v[0], v[1], {}, options); };
  }
  return sample;
}

OpRow conv2d_row() {
  OpRow row{.op = "conv2d", .name = "Conv2d", .ranges = {{Real(-1), Real(1)}}, .samples = {}};
  const auto add = [&](const Shape& x, const Shape& kernel, const Conv2DOptions& options = {}) {
    // Biases of both signs, large compared with the kernel, keep the input of relu away from its kink.
    row.samples.push_back(conv_sample(x, kernel, row.samples.size() % 2 == 0, options));
  };
  constexpr Padding same = Padding::same;
  add({1, 1, 1, 1}, {1, 1, 1, 1});
  add({2, 5, 4, 3}, {1, 1, 3, 2});
  add({1, 5, 6, 1}, {3, 3, 1, 2});
  add({2, 4, 5, 2}, {3, 2, 2, 3});
  add({1, 3, 3, 2}, {3, 3, 2, 5});  // one window
  add({0, 3, 3, 2}, {2, 2, 2, 3});  // an empty batch
  add({1, 4, 4, 0}, {2, 2, 0, 2});  // no channels: bias alone
  add({1, 4, 4, 0}, {2, 2, 0, 2});
  add({1, 4, 4, 1}, {2, 2, 1, 0});   // no filters
  add({1, 3, 2, 1}, {2, 2, 1, 35});  // more filters than two vectors hold
  add({1, 3, 2, 1}, {2, 1, 1, 33});
  add({1, 2, 17, 2}, {2, 1, 2, 3});  // more pixels than a tile has
  add({1, 17, 2, 1}, {1, 2, 1, 17});
  add({1, 2, 8, 7}, {1, 5, 7, 2});   // a run of 35 elements
  add({2, 3, 24, 1}, {2, 3, 1, 1});  // few filters: several pixels are joined
  add({1, 5, 28, 2}, {3, 5, 2, 3}, {.padding = same});
  add({1, 2, 19, 1}, {2, 5, 1, 2}, {.strides = {1, 2}});
  add({1, 9, 12, 1}, {2, 3, 1, 2}, {.strides = {2, 1}, .padding = same});
  add({2, 4, 4, 1}, {3, 3, 1, 2}, {.padding = same});
  add({1, 3, 5, 2}, {2, 4, 2, 2}, {.padding = same});  // even windows: more padding at the end
  add({1, 2, 3, 1}, {5, 4, 1, 2}, {.padding = same});  // a kernel larger than the image
  add({1, 5, 6, 2}, {3, 3, 2, 2}, {.strides = 2});
  add({1, 6, 5, 1}, {2, 3, 1, 3}, {.strides = {2, 3}});
  add({1, 7, 5, 1}, {1, 2, 1, 2}, {.strides = {3, 4}});  // pixels that no window sees
  add({2, 5, 4, 1}, {3, 3, 1, 2}, {.strides = 2, .padding = same});
  add({1, 4, 7, 2}, {2, 1, 2, 2}, {.strides = {3, 2}, .padding = same});
  add({1, 4, 5, 2}, {3, 2, 2, 2}, {.padding = Padding::causal});
  add({2, 1, 7, 2}, {1, 3, 2, 2}, {.padding = Padding::causal, .dilation_rate = 2});  // sequences
  add({1, 1, 8, 3}, {1, 3, 3, 2}, {.strides = {1, 3}, .padding = Padding::causal});
  add({2, 1, 20, 3}, {1, 4, 3, 2});
  add({1, 5, 6, 2}, {3, 2, 2, 2}, {.dilation_rate = 2});
  add({1, 4, 4, 1}, {2, 3, 1, 2}, {.padding = same, .dilation_rate = {1, 3}});
  add({1, 7, 6, 2}, {2, 2, 2, 1}, {.strides = 2, .dilation_rate = {3, 2}});
  add({1, 1, 1, 1}, {2, 2, 1, 1}, {.padding = same, .dilation_rate = 5});  // no tap inside
  add({1, 3, 4, 4}, {2, 2, 2, 6}, {.groups = 2});
  add({2, 3, 3, 3}, {2, 3, 1, 6}, {.padding = same, .groups = 3});
  add({1, 5, 4, 4}, {2, 2, 2, 2}, {.strides = 2, .padding = same, .groups = 2});
  add({1, 5, 5, 2}, {2, 2, 1, 4}, {.dilation_rate = 2, .groups = 2});
  row.uses_every_element = false;  // strides may skip pixels, and some taps may see only padding
  row.parameter_forms = {{{false, true, true}, [](auto x, auto p) { return conv2d(x[0], p[1], p[2]); }},
                         {{false, true}, [](auto x, auto p) { return conv2d(x[0], p[1]); }},
                         {{false, true, false}, [](auto x, auto p) { return conv2d(x[0], p[1], x[2]); }}};
  for (Sample& sample : row.samples) {
    sample.has_options =
        sample.what.find("strides (1, 1), padding valid, dilation_rate (1, 1), groups 1") == std::string::npos;
  }
  row.errors = {
      {"conv2d: x is (4, 4, 1) and the kernel is (2, 2, 1, 3); x (batch, height, width, in) and kernel (rows, columns, "
       "in / groups, out) are required",
       [](Tape& t) {
         conv2d(of(t, {4, 4, 1}), of(t, {2, 2, 1, 3}));
       }},
      {"conv2d: the kernel is (2, 2, 1, 3) and the bias is (2,); a bias (out) is required",
       [](Tape& t) {
         conv2d(of(t, {1, 4, 4, 1}), of(t, {2, 2, 1, 3}), of(t, {2}));
       }},
      {"conv2d: x is (1, 4, 4, 4) and the kernel is (2, 2, 4, 6), in 2 groups; the kernel's third axis must be 2",
       [](Tape& t) {
         conv2d(of(t, {1, 4, 4, 4}), of(t, {2, 2, 4, 6}), {.groups = 2});
       }},
      {"conv2d: images of shape (1, 4, 2, 1) are too small for a window of (2, 2), dilation (1, 2); Padding::same may "
       "be "
       "meant",
       [](Tape& t) {
         conv2d(of(t, {1, 4, 2, 1}), of(t, {2, 2, 1, 1}), {.dilation_rate = {1, 2}});
       }},
      {"conv2d: images of shape (1, 0, 2, 1) are too small for a window of (2, 2), dilation (1, 1)", [](Tape& t) {
         conv2d(of(t, {1, 0, 2, 1}), of(t, {2, 2, 1, 1}), {.padding = Padding::same});
       }}};
  return row;
}

OpRow depthwise_row() {
  OpRow row{.op = "depthwise_conv2d", .name = "DepthwiseConv2d", .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& x, const Shape& kernel, const DepthwiseConv2DOptions& options = {}) {
    const bool with_bias = row.samples.size() % 2 == 0;
    Sample sample{
        .what = message("depthwise_conv2d of {} and {}, strides {}, padding {}, dilation_rate {}{}", x, kernel,
                        options.strides, name_of(options.padding), options.dilation_rate, with_bias ? ", bias" : ""),
        .inputs = {x, kernel},
        .on_tape = [=](std::span<const Var> v) { return depthwise_conv2d(v[0], v[1], options); },
        .eagerly = [=](std::span<const Tensor> v) { return depthwise_conv2d(v[0], v[1], options); },
        .expected = [=](std::span<const Exact> v) { return depthwise_reference(v[0], v[1], {}, options); },
        .has_options = true};
    sample.has_options = sample.what.find("strides (1, 1), padding valid, dilation_rate (1, 1)") == std::string::npos;
    if (with_bias) {
      sample.inputs.push_back({kernel[2] * kernel[3]});
      sample.on_tape = [=](std::span<const Var> v) { return depthwise_conv2d(v[0], v[1], v[2], options); };
      sample.eagerly = [=](std::span<const Tensor> v) { return depthwise_conv2d(v[0], v[1], v[2], options); };
      sample.expected = [=](std::span<const Exact> v) { return depthwise_reference(v[0], v[1], v[2], options); };
    }
    row.samples.push_back(sample);
  };
  constexpr Padding same = Padding::same;
  add({1, 1, 1, 1}, {1, 1, 1, 1});
  add({2, 4, 5, 3}, {3, 2, 3, 1});
  add({2, 4, 3, 2}, {2, 3, 2, 3});
  add({1, 3, 3, 16}, {2, 2, 16, 1});  // one block of channels, and one block and a part
  add({1, 2, 3, 19}, {2, 2, 19, 1});
  add({0, 3, 3, 2}, {2, 2, 2, 1});
  add({1, 3, 3, 0}, {2, 2, 0, 2});
  add({1, 3, 3, 2}, {2, 2, 2, 0});
  for (const bool twice : {false, true}) {  // with a bias and without
    add({1, 5, 4, 2}, {3, 3, 2, 1}, {.padding = same});
    add({1, 5, 6, 2}, {3, 2, 2, twice ? 2 : 1}, {.strides = {2, 3}});
    add({2, 5, 4, 1}, {3, 3, 1, 2}, {.strides = 2, .padding = same});
    add({1, 6, 5, 2}, {2, 2, 2, 1}, {.padding = same, .dilation_rate = {3, 2}});
    add({1, 3, 3, 1}, {5, 5, 1, 1}, {.padding = same});  // a kernel larger than the image
    add({1, 2, 2, 2}, {2, 2, 2, 1}, {.padding = same, .dilation_rate = 5});
    add({1, 4, 5, 1}, {3, 2, 1, 1}, {.strides = {1, 2}, .padding = Padding::causal});
  }
  row.uses_every_element = false;  // pixels that no window sees, and taps that see no pixel
  row.parameter_forms = {{{false, true, true}, [](auto x, auto p) { return depthwise_conv2d(x[0], p[1], p[2]); }},
                         {{false, true}, [](auto x, auto p) { return depthwise_conv2d(x[0], p[1]); }}};
  row.errors = {
      {"depthwise_conv2d: x is (1, 4, 4, 3) and the kernel is (2, 2, 2, 1); x (batch, height, width, channels) and "
       "kernel (rows, columns, channels, multiplier) are required",
       [](Tape& t) {
         depthwise_conv2d(of(t, {1, 4, 4, 3}), of(t, {2, 2, 2, 1}));
       }},
      {"depthwise_conv2d: the kernel is (2, 2, 3, 2) and the bias is (3,); a bias (6) is required",
       [](Tape& t) {
         depthwise_conv2d(of(t, {1, 4, 4, 3}), of(t, {2, 2, 3, 2}), of(t, {3}));
       }},
      {"depthwise_conv2d: images of shape (1, 1, 4, 3) are too small for a window of (2, 2), dilation (1, 1); "
       "Padding::same may be meant",
       [](Tape& t) {
         depthwise_conv2d(of(t, {1, 1, 4, 3}), of(t, {2, 2, 3, 1}));
       }}};
  return row;
}

/// conv2d with relu. The bias is 9 or -9, so that each element of the result is at least 1 away from the kink.
OpRow relu_row() {
  OpRow row{.op = "conv2d", .name = "Conv2dWithRelu", .ranges = {{Real(-1), Real(1)}}, .samples = {}};
  const auto add = [&](const Shape& x, const Shape& kernel, Conv2DOptions options = {}) {
    options.relu = true;
    Sample sample = conv_sample(x, kernel, true, options);
    sample.inputs.pop_back();  // the bias is not an input, so that it stays away from 0
    Tensor bias(Shape{kernel[3]});
    for (Index i = 0; i < bias.size(); ++i) bias[i] = i % 2 == 0 ? Real(9) : Real(-9);
    sample.on_tape = [=](std::span<const Var> v) { return conv2d(v[0], v[1], v[0].tape().constant(bias), options); };
    sample.eagerly = [=](std::span<const Tensor> v) { return conv2d(v[0], v[1], bias, options); };
    sample.expected = [=](std::span<const Exact> v) { return conv2d_reference(v[0], v[1], Exact(bias), options); };
    row.samples.push_back(sample);
  };
  add({1, 1, 1, 1}, {1, 1, 1, 1});
  add({2, 4, 3, 1}, {2, 2, 1, 2});
  add({1, 4, 4, 2}, {2, 2, 2, 3}, {.padding = Padding::same});
  add({1, 3, 2, 1}, {2, 2, 1, 35});
  add({1, 2, 2, 1}, {2, 1, 1, 16});
  add({1, 4, 4, 1}, {2, 2, 1, 4}, {.strides = 2});
  add({1, 4, 4, 1}, {2, 2, 1, 3}, {.dilation_rate = 2});
  add({1, 3, 3, 2}, {2, 2, 1, 4}, {.groups = 2});
  return row;
}

template <class F>
OpRow pool_row(const std::string& op, const std::string& name, F f, long double (*expected)(const Numbers&)) {
  OpRow row{.op = op, .name = name, .ranges = {around_zero}, .samples = {}};
  const auto add = [&](const Shape& x, Size2D size, const Pool2DOptions& options = {}) {
    row.samples.push_back(
        {message("{} of {}, {}, strides {}, {}", op, x, size, options.strides, name_of(options.padding)),
         {x},
         [=](std::span<const Var> v) { return f(v[0], size, options); },
         [=](std::span<const Tensor> v) { return f(v[0], size, options); },
         [=](std::span<const Exact> v) { return pool2d_reference(v[0], size, options, expected); }});
  };
  constexpr Padding same = Padding::same;
  add({1, 1, 1, 1}, 1);
  add({2, 4, 6, 3}, 2);
  add({1, 2, 2, 17}, 2);
  add({1, 4, 4, 40}, 2);
  add({2, 6, 4, 6}, 2);
  add({3, 4, 2, 1}, 2);  // the channels of the last pixels do not fill a vector
  add({2, 2, 4, 13}, 2);
  add({1, 3, 3, 3}, 2, {.strides = 1, .padding = same});  // the same at the last window without padding
  add({0, 4, 4, 2}, 2);
  add({1, 4, 4, 0}, 2);
  add({2, 4, 6, 2}, {2, 3});
  add({1, 3, 3, 2}, 3);
  add({1, 4, 4, 2}, 3, {.strides = 1});
  add({2, 5, 3, 9}, 3, {.strides = 2});
  add({1, 4, 4, 3}, 3, {.strides = 1, .padding = same});
  add({1, 5, 4, 1}, 2, {.strides = {1, 2}, .padding = same});
  add({2, 5, 7, 2}, 2, {.padding = same});
  add({1, 2, 4, 4}, 2, {.strides = {2, 3}, .padding = same});  // pixels that no window covers
  add({3, 6, 6, 5}, 3, {.strides = 4, .padding = same});
  add({1, 5, 4, 2}, 3, {.strides = 2, .padding = same});
  add({1, 2, 2, 1}, 5, {.padding = same});
  add({1, 4, 5, 2}, 3, {.strides = {1, 2}, .padding = Padding::causal});
  add({1, 4, 4, 1}, 1, {.strides = 2, .padding = same});
  add({1, 5, 5, 2}, 2);  // the last row and column are in no window
  row.uses_every_element = false;
  row.errors = {{op + ": images of shape (4, 4, 2); (batch, height, width, channels) is required",
                 [f](Tape& t) {
                   f(of(t, {4, 4, 2}), 2, Pool2DOptions{});
                 }},
                {op + ": images of shape (1, 1, 4, 2) are too small for a window of (2, 2), dilation (1, 1); "
                      "Padding::same may be meant",
                 [f](Tape& t) {
                   f(of(t, {1, 1, 4, 2}), 2, Pool2DOptions{});
                 }}};
  return row;
}

OpRow affine_row() {
  OpRow row{.op = "affine_transform", .name = "AffineTransform", .ranges = {around_zero}, .samples = {}};
  /// One map for the first image, the same with x and y swapped for the second, and so on.
  const auto add = [&](const Shape& x, std::array<Real, 6> t, const AffineOptions& options = {}) {
    Tensor transforms({x[0], 6});
    for (Index b = 0; b < x[0]; ++b) {
      std::copy(t.begin(), t.end(), transforms.data() + b * 6);
      std::rotate(t.begin(), t.begin() + 3, t.end());
    }
    row.samples.push_back(
        {message("affine_transform of {}, {} {} {} {} {} {}, fill_mode {}, fill_value {}", x, t[0], t[1], t[2], t[3],
                 t[4], t[5], static_cast<int>(options.fill_mode), options.fill_value),
         {x},
         [=](std::span<const Var> v) { return affine_transform(v[0], transforms, options); },
         [=](std::span<const Tensor> v) { return affine_transform(v[0], transforms, options); },
         [=](std::span<const Exact> v) { return affine_transform_reference(v[0], transforms, options); }});
  };
  constexpr std::array<Real, 6> identity{1, 0, 0, 0, 1, 0}, mirrored{-1, 0, 3, 0, 1, 0}, shifted{1, 0, 1.25, 0, 1, -2},
      turned{0, -1, 3, 1, 0, 0}, sheared{0.75, 0.5, -0.5, -0.25, 1.5, 0.25}, far{2, 0, -1e4, 1, 3, 1e5};
  add({1, 1, 1, 1}, identity);
  add({2, 3, 4, 3}, identity);
  add({0, 3, 4, 2}, identity);
  add({2, 3, 0, 2}, identity);
  add({2, 4, 4, 2}, mirrored);
  add({1, 4, 4, 1}, turned);
  for (const FillMode mode : {FillMode::constant, FillMode::nearest, FillMode::reflect}) {
    const AffineOptions options{.fill_mode = mode, .fill_value = 0.5};
    add({1, 1, 1, 2}, shifted, options);
    add({2, 3, 5, 2}, shifted, options);
    add({2, 5, 4, 1}, sheared, options);
    add({2, 2, 2, 1}, {8, 0, -13.25, 4, -16, 3.5}, options);  // many image widths away
    add({2, 3, 2, 1}, far, options);
  }
  row.uses_every_element = false;
  row.errors = {{"affine_transform: images of shape (4, 4, 2); (batch, height, width, channels) is required",
                 [](Tape& t) {
                   affine_transform(of(t, {4, 4, 2}), Tensor({4, 6}));
                 }},
                {"affine_transform: transforms of shape (1, 6) for images of shape (2, 4, 4, 2); (2, 6) is required",
                 [](Tape& t) {
                   affine_transform(of(t, {2, 4, 4, 2}), Tensor({1, 6}));
                 }}};
  return row;
}

}  // namespace

std::vector<OpRow> image_rows() {
  return {conv2d_row(),
          relu_row(),
          depthwise_row(),
          pool_row(
              "max_pool2d", "MaxPool2d", [](auto x, Size2D size, auto options) { return max_pool2d(x, size, options); },
              max_of),
          pool_row(
              "average_pool2d", "AveragePool2d",
              [](auto x, Size2D size, auto options) { return average_pool2d(x, size, options); }, mean_of),
          affine_row()};
}

}  // namespace cornu::testing
