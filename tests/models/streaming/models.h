#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cornu/cornu.h"
#include "cornu/tests/support/users_layers.h"

/// Models that can stream.
namespace cornu::testing {

struct StreamCase {
  std::string name;
  Sequential model;
};

/// A layer of ops; its output sample has the shape that it gives.
struct OfOps {
  std::function<Var(Var)> formula;
  Var forward(Var x) const { return formula(x); }
};

/// A table with a row for each position, as a user writes it.
struct LearnedPositions {
  Parameter table;
  Shape build(const Shape& input, Rng& rng) {
    table = {Tensor(input)};
    rng.fill_uniform(table.value, -1, 1);
    return input;
  }
  Var forward(Var x) const { return x + table; }
  NamedParameters parameters() { return {{"table", &table}}; }
};

/// A block of a decoder.
inline std::vector<AnyLayer> transformer_block(Index features) {
  return {Residual{LayerNormalization{}, MultiHeadAttention{.num_heads = 2, .key_dim = 3, .use_causal_mask = true}},
          Residual{LayerNormalization{}, Dense{2 * features, gelu}, Dense{features}}};
}

/// A sequence for a model: whole numbers for one that begins with an Embedding, and some zeros for one that masks them.
inline Tensor sequence_for(const Sequential& model, std::uint64_t seed) {
  const Shape sample = *model.input_shape();
  Tensor x(sample.batched(1));
  Rng rng(seed);
  for (Real& each : x) each = sample.rank() == 1 ? static_cast<Real>(rng.bits() % 10) : static_cast<Real>(rng.normal());
  if (model.get_layer(Index{0}).as<Masking>() == nullptr) return x;
  for (Index step = 0; step < sample[0]; step += 1 + step % 3)
    std::fill_n(x.data() + step * sample[1], sample[1], Real{0});
  return x;
}

inline std::vector<StreamCase> stream_cases() {
  const Input in{24, 8};
  const auto conv = [](Conv1D layer) {
    layer.bias_initializer = random_normal(0, Real(0.3));
    return layer;
  };
  const LSTM lstm{.units = 5, .return_sequences = true};
  std::vector<StreamCase> cases{
      {"dense", {in, Dense{4, relu}, Dense{3}, Softmax{}}},
      {"lstm", {in, lstm, Dense{1}}},
      {"lstm_wide", {in, LSTM{.units = 40, .return_sequences = true}}},
      {"lstm_last", {in, lstm, LSTM{.units = 3}, Dense{2}}},
      {"lstm_without_bias", {in, LSTM{.units = 7, .use_bias = false, .return_sequences = true}}},
      {"lstm_relu", {in, LSTM{.units = 6, .activation = relu, .return_sequences = true}}},
      // A forget gate above 1, as softplus(1) is, would multiply the rounding of each step.
      {"lstm_softplus",
       {in, LSTM{.units = 6, .recurrent_activation = softplus, .unit_forget_bias = false, .return_sequences = true},
        Tanh{}}},
      {"gru", {in, GRU{.units = 9, .bias_initializer = random_normal(0, 1), .return_sequences = true}, Dense{1}}},
      {"masked",
       {in, Masking{.mask_value = 0}, lstm, Dense{4, tanh},
        GRU{.units = 4, .bias_initializer = random_normal(0, 1), .return_sequences = true},
        SimpleRNN{.units = 3, .use_bias = false, .return_sequences = true},
        LSTM{.units = 3, .activation = softplus, .return_sequences = true}}},
      {"masked_last", {in, Masking{}, GRU{.units = 4, .use_bias = false, .reset_after = false}, Dense{2}}},
      {"gru_without_bias", {in, GRU{.units = 4, .use_bias = false}}},
      {"gru_reset_before", {in, GRU{.units = 5, .return_sequences = true, .reset_after = false}}},
      {"gru_elu", {in, GRU{.units = 5, .activation = elu, .return_sequences = true}}},
      {"simple_rnn", {in, SimpleRNN{.units = 9, .return_sequences = true}, Dense{1}}},
      {"simple_rnn_relu", {in, SimpleRNN{.units = 4, .activation = relu, .use_bias = false}}},
      {"conv_causal", {in, conv({.filters = 6, .kernel_size = 3, .padding = Padding::causal, .activation = relu})}},
      {"conv_dilated", {in, conv({.filters = 20, .kernel_size = 2, .padding = Padding::causal, .dilation_rate = 5})}},
      {"conv_groups",
       {in, conv({.filters = 12, .kernel_size = 3, .padding = Padding::causal, .groups = 4, .activation = gelu})}},
      {"conv_valid", {in, conv({.filters = 3, .kernel_size = 4, .dilation_rate = 2}), Tanh{}}},
      {"conv_one", {in, conv({.filters = 3, .kernel_size = 1})}},
      {"conv_strided", {in, conv({.filters = 4, .kernel_size = 3, .strides = 2, .padding = Padding::causal}), lstm}},
      {"conv_strided_valid",
       {in, conv({.filters = 4, .kernel_size = 4, .strides = 2}), conv({.filters = 4, .kernel_size = 2, .strides = 2}),
        GRU{.units = 3}}},
      {"max_over_time", {in, MaxPooling1D{.pool_size = 4, .strides = 1, .padding = Padding::causal}, Dense{2}}},
      {"mean_over_time", {in, AveragePooling1D{.pool_size = 4, .strides = 1, .padding = Padding::causal}, Dense{2}}},
      {"pooling_strided", {in, MaxPooling1D{}, lstm, AveragePooling1D{.pool_size = 3}, GRU{.units = 2}}},
      {"images",
       {Input{24, 4, 4, 1}, TimeDistributed{Sequential{Conv2D{.filters = 2, .kernel_size = 3}, Flatten{}}}, lstm}},
      {"depthwise", {in, OfOps{[](Var x) {
                       const Var kernel = x.tape().constant(Tensor::full({1, 3, 8, 2}, Real(0.3)));
                       const Var image = reshape(x, x.shape().inserted(1, 1));
                       const Var y = depthwise_conv2d(image, kernel, {.padding = Padding::valid});
                       return reshape(y, y.shape().without(1));
                     }}}},
      {"attention", {in, MultiHeadAttention{.num_heads = 2, .key_dim = 3, .use_causal_mask = true}}},
      {"attention_of_values",
       {in,
        MultiHeadAttention{.num_heads = 3, .key_dim = 2, .value_dim = 5, .use_bias = false, .use_causal_mask = true}}},
      {"positions", {in, LearnedPositions{}, Dense{3}}},
      {"normalizations", {in, LayerNormalization{}, Dense{6}, BatchNormalization{}, LeakyReLU{}, ELU{}, Dropout{0.5}}},
      {"embedding", {Input{24}, Embedding{10, 4}, GRU{.units = 4, .return_sequences = true}, Dense{10}, Softmax{}}},
      {"wavenet", {in, WaveNetBlock{8, 1}, WaveNetBlock{8, 2}, WaveNetBlock{8, 4}, Dense{1}}},
      {"mish", {in, Mish{}, ScaleAndShift{}}},
      {"last_step",
       {in, lstm, OfOps{[](Var x) {
          const Shape& s = x.shape();
          return reshape(slice_axis(x, 1, s[1] - 1, s[1]), {s[0], s[2]});
        }},
        Dense{2}}},
      {"whole_slices",
       {in, lstm, OfOps{[](Var x) { return slice_axis(slice_axis(x, 2, 0, 5), 1, 0, x.shape()[1]); }},
        LSTM{.units = 9, .return_sequences = true}}},
      {"whole_last_step",
       {in, LSTM{.units = 9, .return_sequences = true}, OfOps{[](Var x) {
          const Shape& s = x.shape();
          const Var last = reshape(slice_axis(x, 1, s[1] - 1, s[1]), {s[0], s[2]});
          return concatenate({last, tanh(last * 2), exp(last)});
        }},
        Dense{30}}},
      {"products",
       {in, OfOps{[](Var x) {
          const Shape& s = x.shape();
          const Var a = reshape(x, {s[0], s[1], 2, 4}), w = x.tape().constant(Tensor::full({3, 4}, Real(0.2)));
          const Var of_two = matmul(a, a, {.transpose_b = true});  // (..., 2, 2)
          return concatenate({reshape(of_two, {s[0], s[1], 4}),
                              reshape(matmul(a, w, {.transpose_b = true}), {s[0], s[1], 6}),
                              reshape(matmul(a, a, {.transpose_a = true}), {s[0], s[1], 16})});
        }}}},
      {"swapped", {in, OfOps{[](Var x) {
                     return transpose(flip(softmax(transpose(x, {0, 2, 1}) * 2, 1), 1), {0, 2, 1});
                   }}}},
      {"ops", {in, OfOps{[](Var x) {
                 const Var part = slice_axis(x, -1, 2, 6), sum_of_features = sum(x, 2, {.keepdims = true});
                 return concatenate({part / (1 + abs(sum_of_features)), maximum(part, 0.1), pow(abs(part) + 1, 0.5),
                                     log_softmax(x), x - mean(x, 2, {.keepdims = true})});
               }}}},
  };
  Sequential transformer{Input{24}, Embedding{10, 8}, LearnedPositions{}};
  for (int i = 0; i < 2; ++i) {
    for (AnyLayer& layer : transformer_block(8)) transformer.add(std::move(layer));
  }
  transformer.add(Dense{10});
  cases.push_back({"transformer", std::move(transformer)});
  return cases;
}

}  // namespace cornu::testing
