#include "cornu/core/ops/indexing.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/gradcheck.h"
#include "cornu/core/ops/eager.h"
#include "cornu/core/ops/masks.h"
#include "cornu/core/ops/resample.h"
#include "cornu/core/ops/transposed_windows.h"
#include "cornu/tests/support/allocation_counter.h"
#include "cornu/tests/support/check_report.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"
#include "cornu/tests/support/tensors.h"

// What the table of ops does not show: values worked out elsewhere, errors in indices, masks, samples, memory.

namespace cornu {
namespace {

using detail::Coordinates;
using detail::ResizeRule;
using detail::Rounding;
using testing::error_of;
using testing::normal;

Tensor counting(Index n) {
  Tensor x(Shape{n});
  for (Index i = 0; i < n; ++i) x[i] = static_cast<Real>(i);
  return x;
}

/// As Python's x[begin:end:step] on 0, 1, ..., 6.
TEST(StridedSlice, EqualsPython) {
  const Tensor x = counting(7);
  EXPECT_EQ(strided_slice(x, {{.step = -1}}), Tensor::vector({6, 5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(strided_slice(x, {{.step = -3}}), Tensor::vector({6, 3, 0}));
  EXPECT_EQ(strided_slice(x, {{.begin = -3}}), Tensor::vector({4, 5, 6}));
  EXPECT_EQ(strided_slice(x, {{.end = -5, .step = -1}}), Tensor::vector({6, 5, 4, 3}));
  EXPECT_EQ(strided_slice(x, {{.begin = -2, .end = -9, .step = -2}}), Tensor::vector({5, 3, 1}));
  EXPECT_EQ(strided_slice(x, {{.begin = 9, .end = 3, .step = -1}}), Tensor::vector({6, 5, 4}));
  EXPECT_EQ(strided_slice(x, {{.begin = 5, .end = 2}}), Tensor(Shape{0}));
  constexpr Index largest = std::numeric_limits<Index>::max(), smallest = std::numeric_limits<Index>::min();
  EXPECT_EQ(strided_slice(x, {{.begin = largest, .end = smallest, .step = smallest}}), Tensor::vector({6}));
  EXPECT_EQ(strided_slice(x, {{.begin = smallest, .end = largest, .step = largest}}), Tensor::vector({0}));
  EXPECT_EQ(error_of<ValueError>([&] { strided_slice(x, {{.step = 0}}); }), "strided_slice: the step of axis 0 is 0");
}

/// numpy.pad([1, 2, 3], (4, 5), mode).
TEST(Pad, EqualsNumPy) {
  const Tensor x = Tensor::vector({1, 2, 3});
  const auto padded = [&](PadMode mode) { return pad(x, {{4, 5}}, {.mode = mode, .value = 9}); };
  EXPECT_EQ(padded(PadMode::constant), Tensor::vector({9, 9, 9, 9, 1, 2, 3, 9, 9, 9, 9, 9}));
  EXPECT_EQ(padded(PadMode::reflect), Tensor::vector({1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2}));
  EXPECT_EQ(padded(PadMode::symmetric), Tensor::vector({3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1, 2}));
  EXPECT_EQ(padded(PadMode::edge), Tensor::vector({1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 3}));
  EXPECT_EQ(padded(PadMode::wrap), Tensor::vector({3, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2}));
}

TEST(TopK, TakesTheFirstOfEqualsAndNaNAboveAll) {
  const Real inf = std::numeric_limits<Real>::infinity();
  const TopKTensors equal = top_k(Tensor::matrix({{1, 3, 3, 2, 3}, {0, 0, 0, 0, 0}}), 4);
  EXPECT_EQ(equal.indices, Tensor::matrix({{1, 2, 4, 3}, {0, 1, 2, 3}}));
  EXPECT_EQ(equal.values, Tensor::matrix({{3, 3, 3, 2}, {0, 0, 0, 0}}));
  EXPECT_EQ(top_k(Tensor::vector({1, testing::nan, inf, testing::nan, -inf}), 5).indices,
            Tensor::vector({1, 3, 2, 0, 4}));
  EXPECT_EQ(top_k(Tensor::vector({-0.0, 0.0}), 2).indices, Tensor::vector({0, 1}));
}

TEST(Indices, MustBeWholeNumbersWithinTheAxis) {
  const Tensor x({2, 3}), updates({2, 1});
  const auto taken = [&](Real index) {
    return error_of<ValueError>([&] { take_along_axis(x, Tensor::matrix({{0}, {index}}), 1); });
  };
  EXPECT_EQ(taken(3), "take_along_axis: index 3 at (1, 0) of (2, 1); whole numbers from -3 to 2 are required");
  EXPECT_EQ(taken(-4), "take_along_axis: index -4 at (1, 0) of (2, 1); whole numbers from -3 to 2 are required");
  EXPECT_EQ(taken(0.5), "take_along_axis: index 0.5 at (1, 0) of (2, 1); whole numbers from -3 to 2 are required");
  EXPECT_EQ(taken(testing::nan),
            "take_along_axis: index nan at (1, 0) of (2, 1); whole numbers from -3 to 2 are required");
  EXPECT_EQ(error_of<ValueError>([&] {
              scatter_add(x, Tensor::matrix({{0}, {5}}), updates, 1);
            }),
            "scatter_add: index 5 at (1, 0) of (2, 1); whole numbers from -3 to 2 are required");
  Tape tape;
  const Tensor indices = Tensor::vector({1, -1, 3, 0.5, testing::nan});
  EXPECT_EQ(Tensor(one_hot(tape.input(indices), 3).value()),
            Tensor::matrix({{0, 1, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}}));
  EXPECT_EQ(one_hot(tape.input(indices), 0).shape(), (Shape{5, 0}));
}

TEST(Indices, HaveNoGradient) {
  const Tensor x = Tensor::vector({1, 3, 2}), at = Tensor::vector({2, 0});
  Tape tape;
  const Var indices = tape.variable(at), values = tape.variable(x);
  const Gradients of_one_hot = tape.backward(sum(one_hot(indices, 3)));
  EXPECT_EQ(Tensor(of_one_hot[indices]), Tensor::vector({0, 0}));
  const Gradients of_top_k = tape.backward(sum(top_k(values, 2).indices));
  EXPECT_EQ(Tensor(of_top_k[values]), Tensor::vector({0, 0, 0}));
  const Gradients of_both = tape.backward(sum(take_along_axis(values, indices, 0)));
  EXPECT_EQ(Tensor(of_both[values]), Tensor::vector({1, 0, 1}));
  EXPECT_THROW((void)of_both[indices], ValueError);
}

// ---- Masks and samples ----

TEST(MasksOfIndexing, MoveWithTheSteps) {
  const Tensor x = normal({2, 3, 4}), mask = Tensor::matrix({{1, 1, 0}, {1, 0, 0}});
  Tape tape;
  const Var in = with_mask(tape.input(x), tape.input(mask)), zeros = tape.constant(Tensor({2, 3, 1}));
  const auto mask_after = [](Var y) { return Tensor(y.mask().value()); };
  for (const Var y :
       {take(in, {3, 0}, 2), strided_slice(in, {{}, {}, {.step = -1}}), pad(in, {{}, {}, {1, 1}}), tile(in, {2}),
        repeat(in, 2, 2), take_along_axis(in, zeros, 2), scatter_add(in, zeros, zeros, 2), one_hot(in, 2),
        top_k(in, 2).values, top_k(in, 2).indices, stack_axis({in, in}, 3), split(in, 2, 2)[1]}) {
    EXPECT_EQ(mask_after(y), mask) << to_string(y.shape());
  }
  EXPECT_EQ(mask_after(take(in, {2, 0, 0, 1}, 1)), Tensor::matrix({{0, 1, 1, 1}, {0, 1, 1, 0}}));
  EXPECT_EQ(mask_after(strided_slice(in, {{}, {.step = -2}})), Tensor::matrix({{0, 1}, {0, 1}}));
  EXPECT_EQ(mask_after(repeat(in, 2, 1)), Tensor::matrix({{1, 1, 1, 1, 0, 0}, {1, 1, 0, 0, 0, 0}}));
  EXPECT_FALSE(pad(in, {{}, {1, 0}}).is_masked());
  EXPECT_FALSE(take_along_axis(in, tape.constant(Tensor({2, 1, 4})), 1).is_masked());
}

template <class F>
bool mixes_samples_in(F f, const Shape& shape = {4, 4}) {
  const Tensor x(shape);
  Tape tape;
  f(tape.samples(x));
  return tape.mixes_samples();
}

TEST(SamplesOfIndexing, AreMixedAlongTheBatchAxisOnly) {
  EXPECT_FALSE(mixes_samples_in([](Var x) { take(x, {0, 0, 1, 2}, 1); }));
  EXPECT_FALSE(mixes_samples_in([](Var x) { pad(x, {{}, {1, 1}}); }));
  EXPECT_FALSE(mixes_samples_in([](Var x) { take_along_axis(x, x, 1); }));
  EXPECT_FALSE(mixes_samples_in([](Var x) { scatter_add(x, x, x, 1); }));
  EXPECT_FALSE(mixes_samples_in([](Var x) { one_hot(x, 4); }));
  EXPECT_FALSE(mixes_samples_in([](Var x) { top_k(x, 4); }));
  EXPECT_FALSE(mixes_samples_in([](Var x) { resize(x, 4); }, {4, 2, 2, 4}));
  EXPECT_FALSE(mixes_samples_in([](Var x) { stack_axis({x, x}, 1); }));
  EXPECT_TRUE(mixes_samples_in([](Var x) { take(x, {0, 0, 1, 2}, 0); }));
  EXPECT_TRUE(mixes_samples_in([](Var x) { strided_slice(x, {{.step = -1}}); }));
  EXPECT_TRUE(mixes_samples_in([](Var x) { take_along_axis(x, x, 0); }));
  EXPECT_TRUE(mixes_samples_in([](Var x) { scatter_add(x, x, x, 0); }));
  EXPECT_TRUE(mixes_samples_in([](Var x) { scatter_add(x.tape().constant(Tensor({4, 4})), x, x, 0); }));
  EXPECT_TRUE(mixes_samples_in([](Var x) { top_k(x, 4); }, {4}));
}

TEST(MemoryOfIndexing, AWarmPassAllocatesNothing) {
  if (!testing::AllocationCounter::available()) GTEST_SKIP() << "allocations cannot be counted in this build";
  const Tensor x = normal({2, 4, 4, 2}), kernel = normal({3, 3, 2, 2}), bias = normal({2});
  Tape tape;
  const auto pass = [&] {
    tape.clear();
    const Var in = tape.variable(x), w = tape.variable(kernel), b = tape.variable(bias);
    const auto parts = split(strided_slice(in, {{}, {.step = -2}}), 2, 2);
    const TopK top = top_k(pad(parts[1], {{}, {1, 1}}), 1);
    const Var picked = scatter_add(take(in, {0, 0}, 1), take_along_axis(in, in - in, 1) * 0, in, 1);
    const Var image = conv2d_transpose(resize(in, 5, {.interpolation = Interpolation::bicubic}), w, b,
                                       {.strides = 2, .padding = Padding::same});
    tape.backward(sum(top.values) + sum(stack_axis({parts[0], tile(parts[1], {1, 1})}, 1)) + sum(image) + sum(picked) +
                  sum(repeat(in, 2, 1)) + sum(broadcast_to(b, {3, 2})) + sum(one_hot(top.indices, 2)));
  };
  EXPECT_EQ(testing::allocations_of(pass), 0);
}

// ---- Interpolation ----

TEST(Resample, HasGradientsOfValuesAndWeights) {
  for (const Index axis : {0, 1, -1}) {
    const CheckReport report = check_gradients(
        [axis](std::span<const Var> in) {
          return detail::resample(in[0], in[1], axis, std::vector<Index>{0, 1, 1, 1, 2, 0, 0, 2});
        },
        {normal({3, 3, 3}), normal({4, 2})});
    EXPECT_EQ(testing::failures(report), "") << axis;
  }
}

TEST(Resample, StatesWhatDoesNotMatch) {
  Tape tape;
  const Tensor x({3, 2}), weights({2, 2});
  EXPECT_EQ(error_of<ShapeError>([&] {
              detail::resample(tape.input(x), tape.input(weights), 0, std::vector<Index>{0, 1, 2});
            }),
            "resample: 3 positions and weights of shape (2, 2); (n, taps) of both are required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              detail::resample(tape.input(x), tape.input(weights), 1, std::vector<Index>{0, 1, 1, 2});
            }),
            "resample: position 2 is outside of axis 1 of shape (3, 2)");
  EXPECT_EQ(error_of<ValueError>([&] {
              resize(Tensor({1, 2, 2, 1}), {2, 0});
            }),
            "resize: 0 positions of axis 2; 1 or more are required");
  EXPECT_EQ(error_of<ValueError>([&] { detail::resize_axis(tape.input(x), 0, 2, {}, 0.0); }),
            "resize: the scale of axis 0 is 0; a positive finite number is required");
}

Tensor resized(const Tensor& x, Index axis, Index size, const ResizeRule& rule, std::optional<double> scale = {}) {
  Tape tape(Mode::inference);
  return Tensor(detail::resize_axis(tape.input(x), axis, size, rule, scale).value());
}

void expect_row(const Tensor& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), std::ssize(expected));
  for (Index i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[static_cast<std::size_t>(i)], 2e-6) << "at " << i;
}

/// The rows of the examples in the documentation of ONNX's op Resize.
TEST(ResizeAxis, EqualsTheExamplesOfOnnx) {
  const ResizeRule linear{},
      onnx_cubic{.interpolation = Interpolation::bicubic, .cubic_coefficient = -0.75, .exclude_outside = false};
  const Tensor four = Tensor::vector({1, 2, 3, 4}), two = Tensor::vector({1, 2});
  expect_row(resized(two, 0, 4, linear), {1, 1.25, 1.75, 2});
  expect_row(resized(two, 0, 4, {.coordinates = Coordinates::align_corners}), {1, 4.0 / 3, 5.0 / 3, 2});
  expect_row(resized(four, 0, 2, linear, 0.6), {4.0 / 3, 3});
  // upsample_scales_cubic: x is 1 to 16 in four rows, twice as large along both axes; the first row of the result.
  Tensor square = counting(16) + 1;
  const Tensor cubic = resized(resized(reshape(square, {4, 4}), 0, 8, onnx_cubic), 1, 8, onnx_cubic);
  expect_row(slice_axis(reshape(cubic, {64}), 0, 0, 8),
             {0.47265625, 0.76953125, 1.24609375, 1.875, 2.28125, 2.91015625, 3.38671875, 3.68359375});
  // ... resized with align_corners.
  ResizeRule aligned = onnx_cubic;
  aligned.coordinates = Coordinates::align_corners;
  const Tensor corners = resized(resized(reshape(square, {4, 4}), 0, 8, aligned), 1, 8, aligned);
  expect_row(slice_axis(reshape(corners, {64}), 0, 0, 8),
             {1, 1.34110787, 1.80029155, 2.32944606, 2.67055394, 3.19970845, 3.65889213, 4});
  const auto nearest = [&](Rounding rounding, Coordinates coordinates) {
    return resized(four, 0, 8,
                   {.interpolation = Interpolation::nearest, .coordinates = coordinates, .rounding = rounding});
  };
  EXPECT_EQ(nearest(Rounding::floor, Coordinates::align_corners), Tensor::vector({1, 1, 1, 2, 2, 3, 3, 4}));
  EXPECT_EQ(nearest(Rounding::ceil, Coordinates::half_pixel), Tensor::vector({1, 2, 2, 3, 3, 4, 4, 4}));
  EXPECT_EQ(nearest(Rounding::prefer_ceil, Coordinates::asymmetric), Tensor::vector({1, 2, 2, 3, 3, 4, 4, 4}));
  EXPECT_EQ(nearest(Rounding::prefer_floor, Coordinates::asymmetric), Tensor::vector({1, 1, 2, 2, 3, 3, 4, 4}));
  // One output: pytorch_half_pixel takes the first position, half_pixel the middle.
  expect_row(resized(four, 0, 1, {.coordinates = Coordinates::pytorch_half_pixel}), {1});
  expect_row(resized(four, 0, 1, linear), {2.5});
}

/// A weight of 0 does not spread a NaN.
TEST(ResizeAxis, IgnoresNaNWithoutWeight) {
  const Tensor y = resized(Tensor::vector({1, testing::nan, 3}), 0, 9, {});
  for (const Index i : {0, 1, 7, 8}) EXPECT_FALSE(std::isnan(y[i])) << i;
  for (const Index i : {2, 4, 6}) EXPECT_TRUE(std::isnan(y[i])) << i;
}

// ---- Transposed convolution ----

/// It is the transpose of conv2d: <conv2d(a), b> = <a, conv2d_transpose(b)>.
TEST(Conv2dTranspose, IsTheTransposeOfConv2d) {
  for (const Padding padding : {Padding::valid, Padding::same}) {
    const Tensor a = normal({2, padding == Padding::same ? 8 : 7, 6, 4}), kernel = normal({3, 2, 2, 6});
    const Tensor y = conv2d(a, kernel, {.strides = {2, 1}, .padding = padding, .groups = 2}), b = normal(y.shape(), 6);
    const Tensor back = conv2d_transpose(b, kernel, {.strides = {2, 1}, .padding = padding, .groups = 2});
    ASSERT_EQ(back.shape(), a.shape());
    EXPECT_NEAR(sum(y * b).item(), sum(a * back).item(), 1e-3);
  }
}

/// The sizes that Keras states for Conv2DTranspose.
TEST(Conv2dTranspose, HasTheSizesOfKeras) {
  const auto height = [](Index n, Index taps, const Conv2DTransposeOptions& options) {
    return conv2d_transpose(Tensor({1, n, 1, 1}), Tensor({taps, 1, 1, 1}), options).shape()[1];
  };
  EXPECT_EQ(height(4, 3, {.strides = {2, 1}}), 9);
  EXPECT_EQ(height(4, 2, {.strides = {3, 1}}), 12);
  EXPECT_EQ(height(4, 3, {.strides = {2, 1}, .padding = Padding::same}), 8);
  EXPECT_EQ(height(4, 2, {.strides = {3, 1}, .padding = Padding::same}), 12);
  EXPECT_EQ(height(4, 3, {.strides = {2, 1}, .padding = Padding::same, .output_padding = Size2D(0, 0)}), 7);
  EXPECT_EQ(height(4, 3, {.strides = {2, 1}, .output_padding = Size2D(1, 0)}), 10);
  EXPECT_EQ(height(4, 3, {.dilation_rate = {2, 1}}), 8);
}

TEST(Conv2dTranspose, RefusesOptionsOutOfRange) {
  const auto refused = [](const Conv2DTransposeOptions& options) {
    return error_of<ValueError>([&] { conv2d_transpose(Tensor({1, 3, 3, 2}), Tensor({2, 2, 1, 2}), options); });
  };
  EXPECT_EQ(refused({.strides = {2, 1}, .output_padding = Size2D(2, 0)}),
            "conv2d_transpose: output_padding is (2, 0); it must be less than the strides (2, 1)");
  EXPECT_EQ(refused({.strides = 2, .output_padding = Size2D(0, -1)}),
            "conv2d_transpose: output_padding is (0, -1); it must be less than the strides (2, 2)");
  EXPECT_EQ(refused({.strides = 0}),
            "conv2d_transpose: strides is (0, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(refused({.dilation_rate = {1, 0}}),
            "conv2d_transpose: dilation_rate is (1, 0); both numbers must be between 1 and 1073741824");
  EXPECT_EQ(refused({.groups = 3}), "conv2d_transpose: groups is 3; it must divide 2 channels");
  EXPECT_EQ(refused({.groups = 0}), "conv2d_transpose: groups is 0; it must divide 2 channels");
  EXPECT_EQ(refused({.padding = Padding::causal}),
            "conv2d_transpose: padding is causal, which is for sequences (Conv1D); valid or same is required");
  EXPECT_EQ(error_of<ValueError>([] {
              Tape tape;
              const Tensor x({1, 3, 3, 1}), kernel({2, 2, 1, 1});
              detail::TransposedWindows windows;
              windows.pads[2] = -1;
              detail::conv2d_transpose(tape.input(x), tape.input(kernel), Var(), windows);
            }),
            "conv2d_transpose: pads are (0, 0, -1, 0); none may be negative");
}

}  // namespace
}  // namespace cornu
