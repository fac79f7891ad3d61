#include "cornu/layers/attention/multi_head_attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "cornu/core/gradcheck.h"
#include "cornu/core/ops/eager.h"
#include "cornu/layers/check_layer.h"
#include "cornu/tests/layers/run.h"
#include "cornu/tests/support/expect_error.h"

namespace cornu {
namespace {

using testing::built;
using testing::error_of;
using testing::expect_near;
using testing::run;

/// The formula, computed per head and sample with eager ops on matrices.
Tensor by_heads(const MultiHeadAttention& layer, const Tensor& query, const Tensor& value, const Tensor& key) {
  const auto sample = [](const Tensor& x, Index i) { return reshape(slice_axis(x, 0, i, i + 1), x.shape().sub(1)); };
  const auto head = [](const Tensor& w, Index axis, Index h) {
    return reshape(slice_axis(w, axis, h, h + 1), w.shape().without(axis));
  };
  const auto project = [&](const Tensor& x, const MultiHeadAttention::Projection& p, Index h) {
    return matmul(x, head(p.kernel.value, 1, h)) + head(p.bias.value, 0, h);
  };
  std::vector<Tensor> samples;
  for (Index i = 0; i < query.shape()[0]; ++i) {
    Tensor result = Tensor(query.shape().sub(1)) + layer.attention_output.bias.value;
    for (Index h = 0; h < layer.num_heads; ++h) {
      const Tensor q = project(sample(query, i), layer.query, h), k = project(sample(key, i), layer.key, h),
                   v = project(sample(value, i), layer.value, h);
      Tensor weights = exp(matmul(q, k, {.transpose_b = true}) / std::sqrt(static_cast<double>(layer.key_dim)));
      for (Index row = 0; row < weights.shape()[0] && layer.use_causal_mask; ++row) {
        for (Index column = row + 1; column < weights.shape()[1]; ++column) weights.at({row, column}) = 0;
      }
      weights = weights / sum(weights, 1, {.keepdims = true});
      result = result + matmul(matmul(weights, v), head(layer.attention_output.kernel.value, 0, h));
    }
    samples.push_back(reshape(result, result.shape().batched(1)));
  }
  return concatenate(samples, 0);
}

MultiHeadAttention with_biases(MultiHeadAttention layer) {
  layer.bias_initializer = random_normal(0, 0.5);
  return layer;
}

/// Padding of the keys, and one of scores, computed by leaving the keys out.
TEST(MultiHeadAttention, MasksLeaveKeysOut) {
  const auto layer = built(with_biases({.num_heads = 2, .key_dim = 3}), {5, 4});
  const Tensor query = testing::normal({2, 3, 4}), memory = testing::normal({2, 5, 4});
  const Tensor shorter = slice_axis(memory, 1, 0, 3), expected = by_heads(layer, query, shorter, shorter);
  Tensor keys({2, 5}), scores({3, 5});
  for (Index i = 0; i < 2; ++i) {
    for (Index key = 0; key < 3; ++key) keys.at({i, key}) = 1;
  }
  for (Index i = 0; i < 3; ++i) {
    for (Index key = 3; key < 5; ++key) scores.at({i, key}) = -std::numeric_limits<Real>::infinity();
  }
  for (const bool pads : {true, false}) {
    Tape tape(Mode::inference);
    const Var q = tape.input(query), m = tape.input(memory);
    const AttentionMasks masks{.keys = pads ? tape.input(keys) : Var(), .scores = pads ? Var() : tape.input(scores)};
    const auto [y, weights] = layer.attend(q, m, m, masks);
    expect_near(Tensor(y.value()), expected);
    EXPECT_EQ(weights.shape(), (Shape{2, 2, 3, 5}));
    expect_near(sum(Tensor(weights.value()), 3), Tensor::full({2, 2, 3}, 1));
    for (Index i = 0; i < weights.value().size(); ++i) {
      EXPECT_EQ(weights.value()[i] == 0, i % 5 > 2) << i;
    }
  }
}

TEST(MultiHeadAttention, MasksHaveGradientsAndShapes) {
  const auto layer = built(with_biases({.num_heads = 2, .key_dim = 3, .use_causal_mask = true}), {4, 4});
  const Tensor x = testing::normal({1, 4, 4});
  const auto report = check_gradients(
      [&](std::span<const Var> in) {
        const auto [y, weights] = layer.attend(in[0], in[0], in[0], {.scores = in[1]});
        return y + mean(weights);
      },
      {x, testing::normal({1, 2, 4, 4})});
  EXPECT_TRUE(report) << to_string(report);
  Tape tape;
  const Var in = tape.input(x);
  const Tensor wrong({1, 3});
  testing::expect_error<ShapeError>([&] { layer.attend(in, in, in, {.keys = tape.input(wrong)}); },
                                    "MultiHeadAttention: a mask of keys of shape (1, 3); (1, 4) is required");
  testing::expect_error<ShapeError>([&] { layer.attend(in, in, in, {.scores = tape.input(wrong)}); },
                                    "MultiHeadAttention: a mask of scores: shapes (1, 3) and (1, 2, 4, 4) do not "
                                    "broadcast: at axis 1 from the end, 3 "
                                    "and 4 differ and neither is 1");
}

/// Without masks it is `forward`, bit by bit.
TEST(MultiHeadAttention, AttendWithoutMasksIsForward) {
  const auto layer = built(with_biases({.num_heads = 2, .key_dim = 3, .use_causal_mask = true}), {5, 4});
  const Tensor x = testing::normal({2, 5, 4});
  Tape tape(Mode::inference);
  const Var in = tape.input(x), y = layer.attend(in, in, in).y;
  EXPECT_EQ(Tensor(y.value()), run(layer, x));
}

TEST(MultiHeadAttention, SelfAttentionMatchesTheFormula) {
  const Tensor x = testing::normal({2, 5, 6});
  for (const bool causal : {false, true}) {
    const auto layer = built(
        with_biases({.num_heads = 3, .key_dim = 2, .value_dim = causal ? 4 : 0, .use_causal_mask = causal}), {5, 6});
    expect_near(run(layer, x), by_heads(layer, x, x, x));
  }
}

TEST(MultiHeadAttention, CrossAttentionMatchesTheFormula) {
  const Tensor query = testing::normal({2, 5, 4}), value = testing::normal({2, 3, 6}, 0, 6),
               key = testing::normal({2, 3, 7}, 0, 7);
  for (const bool causal : {false, true}) {
    MultiHeadAttention layer = with_biases({.num_heads = 2, .key_dim = 3, .value_dim = 5, .use_causal_mask = causal});
    Rng rng(2);
    EXPECT_EQ(layer.build({5, 4}, {3, 6}, {3, 7}, rng), (Shape{5, 4}));
    Tape tape(Mode::inference);
    expect_near(Tensor(layer.forward(tape.input(query), tape.input(value), tape.input(key)).value()),
                by_heads(layer, query, value, key));
    tape.clear();
    layer.build({5, 4}, {3, 6}, rng);
    expect_near(Tensor(layer.forward(tape.input(query), tape.input(value)).value()),
                by_heads(layer, query, value, value));
  }
}

TEST(MultiHeadAttention, CausalMaskBlocksLaterStepsAndTheirGradients) {
  const auto layer = built(MultiHeadAttention{.num_heads = 2, .key_dim = 3, .use_causal_mask = true}, {4, 3});
  const Tensor x = testing::normal({1, 4, 3});
  Tensor other = x;
  for (Index j = 0; j < 3; ++j) other.at({0, 2, j}) += 5;
  const Tensor before = run(layer, x), after = run(layer, other);
  for (Index i = 0; i < 6; ++i) EXPECT_EQ(after[i], before[i]);
  for (Index i = 6; i < 12; ++i) EXPECT_NE(after[i], before[i]);

  Tensor g({1, 4, 3});
  for (Index i = 0; i < 6; ++i) g[i] = 1;
  Tape tape;
  const Var in = tape.variable(x);
  const Tensor dx(tape.backward(layer.forward(in), g)[in]);
  for (Index i = 0; i < 6; ++i) EXPECT_NE(dx[i], 0);
  for (Index i = 6; i < 12; ++i) EXPECT_EQ(dx[i], 0);
}

TEST(MultiHeadAttention, DropsWeightsInTrainingOnly) {
  const auto layer = built(MultiHeadAttention{.num_heads = 2, .key_dim = 3, .dropout = 0.5}, {4, 3});
  auto without = layer;
  without.dropout = 0;
  const Tensor x = testing::normal({2, 4, 3});
  EXPECT_EQ(run(layer, x), run(without, x));
  EXPECT_EQ(run(layer, x, Mode::training, 3), run(layer, x, Mode::training, 3));
  EXPECT_NE(run(layer, x, Mode::training, 3), run(layer, x, Mode::training, 4));
  // The mean of many draws approximates the result without dropout.
  Tensor sum(x.shape());
  constexpr int draws = 2000;
  for (int i = 0; i < draws; ++i) sum = sum + run(layer, x, Mode::training, static_cast<std::uint64_t>(i));
  const Tensor expected = run(without, x);
  for (Index i = 0; i < sum.size(); ++i) EXPECT_NEAR(sum[i] / draws, expected[i], 0.05);
}

TEST(MultiHeadAttention, BuildsKernelsLikeKeras) {
  Rng rng(1);
  MultiHeadAttention layer{.num_heads = 2, .key_dim = 3, .value_dim = 5};
  EXPECT_EQ(layer.build({4, 7}, rng), (Shape{4, 7}));
  const NamedParameters parameters = layer.parameters();
  const std::vector<std::pair<std::string, Shape>> expected{{"query/kernel", {7, 2, 3}},
                                                            {"query/bias", {2, 3}},
                                                            {"key/kernel", {7, 2, 3}},
                                                            {"key/bias", {2, 3}},
                                                            {"value/kernel", {7, 2, 5}},
                                                            {"value/bias", {2, 5}},
                                                            {"attention_output/kernel", {2, 5, 7}},
                                                            {"attention_output/bias", {7}}};
  ASSERT_EQ(parameters.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(parameters[i].name, expected[i].first);
    EXPECT_EQ(parameters[i].parameter->shape(), expected[i].second);
  }
  layer.use_bias = false;
  layer.build({4, 7}, rng);
  EXPECT_EQ(layer.parameters().size(), 4U);
  EXPECT_TRUE(layer.query.bias.value.empty());
  layer.value_dim = 0;
  layer.build({4, 7}, rng);
  EXPECT_EQ(layer.value.kernel.shape(), (Shape{7, 2, 3}));
}

TEST(MultiHeadAttention, AThrowingInitializerLeavesTheLayerUnchanged) {
  auto layer = built(MultiHeadAttention{.num_heads = 2, .key_dim = 3}, {4, 3});
  layer.bias_initializer = [](View, Rng&) { throw std::runtime_error("no bias today"); };
  const Tensor before = layer.query.kernel.value;
  Rng rng(7);
  EXPECT_EQ(error_of<std::runtime_error>([&] { layer.build({4, 5}, rng); }), "no bias today");
  EXPECT_EQ(layer.query.kernel.value, before);
}

TEST(MultiHeadAttention, PassesCheckLayer) {
  for (const bool use_bias : {true, false}) {
    for (const bool causal : {true, false}) {
      testing::expect_passes(
          with_biases({.num_heads = 2, .key_dim = 3, .value_dim = 2, .use_bias = use_bias, .use_causal_mask = causal}),
          {3, 4});
    }
  }
  testing::expect_passes(with_biases({.num_heads = 1, .key_dim = 2, .dropout = 0.3}), {3, 2});
  testing::expect_passes(MultiHeadAttention{1, 1}, {1, 1}, {.batch = 1});
}

TEST(MultiHeadAttention, HasTheGradientsOfCrossAttention) {
  MultiHeadAttention layer = with_biases({.num_heads = 2, .key_dim = 2, .value_dim = 3});
  Rng rng(3);
  layer.build({3, 2}, {4, 3}, {4, 5}, rng);
  const CheckReport report =
      check_gradients([&](std::span<const Var> in) { return layer.forward(in[0], in[1], in[2]); },
                      {testing::normal({2, 3, 2}), testing::normal({2, 4, 3}), testing::normal({2, 4, 5})});
  EXPECT_TRUE(report.passed()) << to_string(report);
}

TEST(MultiHeadAttention, KeepsSamplesIndependent) {
  const auto layer = built(MultiHeadAttention{.num_heads = 2, .key_dim = 3, .use_causal_mask = true}, {4, 3});
  auto without_biases = layer;
  without_biases.use_bias = false;
  const Tensor x = testing::normal({4, 4, 3});
  for (const auto& one : {layer, without_biases}) {
    Tape tape;
    one.forward(tape.samples(x));
    EXPECT_FALSE(tape.mixes_samples());
  }
}

TEST(MultiHeadAttention, RejectsInvalidOptionsAndShapes) {
  Rng rng(1);
  const auto text_of_build = [&](MultiHeadAttention layer, const Shape& input) {
    return error_of<Error>([&] { layer.build(input, rng); });
  };
  EXPECT_EQ(text_of_build({0, 2}, {5, 1}), "MultiHeadAttention: num_heads is 0; it must be positive");
  EXPECT_EQ(text_of_build({2, 0}, {5, 1}), "MultiHeadAttention: key_dim is 0; it must be positive");
  EXPECT_EQ(text_of_build({2, 2, -1}, {5, 1}), "MultiHeadAttention: value_dim is -1; it must be positive");
  EXPECT_EQ(text_of_build({.num_heads = 2, .key_dim = 2, .dropout = 1}, {5, 1}),
            "MultiHeadAttention: dropout is 1; at least 0 and less than 1 is required");
  EXPECT_EQ(text_of_build({.num_heads = 2, .key_dim = 2, .kernel_initializer = nullptr}, {5, 1}),
            "MultiHeadAttention: the kernel_initializer is empty; use zeros if in doubt");
  EXPECT_EQ(text_of_build({2, 2}, {5}), "MultiHeadAttention: a sample of shape (5,); (steps, features) is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              MultiHeadAttention{2, 2}.build({5, 1}, {3, 2}, {4, 2}, rng);
            }),
            "MultiHeadAttention: a value of 3 steps and a key of 4; they must agree");
}

TEST(MultiHeadAttention, RejectsMismatchedInputsAndUseBeforeBuild) {
  const auto layer = built(MultiHeadAttention{2, 2}, {4, 3});
  EXPECT_EQ(error_of<ShapeError>([&] {
              run(layer, Tensor({2, 4, 2}));
            }),
            "MultiHeadAttention: a query of shape (2, 4, 2); (batch, steps, 3) is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              Tape tape;
              const Tensor query({2, 4, 3}), value({2, 5, 2});
              layer.forward(tape.input(query), tape.input(value));
            }),
            "MultiHeadAttention: a key of shape (2, 5, 2); (batch, steps, 3) is required");
  EXPECT_EQ(error_of<ShapeError>([&] {
              Tape tape;
              const Tensor query({2, 4, 3}), value({2, 5, 3}), key({2, 6, 3});
              layer.forward(tape.input(query), tape.input(value), tape.input(key));
            }),
            "MultiHeadAttention: a query of shape (2, 4, 3), a value of shape (2, 5, 3) and a key of shape (2, 6, 3); "
            "all batches, and the steps of value and key, must agree");
  EXPECT_EQ(error_of<StateError>([] {
              run(MultiHeadAttention{2, 2}, Tensor({2, 4, 3}));
            }),
            "MultiHeadAttention: used before it was built; call build(shape of a sample, rng), or put it into a model");
}

}  // namespace
}  // namespace cornu
