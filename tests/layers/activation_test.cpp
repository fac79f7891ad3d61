#include "cornu/layers/activation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cornu/layers/check_layer.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::error_of;
using testing::infinity;
using testing::nan;
using testing::run;

/// The inputs are not closer to 0 than `gap`.
template <Layer L>
void expect_passes_for_any_shape(const L& layer, Real gap = 0) {
  for (const Shape& input : {Shape{}, Shape{1}, Shape{7}, Shape{2, 3}, Shape{2, 1, 3}}) {
    LayerCheckOptions options;
    options.input = testing::normal(input.batched(3), gap);
    testing::expect_passes(layer, input, options);
  }
}

TEST(ReLU, KeepsPositiveValues) {
  EXPECT_EQ(run(ReLU{}, Tensor::vector({-2, -0.0, 0, 3})), Tensor::vector({0, 0, 0, 3}));
  expect_passes_for_any_shape(ReLU{}, Real(0.1));  // off the kink at 0
}

TEST(ReLU, HasSlopeZeroAtZero) {
  const Tensor x = Tensor::vector({-1, 0, 1}), g = Tensor::vector({5, 5, 5});
  Tape tape;
  const Var in = tape.variable(x);
  EXPECT_EQ(Tensor(tape.backward(ReLU{}.forward(in), g)[in]), Tensor::vector({0, 0, 5}));
}

TEST(Sigmoid, PassesCheckLayer) { expect_passes_for_any_shape(Sigmoid{}); }

TEST(Tanh, PassesCheckLayer) { expect_passes_for_any_shape(Tanh{}); }

TEST(LeakyReLU, ScalesNegativeValues) {
  EXPECT_EQ(run(LeakyReLU{}, Tensor::vector({-2, 0, 3})), Tensor::vector({Real(-0.6), 0, 3}));
  EXPECT_EQ(run(LeakyReLU{.negative_slope = 0}, Tensor::vector({-2, 0, 3})), Tensor::vector({0, 0, 3}));
  EXPECT_EQ(run(Activation{leaky_relu}, Tensor::vector({-2, 3})), Tensor::vector({Real(-0.4), 3})) << "as in Keras";
  expect_passes_for_any_shape(LeakyReLU{}, Real(0.1));
  expect_passes_for_any_shape(LeakyReLU{.negative_slope = -1}, Real(0.1));
}

TEST(ELU, ApproachesMinusAlpha) {
  EXPECT_EQ(run(ELU{.alpha = 2}, Tensor::vector({-1000, 0, 3, 1000})), Tensor::vector({-2, 0, 3, 1000}));
  EXPECT_EQ(run(ELU{}, Tensor::vector({-1, 2})), run(Activation{elu}, Tensor::vector({-1, 2})));
  expect_passes_for_any_shape(ELU{});  // its slope is continuous
  expect_passes_for_any_shape(ELU{.alpha = 0.5}, Real(0.1));
}

TEST(GELU, IsExactByDefault) {
  const Tensor x = Tensor::vector({-3, -1, 0, 1, 3});
  const auto expect_values = [&](const Tensor& y, std::initializer_list<double> expected) {
    for (Index i = 0; const double want : expected) EXPECT_NEAR(y[i++], want, testing::rounding);
  };
  expect_values(run(GELU{}, x),
                {-0.0040496940948902836, -0.15865525393145705, 0, 0.84134474606854295, 2.9959503059051097});
  expect_values(run(GELU{.approximate = true}, x),
                {-0.0036373920817729943, -0.15880800939172324, 0, 0.84119199060827676, 2.9963626079182270});
  EXPECT_EQ(run(Activation{gelu}, x), run(GELU{}, x));
  expect_passes_for_any_shape(GELU{});
  expect_passes_for_any_shape(GELU{.approximate = true});
}

TEST(Swish, EqualsSilu) {
  const Tensor x = Tensor::vector({-2, 0, 3});
  EXPECT_EQ(run(Swish{}, x), run(Activation{silu}, x));
  EXPECT_EQ(run(Swish{}, x), run(Activation{swish}, x));
  expect_passes_for_any_shape(Swish{});
}

TEST(Softplus, PassesCheckLayer) {
  expect_passes_for_any_shape(Softplus{});
  expect_passes_for_any_shape(Activation{softplus});
}

TEST(Activations, RejectNonFiniteOptions) {
  const Tensor x = Tensor::vector({1});
  EXPECT_EQ(error_of<ValueError>([&] { run(LeakyReLU{.negative_slope = infinity}, x); }),
            "leaky_relu: negative_slope is inf; it must be finite");
  EXPECT_EQ(error_of<ValueError>([&] { run(ELU{.alpha = -infinity}, x); }), "elu: alpha is -inf; it must be finite");
}

TEST(Activation, WrapsAFunctionAsALayer) {
  EXPECT_EQ(run(Activation{relu}, Tensor::vector({-2, 3})), Tensor::vector({0, 3}));
  EXPECT_EQ(run(Activation{[](Var x) { return x + 1; }}, Tensor::vector({-2, 3})), Tensor::vector({-1, 4}));
  const Activation square_of{square};
  EXPECT_EQ(run(Activation{square_of}, Tensor::vector({-2, 3})), Tensor::vector({4, 9}));
  EXPECT_EQ(square_of.function(), static_cast<Activation::Function>(square));
  expect_passes_for_any_shape(Activation{tanh});
  expect_passes_for_any_shape(Activation{linear});
}

TEST(Activation, RejectsANullPointer) {
  EXPECT_EQ(error_of<ValueError>([] { (void)Activation(nullptr); }),
            "Activation: the function is null; use linear for no activation");
}

TEST(Softmax, PassesCheckLayer) {
  const auto expect_passes_along = [](Index axis, const Shape& input) {
    const CheckReport report = check_layer(Softmax{.axis = axis}, input);
    EXPECT_TRUE(report.passed()) << axis << " of " << to_string(input) << "\n" << to_string(report);
  };
  for (const Index axis : {-1, 1}) {
    for (const Shape& input : {Shape{1}, Shape{7}}) expect_passes_along(axis, input);
  }
  for (const Index axis : {-2, -1, 1, 2}) {
    for (const Shape& input : {Shape{2, 3}, Shape{3, 1}, Shape{1, 3}}) expect_passes_along(axis, input);
  }
  for (const Index axis : {-3, -1, 2}) expect_passes_along(axis, {2, 3, 2});
}

TEST(Softmax, AxisCountsTheBatch) {
  const Tensor x = testing::normal({2, 3, 4});
  const auto expect_sums_of_one = [&](Index axis, Index along) {
    const Tensor y = run(Softmax{.axis = axis}, x);
    Tape tape(Mode::inference);
    const Var sums = sum(tape.input(y), along);
    for (const Real total : sums.value()) EXPECT_NEAR(total, 1, testing::rounding);
  };
  expect_sums_of_one(1, 1);
  expect_sums_of_one(-2, 1);
  expect_sums_of_one(2, 2);
  expect_sums_of_one(-1, 2);
}

TEST(Softmax, RejectsTheBatchAxisAndAxesOutOfRange) {
  Rng rng(1);
  const auto text_of_build = [&](Index axis, const Shape& input) {
    Softmax layer{.axis = axis};
    return error_of<ShapeError>([&] { layer.build(input, rng); });
  };
  const std::string hint = "; use an axis of the sample";
  EXPECT_EQ(text_of_build(0, {3}), "Softmax: axis is 0, the batch axis, for samples of shape (3,)" + hint);
  EXPECT_EQ(text_of_build(-2, {3}), "Softmax: axis is -2, the batch axis, for samples of shape (3,)" + hint);
  EXPECT_EQ(text_of_build(-1, {}), "Softmax: axis is -1, the batch axis, for samples of shape ()" + hint);
  EXPECT_EQ(text_of_build(2, {3}), "Softmax: axis is 2, but a batch of samples of shape (3,) has 2 axes");
  EXPECT_EQ(text_of_build(-4, {3, 4}), "Softmax: axis is -4, but a batch of samples of shape (3, 4) has 3 axes");
  Softmax last;
  EXPECT_EQ(last.build({3, 4}, rng), (Shape{3, 4}));
}

// So that a loss can be computed from logits.
TEST(Softmax, KeepsItsLogitsAlongTheLastAxis) {
  const Tensor x = testing::normal({2, 3, 4});
  Tape tape;
  const Var in = tape.input(x);
  const auto logits_of = [&](Index axis) { return Softmax{.axis = axis}.forward(in).softmax_logits(); };
  ASSERT_TRUE(logits_of(-1));
  EXPECT_EQ(logits_of(-1).value().data(), x.data());
  EXPECT_TRUE(logits_of(2));
  EXPECT_FALSE(logits_of(1));
  ASSERT_TRUE(Sigmoid{}.forward(in).sigmoid_logits());
  EXPECT_EQ(Sigmoid{}.forward(in).sigmoid_logits().value().data(), x.data());
  EXPECT_TRUE(Activation{softmax}.forward(in).softmax_logits());
}

TEST(Activations, PropagatesNaN) {
  const Tensor x = Tensor::matrix({{nan, 1}, {0, 1}});
  const auto expect_nan = [&](const auto& layer) {
    const Tensor y = run(layer, x);
    EXPECT_TRUE(std::isnan(y[0]));
    EXPECT_FALSE(std::isnan(y[2]) || std::isnan(y[3]));
  };
  expect_nan(ReLU{});
  expect_nan(Sigmoid{});
  expect_nan(Tanh{});
  expect_nan(LeakyReLU{});
  expect_nan(ELU{});
  expect_nan(GELU{});
  expect_nan(GELU{.approximate = true});
  expect_nan(Swish{});
  expect_nan(Softplus{});
  expect_nan(Softmax{});
  expect_nan(Activation{linear});
}

}  // namespace
}  // namespace cornu
