#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "cornu/core/ops/eager.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/special_values.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_near;
using testing::run;

// tanh and sigmoid as different functions, so that the layers do not use core's fused ops.
Var slow_tanh(Var x) { return tanh(x); }
Var slow_sigmoid(Var x) { return sigmoid(x); }

template <class L>
class Recurrent : public ::testing::Test {};
using Layers = ::testing::Types<LSTM, GRU>;
TYPED_TEST_SUITE(Recurrent, Layers);

template <class L>
constexpr Index gates = std::is_same_v<L, LSTM> ? 4 : 3;
template <class L>
constexpr const char* name = std::is_same_v<L, LSTM> ? "LSTM" : "GRU";

/// Builds the layer with random biases, so that exchanged biases would be noticed.
template <class L>
L with(L layer) {
  layer.bias_initializer = random_normal(0, 0.5);
  return layer;
}

Tensor step_of(const Tensor& sequences, Index step) {
  return reshape(slice_axis(sequences, 1, step, step + 1), {sequences.shape()[0], sequences.shape()[2]});
}

TEST(LSTM, MatchesTheFormulaForOneUnit) {
  LSTM layer{.units = 1};
  layer.kernel.value = Tensor::matrix({{0.5, -1, 2, 0.25}});
  layer.recurrent_kernel.value = Tensor::matrix({{1, 0.5, -0.5, 2}});
  layer.bias.value = Tensor::vector({0.1, 0.2, 0.3, 0.4});
  const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
  double h = 0, c = 0;
  for (const double x : {1.0, -2.0, 0.5}) {
    const double next = s(-x + 0.5 * h + 0.2) * c + s(0.5 * x + h + 0.1) * std::tanh(2 * x - 0.5 * h + 0.3);
    h = s(0.25 * x + 2 * h + 0.4) * std::tanh(next);
    c = next;
  }
  EXPECT_NEAR(run(layer, Tensor({1, 3, 1}, {1, -2, 0.5})).item(), h, testing::rounding);
}

TEST(GRU, MatchesTheFormulaForOneUnit) {
  GRU layer{.units = 1};
  layer.kernel.value = Tensor::matrix({{0.5, -1, 2}});
  layer.recurrent_kernel.value = Tensor::matrix({{1, 0.5, -0.5}});
  layer.bias.value = Tensor::matrix({{0.1, 0.2, 0.3}, {0.4, 0.5, 0.6}});
  GRU before = layer;
  before.reset_after = false;
  before.bias.value = Tensor::vector({0.1, 0.2, 0.3});
  const auto s = [](double x) { return 1 / (1 + std::exp(-x)); };
  double h = 0, b = 0;
  for (const double x : {1.0, -2.0, 0.5}) {
    const double z = s(0.5 * x + 0.1 + h + 0.4), r = s(-x + 0.2 + 0.5 * h + 0.5);
    h = z * h + (1 - z) * std::tanh(2 * x + 0.3 + r * (-0.5 * h + 0.6));
    const double zb = s(0.5 * x + 0.1 + b), rb = s(-x + 0.2 + 0.5 * b);
    b = zb * b + (1 - zb) * std::tanh(2 * x + 0.3 - 0.5 * (rb * b));
  }
  EXPECT_NEAR(run(layer, Tensor({1, 3, 1}, {1, -2, 0.5})).item(), h, testing::rounding);
  EXPECT_NEAR(run(before, Tensor({1, 3, 1}, {1, -2, 0.5})).item(), b, testing::rounding);
}

TYPED_TEST(Recurrent, LastStateIsTheLastOfTheSequence) {
  const Tensor x = testing::normal({3, 5, 2});
  for (const bool go_backwards : {false, true}) {
    TypeParam last = with(built(TypeParam{.units = 4, .go_backwards = go_backwards}, {5, 2}));
    TypeParam all = last;
    all.return_sequences = true;
    const Tensor states = run(all, x);
    EXPECT_EQ(states.shape(), (Shape{3, 5, 4}));
    EXPECT_EQ(step_of(states, 4), run(last, x));
  }
}

TYPED_TEST(Recurrent, GoBackwardsEqualsReversingTheSequence) {
  const Tensor x = testing::normal({3, 5, 2});
  Tensor reversed(x.shape());
  for (Index i = 0; i < 3; ++i) {
    for (Index t = 0; t < 5; ++t) std::copy_n(x.begin() + (i * 5 + t) * 2, 2, reversed.begin() + (i * 5 + 4 - t) * 2);
  }
  TypeParam layer = built(with(TypeParam{.units = 4, .return_sequences = true}), {5, 2});
  const Tensor expected = run(layer, reversed);
  layer.go_backwards = true;
  expect_near(run(layer, x), expected);
}

TYPED_TEST(Recurrent, LaterStepsDoNotChangeEarlierStates) {
  const TypeParam layer = built(with(TypeParam{.units = 3, .return_sequences = true}), {4, 2});
  Tensor x = testing::normal({2, 4, 2});
  const Tensor before = run(layer, x);
  for (Index i = 0; i < 2; ++i) x.at({i, 2, 1}) = testing::nan;
  const Tensor after = run(layer, x);
  for (Index i = 0; i < after.size(); ++i) {
    if (i / 3 % 4 < 2) {
      EXPECT_EQ(after[i], before[i]);
    } else {
      EXPECT_TRUE(std::isnan(after[i]));  // NaN in, NaN out, from there on
    }
  }
}

TYPED_TEST(Recurrent, SmallOpsMatchTheFusedOp) {
  const Tensor x = testing::normal({3, 4, 2});
  for (const bool use_bias : {true, false}) {
    for (const bool return_sequences : {true, false}) {
      for (const bool go_backwards : {true, false}) {
        const TypeParam fast = built(
            with(TypeParam{
                .units = 5, .use_bias = use_bias, .return_sequences = return_sequences, .go_backwards = go_backwards}),
            {4, 2});
        TypeParam slow = fast;
        slow.activation = slow_tanh;
        slow.recurrent_activation = slow_sigmoid;
        Tape tape, other;
        const Var in = tape.variable(x), same = other.variable(x);
        const Var y = fast.forward(in), z = slow.forward(same);
        expect_near(Tensor(y.value()), Tensor(z.value()));
        const Tensor g = testing::normal(y.shape());
        const Gradients one = tape.backward(y, g), two = other.backward(z, g);
        expect_near(Tensor(one[in]), Tensor(two[same]));
        TypeParam a = fast, b = slow;
        EXPECT_EQ(a.parameters().size(), use_bias ? 3U : 2U);
        expect_near(Tensor(one[fast.kernel]), Tensor(two[slow.kernel]));
        expect_near(Tensor(one[fast.recurrent_kernel]), Tensor(two[slow.recurrent_kernel]));
        if (use_bias) expect_near(Tensor(one[fast.bias]), Tensor(two[slow.bias]));
      }
    }
  }
}

TYPED_TEST(Recurrent, BuildsFromTheShapeOfASample) {
  Rng rng(1);
  TypeParam layer{.units = 6};
  const Index width = gates<TypeParam> * 6;
  EXPECT_EQ(layer.build({7, 4}, rng), (Shape{6}));
  EXPECT_EQ(layer.kernel.shape(), (Shape{4, width}));
  EXPECT_EQ(layer.recurrent_kernel.shape(), (Shape{6, width}));
  ASSERT_EQ(layer.parameters().size(), 3U);
  EXPECT_EQ(layer.parameters()[0].name, "kernel");
  EXPECT_EQ(layer.parameters()[1].name, "recurrent_kernel");
  EXPECT_EQ(layer.parameters()[2].name, "bias");
  layer.return_sequences = true;
  layer.use_bias = false;
  EXPECT_EQ(layer.build({7, 4}, rng), (Shape{7, 6}));
  EXPECT_TRUE(layer.bias.value.empty());
  EXPECT_EQ(layer.parameters().size(), 2U);
}

TYPED_TEST(Recurrent, UsesGlorotUniformAndOrthogonalByDefault) {
  const TypeParam layer = built(TypeParam{.units = 3}, {4, 2}, 9);
  Tensor kernel(layer.kernel.shape()), recurrent(layer.recurrent_kernel.shape());
  Rng rng(9);
  glorot_uniform(kernel, rng);
  orthogonal()(recurrent, rng);
  EXPECT_EQ(layer.kernel.value, kernel);
  EXPECT_EQ(layer.recurrent_kernel.value, recurrent);
}

TEST(LSTM, ForgetGateBiasStartsAtOne) {
  EXPECT_EQ(built(LSTM{.units = 2}, {4, 2}).bias.value, Tensor::vector({0, 0, 1, 1, 0, 0, 0, 0}));
  EXPECT_EQ(built(LSTM{.units = 2, .unit_forget_bias = false}, {4, 2}).bias.value, Tensor(Shape{8}));
  EXPECT_EQ(built(LSTM{.units = 1, .bias_initializer = constant(0.5)}, {4, 2}).bias.value,
            Tensor::vector({0.5, 1, 0.5, 0.5}));
}

TEST(GRU, HasTwoRowsOfBiasesOnlyWithResetAfter) {
  EXPECT_EQ(built(GRU{.units = 2}, {4, 2}).bias.value, Tensor({2, 6}));
  EXPECT_EQ(built(GRU{.units = 2, .reset_after = false}, {4, 2}).bias.value, Tensor(Shape{6}));
}

TYPED_TEST(Recurrent, AThrowingInitializerLeavesTheLayerUnchanged) {
  TypeParam layer = built(TypeParam{.units = 3}, {4, 2});
  layer.bias_initializer = [](View, Rng&) { throw std::runtime_error("no bias today"); };
  const Tensor kernel = layer.kernel.value, recurrent = layer.recurrent_kernel.value;
  Rng rng(7);
  EXPECT_EQ(error_of<std::runtime_error>([&] { layer.build({4, 3}, rng); }), "no bias today");
  EXPECT_EQ(layer.kernel.value, kernel);
  EXPECT_EQ(layer.recurrent_kernel.value, recurrent);
}

TYPED_TEST(Recurrent, PassesCheckLayer) {
  const auto expect_passes_with_bias = [](const TypeParam& layer, const Shape& input, Index batch = 3) {
    testing::expect_passes(with(layer), input, {.batch = batch});
  };
  for (const bool use_bias : {true, false}) {
    for (const bool return_sequences : {true, false}) {
      for (const bool go_backwards : {true, false}) {
        expect_passes_with_bias(
            {.units = 3, .use_bias = use_bias, .return_sequences = return_sequences, .go_backwards = go_backwards},
            {4, 2});
      }
    }
  }
  expect_passes_with_bias({.units = 2}, {1, 3});
  expect_passes_with_bias({.units = 2, .return_sequences = true}, {3, 1}, 1);
  expect_passes_with_bias({.units = 1}, {1, 1}, 1);
  expect_passes_with_bias({.units = 2, .activation = sigmoid, .return_sequences = true}, {3, 2});
  expect_passes_with_bias({.units = 2, .activation = linear, .recurrent_activation = tanh, .go_backwards = true},
                          {3, 2});
}

TEST(GRU, PassesCheckLayerWithoutResetAfter) {
  for (const bool use_bias : {true, false}) {
    for (const bool go_backwards : {true, false}) {
      const GRU layer = with(GRU{.units = 3,
                                 .use_bias = use_bias,
                                 .return_sequences = go_backwards,
                                 .go_backwards = go_backwards,
                                 .reset_after = false});
      testing::expect_passes(layer, {3, 2});
    }
  }
}

TYPED_TEST(Recurrent, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const std::string who = name<TypeParam>;
  const auto text_of_build = [&](TypeParam layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build({.units = 0}, {5, 1}), who + ": units is 0; it must be positive");
  const Index huge = std::numeric_limits<Index>::max(), gates = who == "LSTM" ? 4 : 3;
  EXPECT_EQ(text_of_build({.units = huge}, {5, 1}), message("shape ({}, {}) has more than 2^45 elements", gates, huge));
  EXPECT_EQ(text_of_build({.units = 2, .kernel_initializer = nullptr}, {5, 1}),
            who + ": the kernel_initializer is empty; use zeros if in doubt");
  EXPECT_EQ(text_of_build({.units = 2, .recurrent_initializer = nullptr}, {5, 1}),
            who + ": the recurrent_initializer is empty; use zeros if in doubt");
  EXPECT_EQ(text_of_build({.units = 2, .bias_initializer = nullptr}, {5, 1}),
            who + ": the bias_initializer is empty; use zeros if in doubt");
  for (const Shape& shape : {Shape{5}, Shape{0, 3}, Shape{3, 0}, Shape{3, 2, 1}}) {
    EXPECT_EQ(text_of_build({.units = 2}, shape),
              message("{}: a sample of shape {}; (steps, features) is required (is a Reshape missing?)", who, shape));
  }
}

TYPED_TEST(Recurrent, RejectsMismatchedInputsAndUseBeforeBuild) {
  const std::string who = name<TypeParam>;
  const TypeParam layer = built(TypeParam{.units = 2}, {4, 3});
  EXPECT_EQ(run(layer, Tensor({2, 9, 3})).shape(), (Shape{2, 2})) << "sequences may be of any length";
  for (const Shape& shape : {Shape{2, 4, 2}, Shape{4, 3}, Shape{2, 0, 3}}) {
    EXPECT_EQ(error_of<ShapeError>([&] { run(layer, Tensor(shape)); }),
              message("{}: an input of shape {}; (batch, steps, 3) is required", who, shape));
  }
  EXPECT_EQ(error_of<StateError>([] {
              run(TypeParam{.units = 2}, Tensor({2, 4, 3}));
            }),
            who + ": used before it was built; call build(shape of a sample, rng), or put it into a model");
}

}  // namespace
}  // namespace cornu
