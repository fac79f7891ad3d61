#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "cornu/layers/check_layer.h"
#include "cornu/layers/layer.h"
#include "cornu/tests/support/print.h"

namespace cornu::testing {

/// The layer, built for samples of this shape.
template <Layer L>
L built(L layer, const Shape& input, std::uint64_t seed = 1) {
  Rng rng(seed);
  layer.build(input, rng);
  return layer;
}

/// The layer's output for a batch.
template <Layer L>
Tensor run(const L& layer, const Tensor& x, Mode mode = Mode::inference, std::uint64_t seed = 0) {
  Tape tape(mode, seed);
  return Tensor(layer.forward(tape.input(x)).value());
}

/// The gradient of x, given that of the layer's output.
template <Layer L>
Tensor input_gradient(const L& layer, const Tensor& x, const Tensor& g) {
  Tape tape;
  const Var in = tape.variable(x);
  return Tensor(tape.backward(layer.forward(in), g)[in]);
}

/// Standard normal values, none closer to 0 than `gap`.
inline Tensor normal(const Shape& shape, Real gap = 0, std::uint64_t seed = 5) {
  Tensor result(shape);
  Rng rng(seed);
  for (Real& value : result) {
    value = rng.normal();
    while (std::abs(value) < gap) value = rng.normal();
  }
  return result;
}

/// 0, 1, 2, ... in row-major order, as np.arange(...).reshape(shape).
inline Tensor arange(const Shape& shape) {
  Tensor result(shape);
  for (Index i = 0; i < result.size(); ++i) result[i] = static_cast<Real>(i);
  return result;
}

/// The tolerance for a few operations.
inline constexpr double rounding = std::is_same_v<Real, double> ? 1e-14 : 1e-6;

inline void expect_near(const Tensor& got, const Tensor& expected, double allowed = 10 * rounding) {
  ASSERT_EQ(got.shape(), expected.shape());
  for (Index i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], allowed) << "at " << i;
}

/// Expects that a built layer has a kernel and a bias, and only a kernel if it is built without use_bias.
template <class L>
void expect_optional_bias(L layer, const Shape& input) {
  ASSERT_EQ(layer.parameters().size(), 2U);
  EXPECT_EQ(layer.parameters()[0].name, "kernel");
  EXPECT_EQ(layer.parameters()[1].name, "bias");
  layer.use_bias = false;
  layer = built(std::move(layer), input);
  EXPECT_TRUE(layer.bias.value.empty());
  EXPECT_EQ(layer.parameters().size(), 1U);
}

/// Expects that check_layer finds no fault.
template <class L>
void expect_passes(const L& layer, const Shape& input, const LayerCheckOptions& options = {}) {
  const CheckReport report = check_layer(layer, input, options);
  EXPECT_TRUE(report.passed()) << to_string(input) << "\n" << to_string(report);
}

}  // namespace cornu::testing
