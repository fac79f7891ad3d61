#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "cornu/layers/attention/multi_head_attention.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/embedding.h"
#include "cornu/layers/rnn/gru.h"
#include "cornu/layers/rnn/lstm.h"
#include "cornu/layers/rnn/simple_rnn.h"
#include "cornu/tests/support/every_layer.h"

// Fan-in and fan-out of every layer's weights, computed by hand from Keras's rules, compared with the values drawn.

namespace cornu {
namespace {

/// Attention with two inputs.
struct Attention {
  MultiHeadAttention layer;
  Shape build(const Shape& query, const Shape& value, Rng& rng) { return layer.build(query, value, rng); }
  Var forward(Var query, Var value) const { return layer.forward(query, value); }
  NamedParameters parameters() { return layer.parameters(); }
};

struct Weights {
  std::string layer;
  std::string name;
  std::function<AnyLayer(const Initializer&)> make;
  std::vector<Shape> inputs;
  double fan_in, fan_out;
};

std::vector<Weights> all_weights() {
  const auto dense = [](const Initializer& i) { return AnyLayer(Dense{.units = 30, .kernel_initializer = i}); };
  const auto conv1d = [](const Initializer& i) {
    return AnyLayer(Conv1D{.filters = 16, .kernel_size = 3, .kernel_initializer = i});
  };
  const auto conv2d = [](const Initializer& i) {
    return AnyLayer(Conv2D{.filters = 6, .kernel_size = {3, 5}, .kernel_initializer = i});
  };
  const auto groups = [](const Initializer& i) {
    return AnyLayer(Conv2D{.filters = 8, .kernel_size = {3, 5}, .groups = 2, .kernel_initializer = i});
  };
  const auto depthwise = [](const Initializer& i) {
    return AnyLayer(DepthwiseConv2D{.kernel_size = {3, 5}, .depth_multiplier = 3, .depthwise_initializer = i});
  };
  const auto embedding = [](const Initializer& i) {
    return AnyLayer(Embedding{.input_dim = 50, .output_dim = 12, .embeddings_initializer = i});
  };
  const auto lstm = [](const Initializer& i) {
    return AnyLayer(LSTM{.units = 12, .kernel_initializer = i, .recurrent_initializer = i});
  };
  const auto gru = [](const Initializer& i) {
    return AnyLayer(GRU{.units = 12, .kernel_initializer = i, .recurrent_initializer = i});
  };
  const auto simple_rnn = [](const Initializer& i) {
    return AnyLayer(SimpleRNN{.units = 24, .kernel_initializer = i, .recurrent_initializer = i});
  };
  const auto attention = [](const Initializer& i) {
    return AnyLayer(Attention{{.num_heads = 8, .key_dim = 16, .value_dim = 4, .kernel_initializer = i}});
  };
  const std::vector<Shape> two{{5, 32}, {6, 24}};  // query, value and key
  return {{"Dense", "kernel", dense, {{40}}, 40, 30},
          {"Conv1D", "kernel", conv1d, {{9, 8}}, 3 * 8, 3 * 16},
          {"Conv2D", "kernel", conv2d, {{9, 9, 4}}, 15 * 4, 15 * 6},
          {"Conv2D", "kernel", groups, {{9, 9, 4}}, 15 * 2, 15 * 8},
          {"DepthwiseConv2D", "kernel", depthwise, {{9, 9, 10}}, 15 * 10, 15 * 3},
          {"Embedding", "embeddings", embedding, {{7}}, 50, 12},
          {"LSTM", "kernel", lstm, {{5, 20}}, 20, 4 * 12},
          {"LSTM", "recurrent_kernel", lstm, {{5, 20}}, 12, 4 * 12},
          {"GRU", "kernel", gru, {{5, 20}}, 20, 3 * 12},
          {"GRU", "recurrent_kernel", gru, {{5, 20}}, 12, 3 * 12},
          {"SimpleRNN", "kernel", simple_rnn, {{5, 20}}, 20, 24},
          {"SimpleRNN", "recurrent_kernel", simple_rnn, {{5, 20}}, 24, 24},
          {"MultiHeadAttention", "query/kernel", attention, two, 32, 8 * 16},
          {"MultiHeadAttention", "key/kernel", attention, two, 24, 8 * 16},
          {"MultiHeadAttention", "value/kernel", attention, two, 24, 8 * 4},
          {"MultiHeadAttention", "attention_output/kernel", attention, two, 8 * 4, 32}};
}

Tensor initial_values_of(const Weights& weights, const Initializer& initializer) {
  AnyLayer layer = weights.make(initializer);
  Rng rng(7);
  layer.build_several(weights.inputs, rng);
  for (const NamedParameter& named : layer.parameters()) {
    if (named.name == weights.name) return named.parameter->value;
  }
  ADD_FAILURE() << weights.layer << " has no " << weights.name;
  return {};
}

double deviation(const Tensor& values) {
  double squares = 0;
  for (const Real value : values) squares += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

TEST(InitialValues, UseTheFansOfKeras) {
  struct Kind {
    const char* name;
    Initializer initializer;
    bool uniform;
    std::function<double(double, double)> variance;
  };
  const auto glorot = [](double in, double out) { return 2 / (in + out); };
  const auto he = [](double in, double) { return 2 / in; };
  const auto lecun = [](double in, double) { return 1 / in; };
  const std::vector<Kind> kinds{{"glorot_uniform", glorot_uniform, true, glorot},
                                {"he_uniform", he_uniform, true, he},
                                {"lecun_uniform", lecun_uniform, true, lecun},
                                {"glorot_normal", glorot_normal, false, glorot},
                                {"he_normal", he_normal, false, he},
                                {"lecun_normal", lecun_normal, false, lecun}};
  for (const Weights& weights : all_weights()) {
    for (const Kind& kind : kinds) {
      SCOPED_TRACE(weights.layer + " " + weights.name + " " + kind.name);
      const Tensor values = initial_values_of(weights, kind.initializer);
      ASSERT_GT(values.size(), 200);
      const double expected = std::sqrt(kind.variance(weights.fan_in, weights.fan_out));
      EXPECT_NEAR(deviation(values) / expected, 1, 0.1);
      double largest = 0;
      for (const Real value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
      // A uniform distribution extends to sqrt(3) standard deviations; a normal one is truncated at 2 of its own.
      const double limit = expected * (kind.uniform ? std::sqrt(3.0) : 2 / 0.87962566103423978);
      EXPECT_LE(largest, limit * (1 + 1e-6));
      EXPECT_GE(largest, limit * (kind.uniform ? 0.97 : 0.85));
    }
  }
}

TEST(InitialValues, AttentionKernelsReachTheLimitOfKeras) {
  AnyLayer layer = MultiHeadAttention{.num_heads = 8, .key_dim = 16};
  Rng rng(1);
  layer.build({10, 32}, rng);
  for (const NamedParameter& named : layer.parameters()) {
    if (!named.name.ends_with("kernel")) continue;
    const Tensor& values = named.parameter->value;
    EXPECT_NEAR(*std::max_element(values.begin(), values.end()), 0.19365, 0.0005) << named.name;
    EXPECT_NEAR(*std::min_element(values.begin(), values.end()), -0.19365, 0.0005) << named.name;
  }
}

TEST(InitialValues, AttentionPassesOtherInitializersTheKernelsShape) {
  std::vector<Shape> seen;
  AnyLayer layer = MultiHeadAttention{
      .num_heads = 2, .key_dim = 3, .kernel_initializer = [&seen](View out, Rng&) { seen.push_back(out.shape()); }};
  Rng rng(1);
  layer.build({5, 4}, rng);
  EXPECT_EQ(seen, (std::vector<Shape>{{4, 2, 3}, {4, 2, 3}, {4, 2, 3}, {2, 3, 4}}));
}

TEST(InitialValues, TableHasEveryLayerWithAKernel) {
  const std::vector<Weights> table = all_weights();
  Index count = 0;
  for (const testing::LayerRow& tested : testing::every_layer()) {
    AnyLayer layer = tested.layer;
    Rng rng(1);
    layer.build(tested.input, rng);
    const NamedParameters parameters = layer.parameters();
    const bool has_kernel = std::any_of(parameters.begin(), parameters.end(), [](const NamedParameter& each) {
      return each.name.find('/') == std::string::npos &&  // not a layer inside it
             (each.name.find("kernel") != std::string::npos || each.name == "embeddings");
    });
    if (!has_kernel) continue;
    ++count;
    EXPECT_TRUE(std::any_of(table.begin(), table.end(), [&](const Weights& row) { return row.layer == layer.type(); }))
        << layer.type() << " has no row in all_weights";
  }
  EXPECT_GE(count, 7);
}

}  // namespace
}  // namespace cornu
