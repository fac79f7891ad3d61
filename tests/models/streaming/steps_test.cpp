#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "cornu/core/kernels/quick_tanh.h"
#include "cornu/core/kernels/recurrent_steps.h"
#include "cornu/cornu.h"
#include "cornu/tests/support/users_layers.h"

namespace cornu {
namespace {

TEST(StreamSteps, QuickTanhIsAccurateRelativeToItsResult) {
  double largest = 0;
  for (double x = 1e-30; x < 20; x *= 1.0003) {
    const auto number = static_cast<Real>(x);
    const double exact = std::tanh(static_cast<double>(number)),
                 found = static_cast<double>(detail::quick_tanh(number));
    largest = std::max(largest, std::abs(found - exact) / exact);
    ASSERT_EQ(detail::quick_tanh(-number), -detail::quick_tanh(number)) << x;
  }
  EXPECT_LT(largest, sizeof(Real) == 4 ? 3.5e-7 : 1e-15);
  EXPECT_EQ(detail::quick_tanh(0), 0);
  EXPECT_TRUE(std::isnan(detail::quick_tanh(std::numeric_limits<Real>::quiet_NaN())));
}

/// A forget gate that is 1 must not lose anything: sigmoid(x) is 1/2 + tanh(x / 2) / 2.
TEST(StreamSteps, QuickTanhIsOneFarFrom0) {
  for (const Real x : {Real(sizeof(Real) == 4 ? 9 : 20), Real(30), std::numeric_limits<Real>::infinity()}) {
    EXPECT_EQ(detail::sigmoid_from_tanh(detail::quick_tanh(x)), 1) << x;
    EXPECT_LE(detail::quick_tanh(x), 1) << x;
    EXPECT_LE(std::abs(detail::sigmoid_from_tanh(detail::quick_tanh(-x))), 3e-8) << x;
  }
}

/// The packed gates of every number of units: whole blocks, and each kind of last block.
template <class Layer>
void expect_predictions(Layer layer) {
  for (Index units = 1; units <= 70; units += units < 35 ? 1 : 5) {
    for (const bool use_bias : {true, false}) {
      SCOPED_TRACE(message("{} units, use_bias = {}", units, use_bias));
      layer.units = units;
      layer.use_bias = use_bias;
      layer.bias_initializer = random_normal(0, Real(0.5));
      layer.return_sequences = true;
      const Sequential model{Input{12, 3}, layer};
      Tensor x(Shape{1, 12, 3});
      Rng rng(5);
      for (Real& each : x) each = static_cast<Real>(rng.normal());
      const Tensor expected = model.predict(x);
      Stream stream(model);
      std::vector<Real> y(static_cast<std::size_t>(expected.size()));
      for (std::size_t step = 0; step < 12; ++step) {
        const auto width = static_cast<std::size_t>(units);
        stream.step({x.data() + step * 3, 3}, {y.data() + step * width, width});
      }
      for (Index i = 0; i < expected.size(); ++i) {
        ASSERT_NEAR(y[static_cast<std::size_t>(i)], expected[i], 1e-6) << i;
      }
    }
  }
}

TEST(StreamSteps, LstmOfAnyNumberOfUnitsEqualsPredict) { expect_predictions(LSTM{}); }
TEST(StreamSteps, GruOfAnyNumberOfUnitsEqualsPredict) { expect_predictions(GRU{}); }
TEST(StreamSteps, SimpleRnnOfAnyNumberOfUnitsEqualsPredict) { expect_predictions(SimpleRNN{}); }

/// Gates that are wide open add each input to the cell, for any number of steps.
TEST(StreamSteps, AnLstmKeepsItsCell) {
  Sequential model{Input{4, 1}, LSTM{.units = 1, .return_sequences = true}};
  for (const auto& [name, parameter] : model.parameters()) {
    parameter->value.fill(0);
    if (name.find("bias") != std::string::npos) {  // i, f, g, o
      for (const Index gate : {0, 1, 3}) parameter->value[gate] = 40;
    } else if (name.find("recurrent") == std::string::npos) {
      parameter->value[2] = 1;
    }
  }
  Stream stream(model);
  std::vector<Real> x(100'000), y(x.size());
  x[0] = Real(0.25);
  stream.step(x, y);
  const double kept = std::tanh(std::tanh(0.25));
  EXPECT_NEAR(y.front(), kept, 1e-6);
  EXPECT_NEAR(y.back(), kept, 1e-6);
}

/// Longer than every ring, whose rows come from the op before, from the input, and from a value that other ops read.
TEST(StreamSteps, WindowsOverManyStepsEqualPredict) {
  const Index steps = 700;
  const auto conv = [](Index dilation, Index filters = 5) {
    return Conv1D{.filters = filters,
                  .kernel_size = 3,
                  .padding = Padding::causal,
                  .dilation_rate = dilation,
                  .activation = relu};
  };
  std::vector<Sequential> models;
  models.push_back({Input{steps, 2}, conv(1), conv(30), conv(70), conv(1, 16), conv(64, 20)});
  models.push_back({Input{steps, 2}, Dense{3}, testing::WaveNetBlock{3, 7}, testing::WaveNetBlock{3, 40}, Dense{1}});
  models.push_back({Input{steps, 2}, conv(2), MaxPooling1D{.pool_size = 9, .strides = 1, .padding = Padding::causal},
                    AveragePooling1D{.pool_size = 3, .strides = 1, .padding = Padding::causal}, conv(11)});
  models.push_back({Input{steps, 2}, GRU{.units = 3, .return_sequences = true}, conv(20), Residual{conv(3), conv(9)},
                    LayerNormalization{}, conv(4)});
  Tensor x(Shape{1, steps, 2});
  Rng rng(6);
  for (Real& each : x) each = static_cast<Real>(rng.normal());
  for (const Sequential& model : models) {
    const Tensor expected = model.predict(x);
    for (const Index block_size : {1, 6, 64, 100}) {
      for (const Index block : {1, 9, 64, 173}) {
        SCOPED_TRACE(message("{} steps at a time in blocks of {}", block, block_size));
        Stream stream(model, {.block_size = block_size});
        std::vector<Real> y(static_cast<std::size_t>(expected.size()));
        const Index width = stream.output_size();
        for (Index done = 0; done < steps; done += block) {
          const Index n = std::min(block, steps - done);
          stream.step({x.data() + done * 2, static_cast<std::size_t>(n * 2)},
                      {y.data() + done * width, static_cast<std::size_t>(n * width)});
        }
        for (Index i = 0; i < expected.size(); ++i) {
          ASSERT_NEAR(y[static_cast<std::size_t>(i)], expected[i], 2e-6 * std::max(Real{1}, std::abs(expected[i])))
              << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace cornu
