#include "cornu/layers/rnn/simple_rnn.h"

#include <gtest/gtest.h>

#include <cmath>

#include "cornu/core/ops/eager.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

// Values, states and dropout are compared with the formula in states_test.cpp.

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::run;

TEST(SimpleRNN, MatchesTheFormulaForOneUnit) {
  SimpleRNN layer{.units = 1};
  layer.kernel.value = Tensor::matrix({{0.5}});
  layer.recurrent_kernel.value = Tensor::matrix({{-0.75}});
  layer.bias.value = Tensor::vector({0.125});
  double h = 0;
  for (const double x : {1.0, -2.0, 0.5}) h = std::tanh(0.5 * x - 0.75 * h + 0.125);
  EXPECT_NEAR(run(layer, Tensor({1, 3, 1}, {1, -2, 0.5})).item(), h, testing::rounding);
}

TEST(SimpleRNN, HasKerasDefaults) {
  const SimpleRNN layer = built(SimpleRNN{.units = 3}, {5, 4}, 9);
  EXPECT_TRUE(layer.activation.is(tanh));
  EXPECT_EQ(AnyLayer(layer).default_name(), "simple_rnn");
  Tensor kernel({4, 3}), recurrent({3, 3});
  Rng rng(9);
  glorot_uniform(kernel, rng);
  orthogonal()(recurrent, rng);
  EXPECT_EQ(layer.kernel.value, kernel);
  EXPECT_EQ(layer.recurrent_kernel.value, recurrent);
  EXPECT_EQ(layer.bias.value, Tensor(Shape{3}));
}

TEST(SimpleRNN, PassesCheckLayer) {
  for (const bool use_bias : {true, false}) {
    for (const bool return_sequences : {true, false}) {
      for (const bool go_backwards : {true, false}) {
        testing::expect_passes(
            SimpleRNN{
                .units = 3, .use_bias = use_bias, .return_sequences = return_sequences, .go_backwards = go_backwards},
            {4, 2});
      }
    }
  }
  testing::expect_passes(SimpleRNN{.units = 2, .activation = sigmoid, .return_sequences = true}, {3, 2});
}

TEST(SimpleRNN, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  EXPECT_EQ(error_of<ValueError>([&] {
              SimpleRNN{.units = 0}.build({5, 1}, rng);
            }),
            "SimpleRNN: units is 0; it must be positive");
  EXPECT_EQ(error_of<ShapeError>([&] { SimpleRNN{.units = 2}.build({5}, rng); }),
            "SimpleRNN: a sample of shape (5,); (steps, features) is required (is a Reshape missing?)");
  EXPECT_EQ(error_of<StateError>([&] {
              run(SimpleRNN{.units = 2}, Tensor({2, 4, 3}));
            }),
            "SimpleRNN: used before it was built; call build(shape of a sample, rng), or put it into a model");
}

}  // namespace
}  // namespace cornu
